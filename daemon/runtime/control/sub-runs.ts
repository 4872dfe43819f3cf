import {
  type Application,
  type Clock,
  EdgeError,
  fromWireTime,
  type Intent,
  isFinished,
  LIMITS,
  type PolicyContext,
  type RunState,
  type Submitted,
  toWireTime,
} from '../../../contract/index.ts';
import { leftOf, within } from '../runs/run-budget.ts';
import { deadlineOf } from '../runs/run-deadline.ts';
import type { Opening } from '../runs/run-opening.ts';
import type { RunStore } from '../runs/run-store.ts';
import type { RunView } from '../runs/run-view.ts';
import { currentCall } from '../trace/trace-scope.ts';

/** A request of a run for another run. The child gets at most what is left of the parent's budget. */
export type ChildRequest = {
  readonly intent: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly priority?: number;
  readonly turns?: number;
  readonly tokens?: number;
  readonly timeS?: number;
};

export type ChildEnd = {
  readonly run_id: string;
  readonly status: RunState['status'];
  readonly reason: string;
  readonly score?: number;
  readonly summary?: Readonly<Record<string, unknown>>;
  readonly error?: string;
};

export type SubRunParts = {
  readonly store: RunStore;
  readonly clock: Clock;
  /** The application of a run, in the version of that run. */
  readonly appOf: (view: RunView) => Application | undefined;
  /** Whether this run is running and not about to end. */
  readonly goesOn: (runId: string) => boolean;
  readonly submit: (request: unknown, context: PolicyContext, opening: Opening) => Promise<Submitted>;
  readonly cancel: (runId: string, reason: string) => Promise<void>;
};

/** A larger summary is not sent to the parent. It is in the log of the child. */
const SUMMARY_BYTES_MAX = 16 * 1024;

/**
 * Runs that other runs ask for. A child acts for the principal of its parent, with the origin `run`. It is never more
 * urgent than its parent, never gets more than its parent has left, and never outlives it. A request with the same call
 * id gets the same child.
 */
export class SubRuns {
  readonly #parts: SubRunParts;

  constructor(parts: SubRunParts) {
    this.#parts = parts;
  }

  /**
   * `run.limit` beyond depth or width, `run.budget` where nothing is left, `run.cancelled` where the parent ends, and
   * those of an intent.
   */
  async spawn(parentId: string, callId: string, ask: ChildRequest): Promise<RunView> {
    const { store } = this.#parts;
    const key = `call:${callId}`;
    const known = () => store.children(parentId).find(({ intent }) => intent.idempotency_key === key);
    const before = known();
    if (before) return before;
    const parent = this.#parent(parentId);
    this.#refuseBeyond(parent);
    const { budget, deadline } = this.#grant(parent, ask);
    const { policy_ctx, priority, traceparent } = parent.intent;
    const request = {
      type: ask.intent,
      params: ask.params,
      priority: Math.min(ask.priority ?? priority, priority),
      deadline,
      idempotency_key: key,
      ...(traceparent === undefined ? {} : { traceparent }),
    };
    const context: PolicyContext = { ...policy_ctx, origin: 'run' };
    // Since its call was made: the policies took their time with that too.
    const wantedAtMs = currentCall()?.wantedAtMs;
    const { run } = await this.#parts.submit(request, context, {
      ...{ parent: parentId, budget },
      ...(wantedAtMs === undefined ? {} : { wantedAtMs }),
    });
    return store.get(run.run_id)!;
  }

  /**
   * Settles when all of them are over or the signal aborts, with what they are then. Only children of this run:
   * `run.not_found`.
   */
  async wait(parentId: string, runIds: readonly string[], signal: AbortSignal): Promise<readonly ChildEnd[]> {
    for (const runId of runIds) this.#child(parentId, runId);
    await Promise.all(runIds.map((runId) => this.over(runId, signal)));
    return runIds.map((runId) => endOf(this.#child(parentId, runId)));
  }

  async cancel(parentId: string, runId: string, reason: string): Promise<ChildEnd> {
    if (!isFinished(this.#child(parentId, runId).state.status)) await this.#parts.cancel(runId, reason);
    return endOf(this.#child(parentId, runId));
  }

  /** Settles when this run is over, or the signal aborts. */
  over(runId: string, signal: AbortSignal): Promise<void> {
    const { store } = this.#parts;
    const view = store.get(runId);
    if (!view || isFinished(view.state.status) || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        forget();
        signal.removeEventListener('abort', done);
        resolve();
      };
      const forget = store.whenFinished(runId, done);
      signal.addEventListener('abort', done, { once: true });
    });
  }

  #parent(runId: string): RunView {
    const view = this.#parts.store.get(runId);
    if (view && this.#parts.goesOn(runId)) return view;
    throw new EdgeError('run.cancelled', { operation: 'spawn', subject: runId, message: 'the run is over' });
  }

  #child(parentId: string, runId: string): RunView {
    const view = this.#parts.store.get(runId);
    if (view?.state.parent_run_id === parentId) return view;
    throw new EdgeError('run.not_found', {
      operation: 'find run',
      subject: runId.slice(0, 128),
      message: 'this run did not ask for such a run',
    });
  }

  #refuseBeyond(parent: RunView): void {
    const { store } = this.#parts;
    const refuse = (message: string, hint: string, retryable: boolean) => {
      const subject = parent.state.run_id;
      throw new EdgeError('run.limit', { operation: 'spawn', subject, message, hint, retryable });
    };
    if (store.ancestors(parent).length >= LIMITS.RUN_DEPTH_MAX)
      refuse(`runs may ask for runs at most ${LIMITS.RUN_DEPTH_MAX} deep`, 'do it in this run', false);
    const children = store.children(parent.state.run_id);
    const open = children.filter(({ state }) => !isFinished(state.status));
    if (open.length >= LIMITS.RUN_CHILDREN_MAX)
      refuse(`${open.length} runs that it asked for are not over`, 'wait for one of them', true);
    const asked = children.filter(({ branch }) => !branch).length;
    if (asked >= LIMITS.RUN_CHILDREN_EVER_MAX)
      refuse(`it has asked for ${asked} runs`, 'do it in this run', false);
  }

  #grant(
    parent: RunView,
    ask: ChildRequest,
  ): { budget: NonNullable<Opening['budget']>; deadline: Intent['deadline'] } {
    const { clock, store, appOf } = this.#parts;
    const left = leftOf(parent, (view) => store.children(view.state.run_id));
    const turns = within(ask.turns, left.turns);
    const tokens = within(ask.tokens, left.tokens);
    const now = clock.now();
    const application = appOf(parent);
    const parentDeadline = application
      ? deadlineOf(parent, application, now)
      : fromWireTime(parent.intent.deadline!);
    const asked = ask.timeS === undefined ? parentDeadline : now + BigInt(Math.round(ask.timeS * 1e9));
    const deadline = asked < parentDeadline ? asked : parentDeadline;
    if (turns === 0 || tokens === 0 || deadline <= now)
      throw new EdgeError('run.budget', {
        operation: 'spawn',
        subject: parent.state.run_id,
        message: 'the run has nothing left that it could give',
      });
    return {
      budget: {
        ...(turns === undefined ? {} : { turns }),
        ...(tokens === undefined ? {} : { tokens }),
      },
      deadline: toWireTime(deadline),
    };
  }
}

export function endOf(view: RunView): ChildEnd {
  const { run_id, status, score } = view.state;
  const fits = view.summary !== undefined && JSON.stringify(view.summary).length <= SUMMARY_BYTES_MAX;
  return {
    run_id,
    status,
    reason: view.reason,
    ...(score === undefined ? {} : { score }),
    ...(fits ? { summary: view.summary } : {}),
    ...(view.error ? { error: view.error.code } : {}),
  };
}
