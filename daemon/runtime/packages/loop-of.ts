import { type AppManifest, paramsFault } from '../../../contract/apps/index.ts';
import { type AppFault, durationMs, type LoopCheck, type LoopDefinition } from '../../../contract/index.ts';
import { matches } from '../gate/tool-names.ts';
import { referencesIn } from './references.ts';

type Loop = NonNullable<AppManifest['loop']>;
type Row = Loop['check'][number];

const THRESHOLD = 1;
const ROUNDS = 3;
/** Of a check that sets none, milliseconds: a person may have to approve, a model may be slow. */
const DEADLINE_MS = 300_000;
const KINDS = ['schema', 'tool', 'judge', 'policy'] as const;

/** The outer loop of a manifest without faults. */
export function loopOf({
  threshold = THRESHOLD,
  rounds = ROUNDS,
  otherwise = 'fail',
  check,
}: Loop): LoopDefinition {
  return { threshold, roundsMax: rounds, otherwise, checks: check.map(checkOf) };
}

function checkOf(row: Row): LoopCheck {
  const { name, weight = 1, deadline, schema, at, tool, args = {}, judge, prefer = [] } = row;
  const base = { name, weight, deadlineMs: deadline === undefined ? DEADLINE_MS : durationMs(deadline) };
  if (schema) return { ...base, kind: 'schema', schema, at: at?.split('/').slice(1) ?? [] };
  if (tool !== undefined) return { ...base, kind: 'tool', tool, args };
  if (judge !== undefined) return { ...base, kind: 'judge', criteria: judge, prefer };
  return { ...base, kind: 'policy' };
}

/** What only the whole shows. */
export function loopFaults({ loop, tools = [] }: AppManifest): readonly AppFault[] {
  return (loop?.check ?? []).flatMap((row, index) => {
    const fault = (key: string, problem: string): AppFault => ({
      file: 'app.toml',
      key: `loop.check[${index + 1}]${key === '' ? '' : `.${key}`}`,
      problem,
    });
    const found: AppFault[] = [];
    const kinds = KINDS.filter((kind) => row[kind] !== undefined);
    if (kinds.length !== 1)
      found.push(
        fault('', `has ${kinds.join(' and ') || 'nothing to check'}; a check has one of ${KINDS.join(', ')}`),
      );
    if (loop!.check.findIndex(({ name }) => name === row.name) !== index)
      found.push(fault('name', `"${row.name}" is there twice`));
    // At the depth of a property: what is checked may be of any type.
    const wrong = row.schema && paramsFault(row.schema, '', 1);
    if (wrong) found.push(fault('schema', wrong));
    if (row.tool !== undefined && !tools.some((pattern) => matches(pattern, row.tool!)))
      found.push(fault('tool', `"${row.tool}" is not among tools: ${tools.join(', ') || 'none'}`));
    if (row.deadline !== undefined && durationMs(row.deadline) <= 0)
      found.push(fault('deadline', 'is longer than nothing'));
    if (row.at !== undefined && !row.schema) found.push(fault('at', 'does nothing without schema'));
    if (row.args && row.tool === undefined) found.push(fault('args', 'does nothing without tool'));
    if (row.prefer && row.judge === undefined) found.push(fault('prefer', 'does nothing without judge'));
    for (const [root] of referencesIn(row.args))
      if (root !== 'result' && root !== 'params')
        found.push(fault('args', `{/${root}} leads nowhere; references start with /result or /params`));
    return found;
  });
}
