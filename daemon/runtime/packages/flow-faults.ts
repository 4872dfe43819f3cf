import type { FlowFile, FlowFileStep } from '../../../contract/apps/index.ts';
import { matches } from '../gate/tool-names.ts';
import {
  endOfBranch,
  endsOpen,
  KINDS,
  listsOf,
  type StepList,
  targetsOf,
  testsOf,
  toolOf,
  waysOf,
} from './flow-lists.ts';
import { referencesIn } from './references.ts';

export type FlowFault = { readonly path: readonly string[]; readonly problem: string };

export type FaultParts = {
  /** Patterns of tools that the package may use. */
  readonly tools: readonly string[];
  /** Names of parameters; a reference to another is a fault. */
  readonly params: ReadonlySet<string>;
  /** The flow stands beside an agent and carries on for it. */
  readonly isFallback?: boolean;
};

/** What is wrong with a flow.yaml that fits its schema; empty: nothing. Pure. */
export function stepFaults(file: FlowFile, parts: FaultParts): FlowFault[] {
  const lists = listsOf(file);
  const ids = lists.flatMap(({ steps }) => steps.map(({ id }) => id));
  const made = new Map([
    ...lists.flatMap(({ steps }) =>
      steps.flatMap((step): [string, string][] =>
        step.wait === undefined ? [] : [[`${step.id}_until`, 'the second half of a wait']],
      ),
    ),
    ...lists.flatMap(({ branch }): [string, string][] =>
      branch ? [[endOfBranch(branch), `the end of the part ${branch.name}`]] : [],
    ),
  ]);
  const seen = new Set<string>();
  return lists.flatMap((list) =>
    list.steps.flatMap((step, index) => {
      const found: FlowFault[] = [];
      const fault = (key: string, problem: string) =>
        found.push({ path: [...list.path, `${index}`, ...(key === '' ? [] : [key])], problem });
      if (seen.has(step.id)) fault('id', `"${step.id}" is there twice; ids are unique in the whole file`);
      seen.add(step.id);
      const engine = made.get(step.id);
      if (engine !== undefined)
        fault('id', `"${step.id}" is what the engine calls ${engine}; rename this step`);
      whatFaults(step, parts, fault);
      wayFaults(step, index, list, ids, fault);
      referenceFaults(step, list, lists, parts, fault);
      return found;
    }),
  );
}

type Fault = (key: string, problem: string) => void;

function whatFaults(step: FlowFileStep, { tools, isFallback }: FaultParts, fault: Fault): void {
  const kinds = KINDS.filter((kind) => step[kind] !== undefined);
  if (kinds.length !== 1)
    fault(
      'id',
      `"${step.id}" has ${kinds.join(' and ') || 'nothing to do'}; a step has one of ${KINDS.join(', ')}`,
    );
  const tool = toolOf(step);
  // Parts that run at the same time are a way of writing, no right.
  if (tool !== undefined && !step.parallel && !tools.some((pattern) => matches(pattern, tool)))
    fault(kinds[0]!, `"${tool}" is not among tools of app.toml: ${tools.join(', ') || 'none'}`);
  if (step.parallel && isFallback)
    fault('parallel', 'a flow beside an agent has no parallel parts; harness = "flow" has');
  for (const key of misplaced(step)) fault(key, `does nothing in a step with ${kinds[0] ?? 'nothing to do'}`);
  if (step.repeat !== undefined && step.times === undefined) fault('repeat', 'needs times');
  if (typeof step.times === 'string' && referencesIn(step.times).length !== 1)
    fault('times', 'a number, or {/params/NAME}');
}

function wayFaults(
  step: FlowFileStep,
  index: number,
  { steps, branch }: StepList,
  all: readonly string[],
  fault: Fault,
): void {
  const ids = steps.map(({ id }) => id);
  if (step.repeat !== undefined && ids.indexOf(step.repeat) > index)
    fault('repeat', `"${step.repeat}" comes later; repeat leads back`);
  for (const [key, to] of targetsOf(step)) {
    if (ids.includes(to)) continue;
    const where = branch ? `the part ${branch.name}` : 'the steps outside of parallel parts';
    const problem = all.includes(to)
      ? `"${to}" is not among ${where}: no way leads into a parallel part or out of one`
      : `"${to}" is no step: ${ids.join(', ')}`;
    fault(key, problem);
  }
  const isLast = index === steps.length - 1;
  if (isLast && !branch && step.end === undefined && typeof step.next !== 'string' && !endsOpen(step))
    fault('id', 'the last step has end or next: nothing comes after it');
  waysOf(step).forEach((way, at) => {
    const tests = testsOf(way);
    if (tests > 0 && way.value === undefined) fault('next', `way ${at + 1} tests nothing: value is missing`);
    if (way.value !== undefined && tests !== 1)
      fault('next', `way ${at + 1} has one of is, is_not, above, below`);
    if (way.value !== undefined && !/^\{\/[^{}\s]+\}$/.test(way.value))
      fault('next', `way ${at + 1}: value is one reference, such as {/steps/ID/outcome}`);
  });
}

function referenceFaults(
  { parallel: _, ...step }: FlowFileStep,
  list: StepList,
  lists: readonly StepList[],
  { params }: FaultParts,
  fault: Fault,
): void {
  for (const [root, name] of referencesIn(step)) {
    if (root === 'params' && name !== undefined && params.has(name)) continue;
    if (root === 'error' && ['step', 'code', 'message'].includes(name ?? '')) continue;
    if (root === 'intent' && name === 'type') continue;
    if (root === 'loop' && ['round', 'findings'].includes(name ?? '')) continue;
    const owner = lists.find(({ steps }) =>
      steps.some((one) => one.id === name && toolOf(one) !== undefined),
    );
    const isBeside = owner?.branch && list.branch && owner.branch.name !== list.branch.name;
    if (root === 'steps' && owner && !(isBeside && owner.branch!.of === list.branch!.of)) continue;
    const problem =
      root === 'params'
        ? `{/params/${name ?? ''}} is no parameter of an intent: ${[...params].join(', ') || 'it has no parameters'}`
        : root !== 'steps'
          ? `{/${root}} leads nowhere; references start with /params, /steps, /intent/type, /error or /loop`
          : owner
            ? `{/steps/${name}} belongs to a part that runs at the same time; its result is known after both`
            : `{/steps/${name ?? ''}} is no step with a result`;
    fault('', problem);
  }
}

/** Keys that have no meaning beside what the step does. */
function misplaced(step: FlowFileStep): readonly string[] {
  const { tool, ask, approve, run, parallel, repeat, end } = step;
  const isAbout = {
    args: tool !== undefined,
    ...{ params: run !== undefined, turns: run !== undefined, tokens: run !== undefined },
    ...{ choices: ask !== undefined, otherwise: ask !== undefined },
    on_denied: approve !== undefined,
    until: parallel !== undefined,
    times: repeat !== undefined,
    reason: end !== undefined,
    ...{ deadline: toolOf(step) !== undefined, on_error: toolOf(step) !== undefined },
    // What has run in parts is done again by repeat, where the flow says so.
    retries: tool !== undefined || ask !== undefined || run !== undefined,
    next: end === undefined,
  };
  return Object.entries(isAbout).flatMap(([key, fits]) =>
    !fits && step[key as keyof FlowFileStep] !== undefined ? key : [],
  );
}
