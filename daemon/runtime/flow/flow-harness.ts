import {
  EdgeError,
  type FlowDefinition,
  type FlowEnd,
  type FlowState,
  type FlowStep,
  type Harness,
  isTakenOver,
  LIMITS,
  type Nanoseconds,
  pause,
  type RunContext,
  type RunOutcome,
  toWireTime,
  withDeadline,
} from '../../../contract/index.ts';
import { withRunningDeadline } from '../gate/running-deadline.ts';
import { isRefusalOfLog } from '../runs/log-refusals.ts';
import { BoundRobot } from './bound-robot.ts';
import { BoundTools } from './bound-tools.ts';
import { checkFlow, FLOW_DEADLINE, FLOW_ERROR, isEnd } from './flow-check.ts';
import { chooseMove, type FlowPosition, mergeFacts } from './flow-core.ts';

type Entry = FlowPosition & {
  readonly previous: string | undefined;
  readonly reason: string;
  readonly robotTime: Nanoseconds | undefined;
};

/** A state that does not end is left behind this long after its deadline: its motions settle first. */
const STATE_GRACE_MS = LIMITS.MOTION_CANCEL_MS + LIMITS.RUN_SETTLE_MS;

/**
 * Runs a flow definition. Each state that is entered is durable in the log (`run.phase`) with all that the
 * flow knows, before it acts; after a cut the last one is entered again, and not announced twice.
 */
export class FlowHarness implements Harness {
  readonly kind = 'flow';
  readonly #flow: FlowDefinition;

  /** Throws `config.invalid` naming every fault of the definition. */
  constructor(flow: FlowDefinition) {
    checkFlow(flow);
    this.#flow = flow;
  }

  async execute(context: RunContext): Promise<RunOutcome> {
    const flow = this.#flow;
    const { params } = context.intent;
    let position = await this.#begin(context);
    for (let steps = 0; steps < flow.stepsMax; steps++) {
      const state = flow.states[position.state]!;
      if (isEnd(state)) return conclude(state, position, params);
      const step = await this.#enter(context, position, state);
      if (context.signal.aborted) return { status: 'cancelled', reason: 'aborted', summary: {} };
      const facts = mergeFacts(flow, position.facts, step.facts);
      const { to, guard } = chooseMove(flow, { state: position.state, facts }, step.event, params);
      const reason =
        guard === undefined ? `${step.event}: ${step.reason}` : `${step.event} (${guard}): ${step.reason}`;
      const entry = { state: to, facts, previous: position.state, reason, robotTime: step.robotTime };
      await this.#announce(context, entry);
      position = entry;
    }
    return {
      status: 'failed',
      reason: `no end after ${flow.stepsMax} states: it goes in circles`,
      summary: {},
    };
  }

  async #begin(context: RunContext): Promise<FlowPosition> {
    const flow = this.#flow;
    const { branch } = context;
    if (!context.resume && branch) {
      const entry = {
        state: branch.start,
        facts: mergeFacts(flow, {}, branch.facts as FlowPosition['facts']),
      };
      const more = { previous: undefined, reason: 'begin', robotTime: undefined };
      await this.#announce(context, { ...entry, ...more });
      return entry;
    }
    if (!context.resume) {
      const { round } = context;
      const loop = round && { loop: { round: round.number, findings: [...round.findings] } };
      const facts = mergeFacts(flow, flow.begin(context.intent.params, context.intent.type), loop);
      const entry = { state: flow.start, facts, previous: undefined, reason: 'begin', robotTime: undefined };
      await this.#announce(context, entry);
      return entry;
    }
    const { phase, facts } = context.resume;
    if (Object.hasOwn(flow.states, phase))
      return { state: phase, facts: mergeFacts(flow, {}, facts as FlowPosition['facts']) };
    throw new EdgeError('run.interrupted', {
      operation: 'resume',
      subject: flow.name,
      message: `it stopped in state "${phase}", which this version of the flow does not have`,
      retryable: false,
    });
  }

  async #announce(context: RunContext, entry: Entry): Promise<void> {
    const previous = entry.previous === undefined ? {} : { previous: entry.previous };
    const time = entry.robotTime === undefined ? {} : { robot_time_ns: toWireTime(entry.robotTime) };
    await context.emit([
      {
        kind: 'run.phase',
        run_id: context.runId,
        payload: {
          phase: entry.state,
          ...previous,
          reason: entry.reason.slice(0, 512),
          facts: { ...entry.facts },
          ...time,
        },
      },
    ]);
  }

  /**
   * One state with its retries; each retry is entered, and announced, again. A state whose motion was taken over is
   * entered again when the run continues, as after an interruption; that is no failure of it.
   */
  async #enter(context: RunContext, position: FlowPosition, state: FlowState): Promise<FlowStep> {
    const { times, delayMs, delayMsMax } = state.retry ?? { times: 0, delayMs: 0, delayMsMax: 0 };
    for (let failures = 0; ; failures++) {
      const step = await this.#once(context, position, state);
      const { fault, takenOver } = step;
      if (takenOver !== undefined && !context.signal.aborted) {
        failures--;
        await context.unpaused().catch(() => {});
        if (context.signal.aborted) return step;
        await this.#announce(context, {
          ...position,
          previous: position.state,
          reason: `again: ${takenOver}`,
          robotTime: undefined,
        });
        continue;
      }
      if (!fault || context.signal.aborted) return step;
      if (step.event === FLOW_ERROR && fault.retryable && failures < times) {
        await pause(context.clock, Math.min(delayMs * 2 ** failures, delayMsMax), context.signal);
        if (context.signal.aborted) return step;
        const reason = `retry ${failures + 1} of ${times}: ${fault.message}`;
        await this.#announce(context, {
          ...position,
          previous: position.state,
          reason,
          robotTime: undefined,
        });
        continue;
      }
      // The way for errors is for those of the world: a disk that hiccups must not lead a mission to its end.
      if (!Object.hasOwn(state.on, step.event) || isRefusalOfLog(fault, context.runId)) throw fault;
      return step;
    }
  }

  /** Enters a state once. What it throws and its deadline become events. */
  async #once(
    context: RunContext,
    position: FlowPosition,
    state: FlowState,
  ): Promise<FlowStep & { readonly fault?: EdgeError; readonly takenOver?: string }> {
    const over = new AbortController();
    let taken: { readonly takenOver?: string } = {};
    const note = ({ message, reason }: { readonly message?: unknown; readonly reason?: unknown }) => {
      const takenOver = [message, reason].find(isTakenOver);
      if (takenOver !== undefined) taken = { takenOver };
    };
    const signal = AbortSignal.any([context.signal, over.signal]);
    const scope = {
      facts: position.facts,
      params: context.intent.params,
      intent: context.intent,
      robot: new BoundRobot(context.robot, signal, undefined, note),
      tools: new BoundTools(context.tools, signal, note),
      clock: context.clock,
      model: context.model,
      signal,
    };
    const work = Promise.resolve().then(() => state.enter(scope));
    const name = `${this.#flow.name}.${position.state}`;
    try {
      return { ...(await withRunningDeadline(context, state.deadlineMs, work, 'state', name)), ...taken };
    } catch (thrown) {
      const fault = EdgeError.from(thrown, 'internal.fault', 'state', name);
      const late =
        fault.operation === 'state' && fault.subject === name && fault.code === 'deadline.exceeded';
      over.abort(fault);
      if (late) await this.#letGo(context, work, name);
      return { event: late ? FLOW_DEADLINE : FLOW_ERROR, reason: fault.message, fault, ...taken };
    }
  }

  /** After its deadline a state may settle its motions; the robot is stopped when it does not. */
  async #letGo(context: RunContext, work: Promise<unknown>, name: string): Promise<void> {
    const settled = work.catch(() => undefined);
    try {
      await withDeadline(context.clock, STATE_GRACE_MS, settled, 'state', name);
    } catch {
      await withDeadline(
        context.clock,
        LIMITS.ROBOT_STOP_MS,
        context.robot.stop(`state ${name} does not end`),
        'robot.stop',
        'robot',
      ).catch(() => undefined);
    }
  }
}

function conclude(
  state: FlowEnd,
  position: FlowPosition,
  params: Readonly<Record<string, unknown>>,
): RunOutcome {
  const { reason, score, summary } = state.conclude(position.facts, params);
  return { status: state.end, reason, ...(score === undefined ? {} : { score }), summary };
}
