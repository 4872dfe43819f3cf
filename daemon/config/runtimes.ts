import { RUNTIME_LIMITS } from '../../contract/core.ts';
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
    const { name, command, sandbox } = result.value;
    if (name === '') return { ok: false, expected: 'name = a name' };
    if (command.length === 0 && sandbox !== '')
      return { ok: false, expected: `no sandbox without command (${name}): who starts it, holds it` };
    return command[0] === '' ? { ok: false, expected: `command = a program first (${name})` } : result;
  });
  return namedOnce(spec, RUNTIME_LIMITS.RUNTIMES_MAX, 'runtimes');
}
