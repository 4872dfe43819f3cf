import type { AgentEvent } from '../../../contract/index.ts';

export const STEP_STATES = ['pending', 'active', 'done', 'failed', 'dropped'] as const;
export type StepState = (typeof STEP_STATES)[number];

/** What has to be true of the robot for a step to count as done. */
export type Success =
  | { readonly signal: string; readonly is: boolean | number }
  | { readonly x: number; readonly y: number; readonly within_m: number };

export type PlanStep = {
  readonly id: string;
  readonly subgoal: string;
  readonly state: StepState;
  /** Wall time by which it should be done, nanoseconds; undefined: none. */
  readonly dueNs: bigint | undefined;
  readonly success: Success | undefined;
  /** Whether the world agreed when it was said to be done; undefined: it was not asked. */
  readonly verified: boolean | undefined;
};

/** Steps of one run; what is beyond is a plan that is not followed. */
export const STEPS_MAX = 64;

/**
 * The plan of a run as its log has it: each `plan.step` that returned well, in order. A step keeps its place and
 * what a later call does not say again.
 */
export function foldPlan(events: Iterable<AgentEvent>): readonly PlanStep[] {
  const steps = new Map<string, PlanStep>();
  const open = new Map<string, Readonly<Record<string, unknown>>>();
  for (const event of events) {
    if (event.kind === 'tool.called' && event.payload.tool === 'plan.step')
      open.set(event.payload.call_id, event.payload.args);
    if (event.kind !== 'tool.returned' || event.payload.tool !== 'plan.step') continue;
    const args = open.get(event.payload.call_id);
    open.delete(event.payload.call_id);
    const step = event.payload.result?.['step'];
    if (!event.payload.ok || !args || typeof step !== 'object' || step === null) continue;
    const told = step as { id: string; due_ns?: string; verified?: boolean };
    steps.set(told.id, merged(steps.get(told.id), args, told.due_ns, told.verified));
  }
  return [...steps.values()];
}

/** A step after one more call. `dueNs` is that of the call, where it set one. */
export function merged(
  before: PlanStep | undefined,
  args: Readonly<Record<string, unknown>>,
  dueNs: string | undefined,
  verified: boolean | undefined,
): PlanStep {
  return {
    id: String(args['id']),
    subgoal: (args['subgoal'] as string | undefined) ?? before?.subgoal ?? '',
    state: (args['status'] as StepState | undefined) ?? before?.state ?? 'pending',
    dueNs: dueNs === undefined ? before?.dueNs : BigInt(dueNs),
    success: (args['success'] as Success | undefined) ?? before?.success,
    verified,
  };
}
