import { EdgeError } from '../../contract/core.ts';
import type { McpClient } from './clients.ts';

/** How a client starts this robot as a server. */
export type ServerEntry = {
  /** Where the client asks for it. */
  readonly type?: 'stdio';
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** The file of a client after an edit, and whether that differs from what is there. */
export type Edited = { readonly text: string; readonly changed: boolean };

/**
 * The text of a client's file with this server in it; all else stays as it is. `text` undefined: there is no file.
 * Throws `config.invalid` where the file is not what the client writes: a person then adds the entry.
 */
export function withServer(
  client: McpClient,
  path: string,
  text: string | undefined,
  name: string,
  entry: ServerEntry,
): Edited {
  const { root, servers } = read(client, path, text);
  return edit(text, { ...root, [client.key]: { ...servers, [name]: entry } });
}

/** The text without the server of this name. Throws `config.invalid` as `withServer` does. */
export function withoutServer(client: McpClient, path: string, text: string, name: string): Edited {
  const { root, servers } = read(client, path, text);
  if (!Object.hasOwn(servers, name)) return { text, changed: false };
  const { [name]: _gone, ...rest } = servers;
  return edit(text, { ...root, [client.key]: rest });
}

function edit(before: string | undefined, after: Readonly<Record<string, unknown>>): Edited {
  const text = `${JSON.stringify(after, undefined, indentOf(before ?? ''))}\n`;
  const same = before !== undefined && JSON.stringify(parsed(before)) === JSON.stringify(after);
  return same ? { text: before, changed: false } : { text, changed: true };
}

function read(client: McpClient, path: string, text: string | undefined) {
  const root = text === undefined || text.trim() === '' ? {} : parsed(text);
  if (!isObject(root))
    throw unfit(client, path, 'is not a JSON object (comments and commas at the end count)');
  const servers = root[client.key] ?? {};
  if (!isObject(servers)) throw unfit(client, path, `has a "${client.key}" that is not an object`);
  return { root, servers };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** As the file has it: its first indented line says. */
function indentOf(text: string): string | number {
  return /\n([ \t]+)"/.exec(text)?.[1] ?? 2;
}

function unfit(client: McpClient, path: string, why: string): EdgeError {
  return new EdgeError('config.invalid', {
    operation: `add the robot to ${client.title}`,
    subject: path,
    message: `${path} ${why}; nothing was written`,
    hint: `auraison mcp install ${client.name} --print shows what belongs into the file`,
  });
}
