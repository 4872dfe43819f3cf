import { EdgeError, pause, type RunContext, type WorldFacts } from '../../../contract/index.ts';
import type { PlanStep } from '../../../contract/plan.ts';
import { isRefusalOfLog } from '../runs/log-refusals.ts';
import type { StepOutcome } from './plan-moves.ts';
import { allHold, factsOf, misses } from './predicates.ts';
import { StepWatch, type WatchParts } from './step-watch.ts';
import type { Subgoal } from './subgoals.ts';

export type StepEnd = {
  readonly outcome: StepOutcome;
  readonly reason: string;
  readonly facts: Readonly<Record<string, unknown>>;
  /** The run was paused during the step: what moved was stopped, and that is no fault of the step. */
  readonly paused: boolean;
};

/** Outcomes by which tools that move something say that they did not get there. */
const MISSED: ReadonlySet<string> = new Set([
  ...['no_path', 'stuck', 'timeout', 'preempted', 'stopped', 'starved'],
  ...['blocked', 'lost', 'interrupted', 'exhausted'],
]);
/** The world may need a moment until it shows what was done: looks, and milliseconds between them. */
const LOOKS_MAX = 5;
const LOOK_MS = 200;
/** A robot that cannot be asked may be back soon: its cell restarts within a second. */
const PATIENCE_LOOKS = 20;
const PATIENCE_MS = 500;
/** Turns of promises in which a run that is not paused says so. */
const TURNS = 12;

/**
 * One step: what it is to reach may be true already; else its subgoal is called through the gate, which judges, logs
 * and bounds it; then the world is asked whether it is reached. A tool that failed while the world says that all is as
 * wanted has succeeded. Throws only where the run itself is over, or is interrupted by a log that refuses its events.
 */
export async function runStep(
  context: RunContext,
  step: PlanStep,
  subgoal: Subgoal | undefined,
  watchParts: WatchParts,
): Promise<StepEnd> {
  const before = await readFacts(context);
  if (allHold(step.success, before)) return ended('already', 'it was true before', step, before);
  if (!subgoal) return ended('failed', `${step.subgoal} is no longer offered`, step, before);
  const watch = new StepWatch(step.deadline_ms, watchParts);
  let fault: string | undefined;
  let paused = false;
  try {
    fault = await called(context, step, subgoal, watch);
    paused = await wasPaused(context);
  } finally {
    watch.close();
  }
  if (context.signal.aborted) throw over(context);
  const after = await settledFacts(context, step);
  if (step.success.length === 0) {
    return fault === undefined
      ? ended('succeeded', 'done', step, after)
      : ended('failed', fault, step, after, paused);
  }
  if (allHold(step.success, after)) {
    return ended('succeeded', fault === undefined ? 'reached' : `reached, although: ${fault}`, step, after);
  }
  const missing = `not true: ${misses(step.success, after)}`;
  return ended('failed', fault === undefined ? missing : `${fault}; ${missing}`, step, after, paused);
}

/** Why the subgoal was not carried out; undefined when it was. */
async function called(
  context: RunContext,
  step: PlanStep,
  subgoal: Subgoal,
  watch: StepWatch,
): Promise<string | undefined> {
  const { tool, args } = callOf(step, subgoal, context);
  try {
    const { result } = await context.toolBox.call(tool, args, { signal: watch.signal });
    return watch.late || tookTooLong(result, step) ? late(step) : missedBy(result, step);
  } catch (thrown) {
    if (context.signal.aborted || isRefusalOfLog(thrown, context.runId)) throw thrown;
    if (watch.late) return late(step);
    const error = EdgeError.from(thrown, 'tool.failed', 'plan step', step.subgoal);
    return `${error.code}: ${error.message}`;
  }
}

/** The call behind a subgoal. Where a tool limits itself by the time of the robot it is given that of the step. */
function callOf(
  step: PlanStep,
  subgoal: Subgoal,
  { toolBox }: RunContext,
): { readonly tool: string; readonly args: Readonly<Record<string, unknown>> } {
  const { params, deadline_ms } = step;
  if (subgoal.by === 'intent') {
    const timeS = Math.min(86_400, Math.max(0.1, deadline_ms / 1_000));
    return { tool: 'run.delegate', args: { intent: step.subgoal, params, time_s: timeS } };
  }
  const input = toolBox.specs().find(({ name }) => name === step.subgoal)?.input as
    | { readonly properties?: Readonly<Record<string, { minimum?: number; maximum?: number }>> }
    | undefined;
  const limit = input?.properties?.['timeout_ms'];
  if (limit && !Object.hasOwn(params, 'timeout_ms')) {
    const ms = Math.min(limit.maximum ?? deadline_ms, Math.max(limit.minimum ?? 1, deadline_ms));
    return { tool: step.subgoal, args: { ...params, timeout_ms: ms } };
  }
  const named = input?.properties?.['plan_step'] && !Object.hasOwn(params, 'plan_step');
  return { tool: step.subgoal, args: named ? { ...params, plan_step: step.step_id } : params };
}

/** What a result says of itself; undefined: nothing against it. */
function missedBy(result: Readonly<Record<string, unknown>>, { params }: PlanStep): string | undefined {
  const { outcome, status, message, reason } = result;
  const why = [message, reason].find((one) => typeof one === 'string' && one !== '');
  const said = why === undefined ? '' : `: ${String(why).slice(0, 200)}`;
  if (typeof outcome === 'string' && MISSED.has(outcome)) return `${outcome}${said}`;
  // A policy that was to act until something is true, and it never was.
  if (outcome === 'time_over' && params['until'] !== undefined) return `time_over${said}`;
  if (typeof status === 'string' && ['failed', 'cancelled'].includes(status)) return `${status}${said}`;
  return undefined;
}

/** What the tool `robot.facts` says; nothing is known where it cannot be asked. */
export async function readFacts(context: RunContext): Promise<WorldFacts> {
  try {
    const { result } = await context.toolBox.call('robot.facts', {});
    return (result['facts'] ?? {}) as WorldFacts;
  } catch (thrown) {
    if (context.signal.aborted) throw thrown;
    return {};
  }
}

/** The same, with patience for a robot that is away for a moment. Throws `robot.unreachable` where it stays away. */
export async function knownFacts(context: RunContext): Promise<WorldFacts> {
  for (let looks = 1; ; looks++) {
    const facts = await readFacts(context);
    if (Object.keys(facts).length > 0) return facts;
    if (looks >= PATIENCE_LOOKS)
      throw new EdgeError('robot.unreachable', {
        operation: 'plan',
        subject: 'robot',
        message: 'nothing is known of the robot: it cannot be asked',
      });
    await pause(context.clock, PATIENCE_MS, context.signal);
    if (context.signal.aborted) throw over(context);
  }
}

/** Looks again for a moment where what is to be reached does not show yet. */
async function settledFacts(context: RunContext, step: PlanStep): Promise<WorldFacts> {
  let facts = await readFacts(context);
  for (let looks = 1; looks < LOOKS_MAX; looks++) {
    if (step.success.length === 0 || allHold(step.success, facts)) return facts;
    await pause(context.clock, LOOK_MS, context.signal);
    if (context.signal.aborted) throw over(context);
    facts = await readFacts(context);
  }
  return facts;
}

function ended(
  outcome: StepOutcome,
  reason: string,
  step: PlanStep,
  world: WorldFacts,
  paused = false,
): StepEnd {
  return { outcome, reason: reason.slice(0, 512), facts: factsOf(step.success, world), paused };
}

/** Motions report the robot time that they took: in a fast simulation it is over before it could be checked. */
function tookTooLong({ duration_ms: took }: Readonly<Record<string, unknown>>, step: PlanStep): boolean {
  return typeof took === 'number' && took > step.deadline_ms;
}

/** Waits until the run continues, and says whether it stood. */
async function wasPaused(context: RunContext): Promise<boolean> {
  let open = false;
  const opened = context.unpaused().then(() => {
    open = true;
  });
  for (let turn = 0; turn < TURNS && !open; turn++) await Promise.resolve();
  const stood = !open;
  await opened;
  return stood;
}

function late({ deadline_ms }: PlanStep): string {
  return `deadline.exceeded: not done within ${deadline_ms} ms of robot time`;
}

function over({ runId }: RunContext): EdgeError {
  return new EdgeError('run.cancelled', { operation: 'plan', subject: runId });
}
