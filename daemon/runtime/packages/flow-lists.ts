import type { FlowFile, FlowFileStep, FlowFileWay } from '../../../contract/apps/index.ts';
import { PARALLEL_TOOL } from '../flow/flow-check.ts';

/** Steps that follow each other: those of the file, or those of one part that runs beside others. */
export type StepList = {
  readonly steps: readonly FlowFileStep[];
  /** Where it stands in the file. */
  readonly path: readonly string[];
  /** The step whose part it is, and the name of that part. */
  readonly branch?: { readonly of: string; readonly name: string };
};

export const ASK = 'person.ask';
export const DELEGATE = 'run.delegate';
export const KINDS = [
  ...(['tool', 'wait', 'ask', 'approve', 'run', 'parallel', 'repeat', 'branch', 'end'] as const),
];
/** Answers of a person to what has to be approved. */
export const APPROVE = 'approve';
export const DENY = 'deny';

/** The list of the file first, then one for each part of its steps. */
export function listsOf({ steps }: FlowFile): readonly StepList[] {
  const branches = steps.flatMap(({ id, parallel = {} }, index) =>
    Object.entries(parallel).map(([name, own]) => ({
      steps: own,
      path: ['steps', `${index}`, 'parallel', name],
      branch: { of: id, name },
    })),
  );
  return [{ steps, path: ['steps'] }, ...branches];
}

/** The end of a part that has no end of its own. */
export function endOfBranch({ of, name }: NonNullable<StepList['branch']>): string {
  return `${of}_${name}_end`;
}

/** The tool that a step calls; undefined: none. */
export function toolOf({ tool, ask, approve, run, parallel }: FlowFileStep): string | undefined {
  if (ask !== undefined || approve !== undefined) return ASK;
  if (run !== undefined) return DELEGATE;
  return parallel ? PARALLEL_TOOL : tool;
}

export function waysOf({ next }: FlowFileStep): readonly FlowFileWay[] {
  return Array.isArray(next) ? next : [];
}

export function testsOf({ is, is_not, above, below }: FlowFileWay): number {
  return [is, is_not, above, below].filter((one) => one !== undefined).length;
}

/** Its ways leave nothing out. */
export function endsOpen(step: FlowFileStep): boolean {
  const last = waysOf(step).at(-1);
  return last !== undefined && testsOf(last) === 0;
}

export function targetsOf(step: FlowFileStep): readonly (readonly [string, string])[] {
  return [
    ...(typeof step.next === 'string' ? [['next', step.next] as const] : []),
    ...waysOf(step).map(({ to }) => ['next', to] as const),
    ...(step.on_error === undefined ? [] : [['on_error', step.on_error] as const]),
    ...(step.on_denied === undefined ? [] : [['on_denied', step.on_denied] as const]),
    ...(step.repeat === undefined ? [] : [['repeat', step.repeat] as const]),
  ];
}
