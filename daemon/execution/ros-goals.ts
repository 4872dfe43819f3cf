import {
  type Clock,
  EdgeError,
  type GoalHandle,
  type MessageValue,
  type RosActions,
  type RosGoalQuery,
  type RosGoalRequest,
  type RosGoalView,
} from '../../contract/core.ts';
import type { GoalOrigin } from './story/index.ts';

/** Goals that are remembered; ended ones make room, the oldest first. */
const GOALS_MAX = 128;
/** Feedback that is kept of each goal; older is dropped, its numbers show it. The newest always stays. */
const FEEDBACK_MAX = 100;
const FEEDBACK_BYTES_MAX = 256 * 1024;
const CANCEL_MS = 3_000;

type Kept = { view: RosGoalView; readonly handle: GoalHandle; readonly ended: Promise<void> };
/** The actions through which a goal of this origin is sent: each goal is recorded with it. */
export type RecordGoals = (actions: RosActions, origin: GoalOrigin) => RosActions;

type Sending = { readonly gaveUp: AbortController };

/** Goals sent through the API, until somebody has read how they ended. */
export class RosGoals {
  readonly #actions: RosActions;
  readonly #clock: Clock;
  readonly #record: RecordGoals;
  readonly #goals = new Map<string, Kept>();
  /** Sent and not yet accepted: a stop of the robot is for them too. */
  readonly #sending = new Set<Sending>();

  constructor(actions: RosActions, clock: Clock, record: RecordGoals = (same) => same) {
    this.#record = record;
    this.#actions = actions;
    this.#clock = clock;
  }

  /**
   * `lease`: the lease that it is sent under; 0: it needs none. Rejects with `deadline.exceeded` too when the robot is
   * stopped before the goal is accepted; it is cancelled.
   */
  async send(request: RosGoalRequest, lease = 0): Promise<RosGoalView> {
    this.#makeRoom();
    const sending: Sending = { gaveUp: new AbortController() };
    this.#sending.add(sending);
    try {
      return await this.#send(request, lease, sending.gaveUp.signal);
    } finally {
      this.#sending.delete(sending);
    }
  }

  async #send(
    { action, type, goal, timeoutMs, by = '' }: RosGoalRequest,
    lease: number,
    signal: AbortSignal,
  ): Promise<RosGoalView> {
    const early: MessageValue[] = [];
    let onFeedback = (value: MessageValue) => void (early.length < FEEDBACK_MAX && early.push(value));
    const actions = this.#record(this.#actions, { by, lease, motionId: '' });
    const handle = await actions.send(action, type, goal, {
      timeoutMs,
      signal,
      onFeedback: (value) => onFeedback(value),
    });
    const { goalId } = handle;
    const kept: Kept = {
      handle,
      ended: handle.result.then(
        ({ status, result }) => {
          kept.view = { ...kept.view, state: status, result };
        },
        (error: unknown) => {
          const reason = error instanceof Error ? error.message : String(error);
          kept.view = { ...kept.view, state: 'lost', reason };
        },
      ),
      view: { goalId, action, type, state: 'running', reason: '', feedbackSeq: 0, feedback: [] },
    };
    this.#goals.set(goalId, kept);
    const sizes: number[] = [];
    onFeedback = (value) => {
      const feedbackSeq = kept.view.feedbackSeq + 1;
      sizes.push(sizeOf(value));
      const feedback = [...kept.view.feedback, { seq: feedbackSeq, value }];
      let bytes = sizes.reduce((sum, size) => sum + size, 0);
      while (feedback.length > FEEDBACK_MAX || (feedback.length > 1 && bytes > FEEDBACK_BYTES_MAX)) {
        feedback.shift();
        bytes -= sizes.shift()!;
      }
      kept.view = { ...kept.view, feedbackSeq, feedback };
    };
    for (const value of early) onFeedback(value);
    // The stop and the acceptance crossed: it is not left running.
    if (signal.aborted) void handle.cancel(CANCEL_MS).catch(() => {});
    // A goal that was rejected has ended already: its first answer says so.
    await Promise.race([kept.ended, new Promise<void>((resolve) => void this.#clock.after(0, resolve))]);
    return kept.view;
  }

  view({ goalId, after = 0 }: RosGoalQuery): RosGoalView {
    const { view } = this.#find(goalId);
    return { ...view, feedback: view.feedback.filter(({ seq }) => seq > after) };
  }

  /** Settles when that goal is over, or its server was lost. */
  ended(goalId: string): Promise<void> {
    return this.#goals.get(goalId)?.ended ?? Promise.resolve();
  }

  async cancel(goalId: string, timeoutMs: number): Promise<boolean> {
    return this.#find(goalId).handle.cancel(timeoutMs);
  }

  /** A goal runs or is about to. */
  isMoving(): boolean {
    return this.#sending.size > 0 || this.#of('running').length > 0;
  }

  /**
   * Part of stopping the robot: every goal that runs is cancelled. Rejects with `robot.unreachable` when a server
   * that may still move something did not hear it.
   */
  async stop(): Promise<void> {
    const deaf = await this.#cancelAll();
    if (deaf.length === 0) return;
    throw new EdgeError('robot.unreachable', {
      operation: 'cancel goals',
      subject: deaf.map(({ view }) => view.action).join(', '),
      message: 'a goal sent through the API was not cancelled: its server did not answer',
    });
  }

  /** Those whose servers did not answer. */
  async #cancelAll(): Promise<Kept[]> {
    for (const { gaveUp } of this.#sending) gaveUp.abort();
    // A lost goal may still be executed, by a server that only the network hid. Nothing waits for it.
    for (const { handle } of this.#of('lost')) handle.cancel(CANCEL_MS).catch(() => {});
    const running = this.#of('running');
    const ended = await Promise.allSettled(running.map(({ handle }) => handle.cancel(CANCEL_MS)));
    return running.filter(({ view }, i) => ended[i]?.status === 'rejected' && view.state === 'running');
  }

  #of(state: RosGoalView['state']): Kept[] {
    return [...this.#goals.values()].filter(({ view }) => view.state === state);
  }

  #find(goalId: string): Kept {
    const kept = this.#goals.get(goalId);
    if (kept) return kept;
    throw new EdgeError('ros.not_found', {
      operation: 'look up a goal',
      subject: goalId,
      message: 'no such goal was sent through this daemon, or it ended long ago',
    });
  }

  #makeRoom(): void {
    if (this.#goals.size + this.#sending.size < GOALS_MAX) return;
    const ended = [...this.#goals].find(([, { view }]) => view.state !== 'running');
    if (!ended)
      throw new EdgeError('cell.overloaded', {
        operation: 'send a goal',
        subject: 'ros goals',
        message: `${GOALS_MAX} goals are running`,
      });
    this.#goals.delete(ended[0]);
  }
}

/** About so many bytes of memory; what is deep inside counts, so a list of clouds is as large as it is. */
function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 16 + value.length;
  if (ArrayBuffer.isView(value)) return 16 + value.byteLength;
  if (typeof value !== 'object' || value === null) return 8;
  return Object.entries(value).reduce((sum, [key, inner]) => sum + key.length + sizeOf(inner), 16);
}
