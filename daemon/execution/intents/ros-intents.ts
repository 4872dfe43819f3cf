import {
  type Clock,
  EdgeError,
  type GoalResult,
  isFinished,
  type MessageValue,
  type NewEvent,
  type PolicyContext,
  parseJson,
  type RosApi,
  type RunBrief,
  type ServedGoal,
  type Timer,
  toWireTime,
} from '../../../contract/core.ts';
import { type IntentDoor, isUnanswered } from './intent-door.ts';
import type { RunFollower } from './run-follower.ts';

export const RUN_INTENT = 'auraison_interfaces/action/RunIntent';

export type RosIntentsParts = {
  readonly api: Pick<RosApi, 'actions' | 'graph'>;
  readonly door: IntentDoor;
  readonly follower: RunFollower;
  readonly clock: Clock;
  /** Full name of the action. */
  readonly action: string;
  readonly context: PolicyContext;
  readonly clientGone: 'continue' | 'cancel';
  emit(events: readonly NewEvent[]): Promise<void>;
  report(level: 'info' | 'warn', message: string, facts?: Readonly<Record<string, unknown>>): void;
};

/** An intent has to be durable by then, milliseconds; else its goal is aborted, and the run cancelled if there is one. */
const SUBMIT_MS = 5_000;
/** The action had no client for so long: its nodes are gone, milliseconds. */
const GONE_MS = 3_000;
/** What both middlewares say as the reason where it was the client that asked. */
const BY_CLIENT = 'canceled by its client';
const TEXT_MAX = 64 * 1024;

type Served = { readonly cancel: (reason: string) => void };

/** The ROS 2 action by which nodes ask this robot for something: a goal is a run, from its opening to its end. */
export class RosIntents {
  readonly #parts: RosIntentsParts;
  readonly #goals = new Set<Served>();
  #server: { close(): Promise<void> } | undefined;
  #watch: { cancel(): void } | undefined;
  #gone: Timer | undefined;
  /** A client of the action was in the graph while goals ran. */
  #seen = false;
  #closed = false;

  constructor(parts: RosIntentsParts) {
    this.#parts = parts;
  }

  /** Rejects with `sample.unknown_type` where the interface package is not installed, or with `ros.*`. */
  async start(): Promise<void> {
    const { api, action, clientGone } = this.#parts;
    this.#server = await api.actions.serve(action, RUN_INTENT, {
      accept: () => this.#accept(),
      execute: (goal) => this.#execute(goal),
    });
    if (clientGone === 'cancel') {
      this.#watch = api.graph.watch(({ topics }) => {
        const feedback = topics.find(({ topic }) => topic === `${action}/_action/feedback`);
        this.#clients(feedback?.subscribers.length ?? 0);
      });
    }
  }

  /** The runs continue: a client that wants them ended says so. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#watch?.cancel();
    this.#gone?.cancel();
    await this.#server?.close();
  }

  /** ROS has no words for why a goal is rejected: they are in the log of this daemon. */
  #accept(): boolean {
    const { door, action, emit, report } = this.#parts;
    if (door.isOpen) return true;
    const error = new EdgeError('cell.unavailable', {
      operation: 'accept goal',
      subject: action,
      message: 'the goal is rejected: the runtime cell of this daemon is not running',
      hint: 'send it again in a moment; `auraison status` shows what is wrong',
    });
    report('warn', error.message, { action });
    emit([{ kind: 'command.refused', payload: { error: error.toBody(), source: 'ros/run_intent' } }]).catch(
      (thrown: unknown) => report('warn', 'an event was not written', { error: String(thrown) }),
    );
    return false;
  }

  async #execute(served: ServedGoal): Promise<GoalResult> {
    const { door, context } = this.#parts;
    let request: Record<string, unknown>;
    let run: RunBrief;
    try {
      request = requestOf(served.goal, served.goalId);
    } catch (thrown) {
      return refused(EdgeError.from(thrown, 'schema.invalid', 'read goal', this.#parts.action));
    }
    try {
      run = await door.submit(request, context, SUBMIT_MS);
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'submit', this.#parts.action);
      if (isUnanswered(error)) {
        const { tenant, principal } = context;
        const key = { tenant, principal, idempotency_key: String(request['idempotency_key']) };
        void door.disown(key, 'its ROS goal was aborted before the runtime answered');
      }
      return refused(error);
    }
    return this.#follow(served, run);
  }

  /** Settles when the run has ended. */
  #follow(served: ServedGoal, opened: RunBrief): Promise<GoalResult> {
    const { door, follower, context, clock, clientGone, report } = this.#parts;
    const { run_id: runId } = opened;
    return new Promise((resolve) => {
      let last: RunBrief = opened;
      let asked = false;
      const cancel = (reason: string): void => {
        if (this.#closed) return;
        asked = true;
        door.cancel({ runId, reason, of: context }).then(see, (thrown: unknown) => {
          const { code, message } = EdgeError.from(thrown, 'internal.fault', 'cancel', runId);
          if (isFinished(last.status)) return;
          report('warn', `run ${runId} is not cancelled yet: ${message}`, { code });
          // The runtime comes back, or the run continues although its end was requested: asked until it ends.
          if (code !== 'run.not_found' && code !== 'policy.denied') clock.after(1_000, () => cancel(reason));
        });
      };
      const goal: Served = { cancel };
      const see = (run: RunBrief): void => {
        last = run;
        const { status, phase = '', reason } = run;
        served.feedback({ run_id: runId, status, phase, reason });
        if (!isFinished(status)) return;
        watching.cancel();
        this.#goals.delete(goal);
        served.canceled.removeEventListener('abort', onCanceled);
        resolve(resultOf(run, asked && byClient(served)));
      };
      const onCanceled = (): void => {
        // A ROS host that died took the goal with it; the client is notified, and the run is not affected.
        if (byClient(served) || clientGone === 'cancel') cancel('the client canceled its ROS goal');
      };
      this.#goals.add(goal);
      const watching = follower.watch(runId, see, () =>
        see({
          ...last,
          status: 'failed',
          reason: 'the runtime no longer knows this run: its event log was lost',
        }),
      );
      if (served.canceled.aborted) onCanceled();
      else served.canceled.addEventListener('abort', onCanceled, { once: true });
    });
  }

  #clients(count: number): void {
    if (count > 0) this.#seen = true;
    if (count > 0 || this.#goals.size === 0) {
      this.#gone?.cancel();
      this.#gone = undefined;
      if (this.#goals.size === 0 && count === 0) this.#seen = false;
      return;
    }
    if (!this.#seen || this.#gone) return;
    this.#gone = this.#parts.clock.after(GONE_MS, () => {
      this.#gone = undefined;
      for (const goal of this.#goals) goal.cancel('its ROS client left the graph');
    });
  }
}

function byClient({ canceled }: ServedGoal): boolean {
  return canceled.aborted && String(canceled.reason).includes(BY_CLIENT);
}

/** Throws `schema.invalid`. What is asked is checked by the runtime; here only what ROS had to put into text. */
function requestOf(goal: MessageValue, goalId: string): Record<string, unknown> {
  const text = (field: string) => {
    const value = goal[field];
    if (typeof value === 'string' && value.length <= TEXT_MAX) return value;
    throw invalid(`/${field}: text of at most ${TEXT_MAX} characters expected`);
  };
  const paramsText = text('params_json').trim();
  let params: unknown = {};
  try {
    if (paramsText !== '') params = parseJson(paramsText);
  } catch (error) {
    throw invalid(`/params_json: not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { sec, nanosec } = goal['deadline'] as { sec: number; nanosec: number };
  const traceparent = text('traceparent');
  return {
    type: text('type'),
    params,
    priority: Number(goal['priority']),
    // A goal has an id of its own: put twice, because an answer was lost, it still opens one run.
    idempotency_key: text('idempotency_key') || `goal/${goalId}`,
    ...(sec === 0 && nanosec === 0
      ? {}
      : { deadline: toWireTime(BigInt(sec) * 1_000_000_000n + BigInt(nanosec)) }),
    ...(traceparent === '' ? {} : { traceparent }),
  };
}

function invalid(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'check', subject: 'goal', message });
}

function refused({ code, message, hint }: EdgeError): GoalResult {
  const reason = hint === '' ? message : `${message} (${hint})`;
  const none = { run_id: '', score: Number.NaN, summary_json: '{}' };
  return { status: 'aborted', result: { ...none, status: 'refused', reason, error_code: code } };
}

function resultOf(run: RunBrief, canceled: boolean): GoalResult {
  const { run_id, status, reason, score = Number.NaN, summary = {}, error } = run;
  const ended = status === 'succeeded' ? 'succeeded' : canceled ? 'canceled' : 'aborted';
  const summary_json = JSON.stringify(summary);
  const result = { run_id, status, reason, error_code: error?.code ?? '', score, summary_json };
  return { status: ended, result };
}
