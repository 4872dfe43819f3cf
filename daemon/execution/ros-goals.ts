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

/** Goals that are remembered; ended ones make room, the oldest first. */
const GOALS_MAX = 128;
/** Feedback that is kept of each goal; older is dropped, its numbers show it. */
const FEEDBACK_MAX = 100;
const CANCEL_MS = 3_000;

type Kept = { view: RosGoalView; readonly handle: GoalHandle };

/** Goals sent through the API, until somebody has read how they ended. */
export class RosGoals {
  readonly #actions: RosActions;
  readonly #clock: Clock;
  readonly #goals = new Map<string, Kept>();

  constructor(actions: RosActions, clock: Clock) {
    this.#actions = actions;
    this.#clock = clock;
  }

  async send({ action, type, goal, timeoutMs }: RosGoalRequest): Promise<RosGoalView> {
    this.#makeRoom();
    const early: MessageValue[] = [];
    let onFeedback = (value: MessageValue) => void early.push(value);
    const handle = await this.#actions.send(action, type, goal, {
      timeoutMs,
      onFeedback: (value) => onFeedback(value),
    });
    const { goalId } = handle;
    const kept: Kept = {
      handle,
      view: { goalId, action, type, state: 'running', reason: '', feedbackSeq: 0, feedback: [] },
    };
    this.#goals.set(goalId, kept);
    onFeedback = (value) => {
      const feedbackSeq = kept.view.feedbackSeq + 1;
      const feedback = [...kept.view.feedback, { seq: feedbackSeq, value }].slice(-FEEDBACK_MAX);
      kept.view = { ...kept.view, feedbackSeq, feedback };
    };
    for (const value of early) onFeedback(value);
    const ended = handle.result.then(
      ({ status, result }) => {
        kept.view = { ...kept.view, state: status, result };
      },
      (error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        kept.view = { ...kept.view, state: 'lost', reason };
      },
    );
    // A goal that was rejected has ended already: its first answer says so.
    await Promise.race([ended, new Promise<void>((resolve) => void this.#clock.after(0, resolve))]);
    return kept.view;
  }

  view({ goalId, after = 0 }: RosGoalQuery): RosGoalView {
    const { view } = this.#find(goalId);
    return { ...view, feedback: view.feedback.filter(({ seq }) => seq > after) };
  }

  async cancel(goalId: string, timeoutMs: number): Promise<boolean> {
    return this.#find(goalId).handle.cancel(timeoutMs);
  }

  /** Part of stopping the robot: every goal that runs is cancelled; how many servers agreed. Never throws. */
  async cancelAll(): Promise<number> {
    const running = [...this.#goals.values()].filter(({ view }) => view.state === 'running');
    const ended = await Promise.allSettled(running.map(({ handle }) => handle.cancel(CANCEL_MS)));
    return ended.filter((end) => end.status === 'fulfilled' && end.value).length;
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
    if (this.#goals.size < GOALS_MAX) return;
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
