import { LIMITS } from '../../contract/core.ts';
import { isLoopbackHost } from './loopback.ts';
import { SANDBOX_KEY } from './sandboxes.ts';
import { choice, flag, type KeySpec, namedOnce, quantity, type RowOf, tables, text, texts } from './spec.ts';
import { rowReader } from './zenoh-rules.ts';

const DURATION = { min: 1, max: 3_600_000 };

/** Keys of one row of `[[mcp.servers.rules]]`. */
const RULE_KEYS = {
  tools: texts(['*'], 'names as the server gives them; * stands for anything'),
  effect: choice(
    ['read', 'write', 'actuate'],
    'write',
    'what a call does; actuate: a failed one stops the robot',
  ),
  replay: choice(['never', 'safe'], 'never', 'whether a call that a restart interrupted may be repeated'),
  deadline: quantity('duration', '30 s', 'of one call', DURATION),
} as const;

/** Keys of one row of `[[mcp.servers]]`. */
const SERVER_KEYS = {
  name: text('', 'agents see its tools as mcp.NAME.tool', {
    match: /^[a-z0-9][a-z0-9-]{0,31}$/,
    expected: 'a name of lower-case letters, digits and dashes, at most 32',
  }),
  command: text('', 'program of a server that talks by its input and output; or url'),
  args: texts([], 'its arguments'),
  folder: text('', 'where it is started; empty: the data directory'),
  env: texts(['PATH', 'HOME', 'LANG'], 'all it gets of the environment: names, or NAME=value'),
  sandbox: SANDBOX_KEY('where the program runs'),
  url: text('', 'of a server that talks streamable HTTP; https, or http to this host', {
    match: /^(|https?:\/\/\S+)$/,
    expected: 'an http or https address',
  }),
  token_file: text('', 'token it is shown: a path, or credential:NAME'),
  oauth_client_id: text('', 'it wants OAuth client credentials: the id'),
  oauth_secret_file: text('', 'and the secret: a path, or credential:NAME'),
  apps: texts([], 'applications whose agents may use it; "*": all; empty: none'),
  allow: texts(['*'], 'tools that are offered, by name or pattern'),
  deny: texts([], 'tools that are not, also where allow names them'),
  trust: choice(
    ['first_use', 'manual'],
    'first_use',
    'a tool never seen before is taken, or waits for auraison mcp allow',
  ),
  deadline: quantity('duration', '30 s', 'of one call where no rule says otherwise', DURATION),
  result_size: quantity('size', '64 KiB', 'of one result without images; longer text is cut', {
    min: 1_024,
    max: LIMITS.TOOL_RESULT_BYTES_MAX - 4_096,
  }),
  elicitation: choice(
    ['refuse', 'defaults'],
    'refuse',
    'questions of the server to a person: refused, or answered with the defaults it proposes',
  ),
  idle_stop: quantity('duration', '10 min', 'stopped when it was unused for so long; "0 s": never'),
  rules: tables(
    'how calls of its tools are treated; the first that fits counts',
    rowReader(RULE_KEYS),
  ) as KeySpec<readonly McpRuleRow[]>,
} as const;

export type McpRuleRow = RowOf<typeof RULE_KEYS>;
export type McpServerRow = RowOf<typeof SERVER_KEYS>;

const read = rowReader(SERVER_KEYS);

type Result = { ok: true; value: McpServerRow } | { ok: false; expected: string };

/** One entry of `[[mcp.servers]]`; what could only be silent or unsafe is refused. */
function readServer(row: Record<string, unknown>): Result {
  const result = read(row);
  if (!result.ok) return result;
  const { name, command, url, token_file, oauth_client_id, oauth_secret_file, env } = result.value;
  const no = (expected: string): Result => ({ ok: false, expected });
  if (name === '') return no('name = a name');
  if ((command === '') === (url === '')) return no(`command or url, one of them (${name})`);
  if (url !== '' && result.value.sandbox !== '')
    return no(`no sandbox with url (${name}): it runs elsewhere`);
  if (command !== '' && (token_file !== '' || oauth_client_id !== ''))
    return no(`no token without url (${name}): use env`);
  if ((oauth_client_id === '') !== (oauth_secret_file === ''))
    return no(`oauth_client_id and oauth_secret_file together (${name})`);
  if (token_file !== '' && oauth_client_id !== '')
    return no(`token_file or oauth_client_id, not both (${name})`);
  if (url.startsWith('http:') && !isLoopbackHost(new URL(url).hostname))
    return no(`https (${name}): over http only this host is reached`);
  const strange = env.find((one) => !/^[A-Za-z_]\w*(=.*)?$/s.test(one));
  if (strange !== undefined) return no(`env = names, or NAME=value (${name})`);
  return result;
}

/** `[mcp]`: foreign MCP servers as tools of agents, and this robot as an MCP server. */
export const MCP_KEYS = {
  serve: flag(true, 'answer MCP clients at /mcp of the API, with its token'),
  roles: texts(['operator'], 'roles of who comes by /mcp; policies judge by them'),
  servers: servers(),
} as const;

/** Names are unique: tools are found by them. */
function servers(): KeySpec<readonly McpServerRow[]> {
  const spec = tables<McpServerRow>('foreign MCP servers as tools: [[mcp.servers]]', readServer);
  return namedOnce(spec, LIMITS.MCP_SERVERS_MAX, 'servers');
}
