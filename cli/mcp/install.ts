import { existsSync } from 'node:fs';
import { copyFile, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { findProgram } from '../../adapters/sandbox/programs.ts';
import { EdgeError } from '../../contract/core.ts';
import { replaceFile } from '../../io/replace-file.ts';
import type { GlobalOptions } from '../context.ts';
import { MCP_CLIENTS, type McpClient, type Places } from './clients.ts';
import { type ServerEntry, withoutServer, withServer } from './server-entry.ts';

type Env = Readonly<Record<string, string | undefined>>;

export type InstallOptions = {
  readonly name: string;
  readonly project?: boolean;
  readonly remove?: boolean;
  readonly print?: boolean;
};

export type Installed = {
  readonly client: string;
  readonly path: string;
  readonly name: string;
  readonly entry: ServerEntry;
  readonly state: 'added' | 'changed' | 'as it was' | 'removed' | 'was not there' | 'printed';
  /** A copy of the file before it was changed; absent: there was no file, or nothing changed. */
  readonly backup?: string;
  readonly next: string;
};

/** The client of this name. Throws `config.invalid` with the names that there are. */
export function clientOf(name: string): McpClient {
  const found = MCP_CLIENTS.find((client) => client.name === name);
  if (found) return found;
  throw new EdgeError('config.invalid', {
    operation: 'mcp install',
    subject: name,
    message: `no MCP client is called ${name}`,
    hint: `clients: ${MCP_CLIENTS.map((client) => client.name).join(', ')}; for others: auraison mcp install claude --print`,
  });
}

export function placesOf(env: Env = process.env): Places {
  const home = env['HOME'] || homedir();
  return {
    home,
    config: env['XDG_CONFIG_HOME'] || join(home, '.config'),
    folder: process.cwd(),
    platform: process.platform,
  };
}

/** Writes the entry into the client's file, or takes it out; the file before stays beside it as `.before-auraison`. */
export async function install(
  client: McpClient,
  places: Places,
  entry: ServerEntry,
  options: InstallOptions,
): Promise<Installed> {
  const path = fileOf(client, places, options.project === true);
  const { name } = options;
  const own: ServerEntry = client.key === 'servers' ? { type: 'stdio', ...entry } : entry;
  const about = { client: client.name, path, name, entry: own };
  if (options.print)
    return {
      ...about,
      state: 'printed',
      next: `it belongs into ${path}; where that has "${client.key}" already, only "${name}" is added there`,
    };
  const before = await textOf(path);
  if (options.remove) {
    const edited = before === undefined ? undefined : withoutServer(client, path, before, name);
    if (!edited?.changed) return { ...about, state: 'was not there', next: '' };
    return { ...about, state: 'removed', ...(await replace(path, edited.text)), next: client.next };
  }
  const edited = withServer(client, path, before, name, own);
  if (!edited.changed) return { ...about, state: 'as it was', next: client.next };
  const state = before === undefined ? 'added' : 'changed';
  return { ...about, state, ...(await replace(path, edited.text)), next: client.next };
}

/**
 * How a client that knows neither this shell's PATH nor its folder starts the bridge. A token is never written: the
 * bridge reads that of the data directory, or AURAISON_TOKEN of the client's own environment.
 */
export function entryOf(global: GlobalOptions, env: Env, script: string): ServerEntry {
  // The client starts it in another folder, without the variables of this shell.
  const flags = Object.entries({
    '--config': global.config ?? env['AURAISON_CONFIG'],
    '--data-dir': global.dataDir ?? env['AURAISON_DAEMON_DATA_DIR'],
  }).flatMap(([flag, path]) => (path ? [flag, resolve(path)] : []));
  const command = findProgram('auraison', lastingPath(env)) ?? script;
  const url = env['AURAISON_URL'];
  return { command, args: [...flags, 'mcp'], ...(url ? { env: { AURAISON_URL: url } } : {}) };
}

function fileOf(client: McpClient, places: Places, project: boolean): string {
  const path = project ? client.projectFile?.(places) : (client.file ?? client.projectFile)?.(places);
  if (path !== undefined) return path;
  throw new EdgeError('config.invalid', {
    operation: 'mcp install',
    subject: client.name,
    message: `${client.title} has no file for one folder`,
    hint: `auraison mcp install ${client.name}`,
  });
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new EdgeError('config.unreadable', {
      operation: 'mcp install',
      subject: path,
      message: `${path} cannot be read: ${message}`,
      hint: '--print shows the entry: paste it yourself, or run this as the user who owns the file',
      cause,
    });
  }
}

/** Where there was a file, a copy of it stays beside it. */
async function replace(path: string, text: string): Promise<Pick<Installed, 'backup'>> {
  const backup = `${path}.before-auraison`;
  const isThere = existsSync(path);
  if (isThere) await copyFile(path, backup);
  replaceFile(path, text, {
    operation: 'mcp install',
    mode: 0o600,
    hint: '--print shows the entry: paste it yourself, or run this as the user who owns the file',
  });
  return isThere ? { backup } : {};
}

/** Without the folder that npm adds for the time of a script: it is gone afterwards. */
function lastingPath({ PATH = '' }: Env): string {
  return PATH.split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter);
}
