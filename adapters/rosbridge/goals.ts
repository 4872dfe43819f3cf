import { type Clock, EdgeError, LIMITS, type MessageValue, type Timer } from '../../contract/core.ts';
import type { Door, GoalView } from '../../io/attached/robot-door.ts';

export type GoalsParts = { readonly clock: Clock; send(message: object): void };
type Goal = {
  readonly action: string;
  goalId: string;
  /** The client cancelled it, perhaps before the robot had taken it. */
  isCancelled: boolean;
  feedback: boolean;
  seq: number;
  timer: Timer | undefined;
};

/** How often a goal is looked at, milliseconds. */
const LOOK_MS = 200;
/** Numbers of action_msgs/GoalStatus. */
const STATUS: Readonly<Record<string, number>> = { succeeded: 4, canceled: 5 };
const ABORTED = 6;

/** Goals of one client. Each is answered once with a result; those that run when the client goes are cancelled. */
export class Goals {
  readonly #parts: GoalsParts;
  readonly #goals = new Map<string, Goal>();
  #closed = false;

  constructor(parts: GoalsParts) {
    this.#parts = parts;
  }

  async send(
    door: Door,
    order: {
      readonly id: string;
      readonly action: string;
      readonly type: string;
      readonly args: MessageValue;
      readonly feedback: boolean;
    },
  ): Promise<void> {
    const { id, action, type, args, feedback } = order;
    const fail = (message: string) => this.#result(id, action, ABORTED, message, false);
    if (this.#goals.has(id)) return fail(`goal ${id} exists already`);
    if (this.#goals.size >= LIMITS.ATTACH_CALLS_MAX) return fail('too many goals at a time');
    const goal: Goal = { action, goalId: '', isCancelled: false, feedback, seq: 0, timer: undefined };
    this.#goals.set(id, goal);
    try {
      const view = await door.sendGoal(action, type, args);
      goal.goalId = view.goal_id;
      if (this.#closed || goal.isCancelled) await door.cancelGoal(goal.goalId);
      if (!this.#closed) this.#take(door, id, goal, view);
    } catch (thrown) {
      this.#goals.delete(id);
      fail(EdgeError.from(thrown, 'ros.failed', 'send a goal', action).message);
    }
  }

  /** A goal that the robot has not taken yet is cancelled as soon as it has. */
  async cancel(door: Door, id: string): Promise<void> {
    const goal = this.#goals.get(id);
    if (!goal) return;
    goal.isCancelled = true;
    if (goal.goalId !== '') await door.cancelGoal(goal.goalId);
  }

  close(door: Door | undefined): void {
    this.#closed = true;
    for (const { goalId, timer } of this.#goals.values()) {
      timer?.cancel();
      if (goalId !== '') door?.cancelGoal(goalId).catch(() => {});
    }
    this.#goals.clear();
  }

  #take(door: Door, id: string, goal: Goal, view: GoalView): void {
    const { action } = goal;
    for (const { seq, value } of view.feedback) {
      if (goal.feedback && seq > goal.seq)
        this.#parts.send({ op: 'action_feedback', id, action, values: value });
      goal.seq = Math.max(goal.seq, seq);
    }
    if (view.state === 'running') {
      goal.timer = this.#parts.clock.after(LOOK_MS, () => void this.#look(door, id, goal));
      return;
    }
    this.#goals.delete(id);
    const succeeded = view.state === 'succeeded';
    const values = view.result ?? (view.reason === '' ? view.state : view.reason);
    this.#result(id, action, STATUS[view.state] ?? ABORTED, values, succeeded);
  }

  async #look(door: Door, id: string, goal: Goal): Promise<void> {
    try {
      const view = await door.viewGoal(goal.goalId, goal.seq);
      if (!this.#closed) this.#take(door, id, goal, view);
    } catch (thrown) {
      if (this.#closed) return;
      const error = EdgeError.from(thrown, 'ros.failed', 'view a goal', goal.action);
      if (error.retryable)
        goal.timer = this.#parts.clock.after(LOOK_MS * 5, () => void this.#look(door, id, goal));
      else {
        this.#goals.delete(id);
        this.#result(id, goal.action, ABORTED, error.message, false);
      }
    }
  }

  #result(id: string, action: string, status: number, values: unknown, result: boolean): void {
    if (!this.#closed) this.#parts.send({ op: 'action_result', id, action, values, status, result });
  }
}
