import { RUNTIME_LIMITS } from '../../contract/core.ts';
import { isLoopbackHost } from './loopback.ts';
import { SANDBOX_KEY } from './sandboxes.ts';
import { type KeySpec, namedOnce, quantity, type RowOf, tables, text, texts } from './spec.ts';
import { rowReader } from './zenoh-rules.ts';

/** Keys of one row of `[[runtimes.accept]]`. */
const RUNTIME_KEYS = {
  name: text('', 'name of the runtime; applications name it in [remote]', {
    match: /^[a-z0-9][a-z0-9-]{0,31}$/,
    expected: 'a name of lower-case letters, digits and dashes, at most 32',
  }),
  token_file: text(
    '',
    'its token: a path, or credential:NAME; empty: made in the data directory, auraison runtimes token NAME prints it',
  ),
  command: texts(
    [],
    'program and arguments, where this daemon starts it and keeps it running; empty: it is started elsewhere',
  ),
  acp: texts(
    [],
    'program and arguments of an agent of the Agent Client Protocol, for example ["opencode", "acp"]: this daemon starts the bridge to it',
  ),
  a2a: text(
    '',
    'address of a remote agent of the Agent2Agent protocol: this daemon starts the bridge to it',
    {
      match: /^(|https?:\/\/\S+)$/,
      expected: 'an http or https address',
    },
  ),
  credential: text('', 'what the A2A agent is shown as bearer token: a path, credential:NAME or env:NAME'),
  timeout: quantity('duration', '10 min', 'an ACP or A2A agent that does nothing for so long is left', {
    min: 1_000,
    max: 86_400_000,
  }),
  login: text('', 'how the ACP agent logs in before its sessions; empty: it is logged in'),
  mode: text('', 'mode of the sessions of the ACP agent; empty: its own choice'),
  folder: text('', 'where it is started; empty: the data directory, in a sandbox /tmp'),
  env: texts(
    ['PATH', 'LANG'],
    'all it gets of the environment beside its address and token: names, or NAME=value',
    {
      match: /^[A-Za-z_]\w*(=.*)?$/s,
      expected: 'names, or NAME=value',
    },
  ),
  sandbox: SANDBOX_KEY('where the program runs'),
} as const;
export type RuntimeRow = RowOf<typeof RUNTIME_KEYS>;

const read = rowReader(RUNTIME_KEYS);

/** `[runtimes]`: programs that dial in and execute runs (docs/runtimes.md). Without `accept` none is listened for. */
export const RUNTIMES_KEYS = {
  heartbeat: quantity('duration', '5 s', 'a runtime that is silent for three of these is lost', {
    min: 200,
    max: 60_000,
  }),
  keep: quantity('duration', '60 s', 'how long a lost runtime may come back and continue where it was', {
    min: 100,
    max: 3_600_000,
  }),
  accept: accepted(),
} as const;

/** Names are unique: applications find their runtime by them. */
function accepted(): KeySpec<readonly RuntimeRow[]> {
  const spec = tables<RuntimeRow>('runtimes that may dial in: [[runtimes.accept]]', (row) => {
    const result = read(row);
    if (!result.ok) return result;
    const fault = faultOf(result.value);
    return fault === undefined ? result : { ok: false, expected: `${fault} (${result.value.name})` };
  });
  return namedOnce(spec, RUNTIME_LIMITS.RUNTIMES_MAX, 'runtimes');
}

/** Whether this daemon starts the program of this runtime. */
export function startsItself({ command, acp, a2a }: Pick<RuntimeRow, 'command' | 'acp' | 'a2a'>): boolean {
  return command.length > 0 || acp.length > 0 || a2a !== '';
}

/** What was expected of a row; what could only be silent or unsafe is refused. */
function faultOf(row: RuntimeRow): string | undefined {
  const { name, command, acp, a2a, sandbox, credential, login, mode } = row;
  if (name === '') return 'name = a name';
  const kinds = [command.length > 0, acp.length > 0, a2a !== ''].filter(Boolean).length;
  if (kinds > 1) return 'command, acp or a2a, one of them';
  if (kinds === 0 && sandbox !== '') return 'no sandbox without command, acp or a2a: who starts it, holds it';
  if (command[0] === '') return 'command = a program first';
  if (acp[0] === '') return 'acp = a program first';
  if (acp.length > 0 && row.folder === '' && (sandbox === '' || sandbox === 'none'))
    return 'folder = where the agent works: without a sandbox it reads and writes there';
  if (acp.length === 0 && (login !== '' || mode !== '')) return 'no login and no mode without acp';
  if (a2a === '' && credential !== '') return 'no credential without a2a';
  if (a2a === '') return undefined;
  if (!URL.canParse(a2a)) return 'a2a = an http or https address';
  const { protocol, hostname } = new URL(a2a);
  return protocol === 'http:' && !isLoopbackHost(hostname)
    ? 'a2a = https: over http only this host is reached'
    : undefined;
}
