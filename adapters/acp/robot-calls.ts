import type { OfferedTool } from './run-tools.ts';

type Json = Readonly<Record<string, unknown>>;

/** Name of the MCP server with the tools of the run. */
export const SERVER = 'robot';

/** Words of keys under which agents put commands, files and addresses. */
const OUTSIDE: ReadonlySet<string> = new Set([
  ...['command', 'commands', 'cmd', 'script', 'shell', 'code', 'path', 'paths', 'file', 'files', 'filename'],
  ...['directory', 'dir', 'folder', 'cwd', 'workdir', 'url', 'urls', 'uri', 'uris', 'href', 'glob'],
]);
/** An input that is deeper is not looked through: the daemon is asked. */
const DEPTH_MAX = 8;

/**
 * The tool of the robot of which this is the title in stock agents: `robot_robot_look`, `mcp__robot__robot_look`,
 * `robot.robot_look`, `robot_look (robot MCP Server)`. Undefined: of none. Pure.
 */
export function robotTool(title: string, names: readonly string[]): string | undefined {
  const plain = title.toLowerCase().trim();
  return names.find((name) =>
    [
      ...[`${SERVER}_${name}`, `mcp__${SERVER}__${name}`, `mcp_${SERVER}_${name}`, `${SERVER}.${name}`],
      ...[`${SERVER}/${name}`, `mcp.${SERVER}.${name}`, `${name} (${SERVER} mcp server)`],
    ].includes(plain),
  );
}

/** What an agent reports of a tool call that it wants permission for. */
export type Reported = {
  readonly title: string;
  /** Each kind that it gave for the call. */
  readonly kinds: readonly string[];
  /** Each input that it gave for the call. */
  readonly inputs: readonly unknown[];
};

/**
 * True where a reported call can only be one of the robot's tools, so that the daemon judges it as that call. A title
 * alone does not say so: the title of a command is the command. The kind must be `other`, and the input has no command, path
 * or address that the tool itself does not take. Codex reports `execute` with `server`, `tool` and `arguments` alone. Pure.
 */
export function isRobotCall({ title, kinds, inputs }: Reported, offered: readonly OfferedTool[]): boolean {
  const name = robotTool(
    title,
    offered.map((one) => one.name),
  );
  const tool = offered.find((one) => one.name === name);
  if (!tool) return false;
  const given = inputs.filter((input) => input !== undefined && input !== null);
  if (kinds.every((kind) => kind === 'other'))
    return given.every((input) => isInside(argumentsOf(input, tool), tool));
  const isKnown = kinds.every((kind) => kind === 'other' || kind === 'execute');
  return isKnown && given.length > 0 && given.every((input) => isCall(input, tool));
}

/** As Codex describes a call of an MCP server: nothing else is in it. */
function isCall(input: unknown, { name }: OfferedTool): boolean {
  if (typeof input !== 'object' || input === null) return false;
  const { server, tool, arguments: _, ...rest } = input as Json;
  return server === SERVER && tool === name && Object.keys(rest).length === 0;
}

function argumentsOf(input: unknown, tool: OfferedTool): unknown {
  return isCall(input, tool) ? (input as Json)['arguments'] : input;
}

function isInside(input: unknown, tool: OfferedTool): boolean {
  const own = Object.keys((tool.input['properties'] ?? {}) as Json);
  const fits = (value: unknown, depth: number): boolean => {
    if (typeof value === 'string') return !/^[a-z][a-z0-9+.-]*:\/\//i.test(value.trim());
    if (typeof value !== 'object' || value === null) return true;
    if (depth > DEPTH_MAX) return false;
    return Object.entries(value).every(([key, inner]) => {
      // What the tool takes itself is judged with its call.
      const isOwn = depth === 0 && own.includes(key);
      return isOwn || (!namesOutside(key) && fits(inner, depth + 1));
    });
  };
  return fits(input, 0);
}

/** `file_path`, `filePath` and `Path` name the same. */
function namesOutside(key: string): boolean {
  const words = key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  return words.split(/[^a-z]+/).some((word) => OUTSIDE.has(word));
}
