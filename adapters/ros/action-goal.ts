import {
  type Clock,
  EdgeError,
  type GoalHandle,
  type GoalResult,
  type MessageValue,
  type RosActions,
  type RosServices,
  withDeadline,
} from '../../contract/core.ts';

export type ActionGoal = {
  /** Full name of the action and its type. */
  readonly name: string;
  readonly type: string;
  readonly goal: MessageValue;
  onFeedback?(value: MessageValue): void;
};

/** The end of a goal: its result, or that it was ended because `ends` aborted. */
export type GoalEnd = { readonly result: GoalResult } | { readonly ended: true };

/** A server that is there takes or refuses a goal at once, milliseconds. */
const ACCEPT_MS = 5_000;
/**
 * A server answers a cancellation, and ends the goal, within these, milliseconds: together below
 * LIMITS.MOTION_CANCEL_MS.
 */
const CANCEL_MS = 400;
const ENDED_MS = 500;
/**
 * A cancellation that reached no server is tried again, milliseconds and times: ten minutes. A network may hide a
 * server for longer than its lease, and a server that is seen again may still drive; looking for a dead one costs one
 * query a second.
 */
const OWED_EVERY_MS = 1_000;
const OWED_TRIES_MAX = 600;

/** A `uuid` and `stamp` of zero name every goal of the server (action_msgs/srv/CancelGoal). */
const EVERY_GOAL = '0'.repeat(32);
const CANCEL_GOAL = 'action_msgs/srv/CancelGoal';

export type ActionPorts = { readonly actions: RosActions; readonly services: RosServices };

/**
 * Goals that move something: each is cancelled when it is to end, by its handle, by the cancel service of its
 * server, and again later where no server received it. The caller brakes at the same time; it waits for nothing here.
 */
export class ActionGoals {
  readonly #ports: ActionPorts;
  readonly #clock: Clock;
  /** Goals that a server may still execute, by id, so that a late message never affects a newer goal. */
  readonly #owed = new Map<string, { readonly name: string; tries: number }>();
  #owing: { cancel(): void } | undefined;

  constructor(ports: ActionPorts, clock: Clock) {
    this.#ports = ports;
    this.#clock = clock;
  }

  /**
   * Settles with the end of the goal, at the latest a second after `ends` aborted. Rejects with
   * `robot.unreachable` when no server takes it, when it refuses, or vanishes; the goal is cancelled then too.
   */
  async run(asked: ActionGoal, ends: AbortSignal): Promise<GoalEnd> {
    if (ends.aborted) return { ended: true };
    const sent = this.#ports.actions.send(asked.name, asked.type, asked.goal, {
      timeoutMs: ACCEPT_MS,
      ...(asked.onFeedback ? { onFeedback: (value) => asked.onFeedback!(value) } : {}),
    });
    const handle = await this.#accepted(sent, asked, ends);
    if (!handle) return { ended: true };
    const told = this.#resultOf(handle, asked);
    const first = await Promise.race([told, aborted(ends)]);
    if (first !== ENDED) return { result: first };
    await this.#cancel(handle, told, asked.name);
    return { ended: true };
  }

  /** Asks the servers to end every goal they have, from any client; those that are not seen get the time to appear. */
  async cancelAll(names: readonly string[], timeoutMs: number): Promise<void> {
    await Promise.all(names.map((name) => this.#cancelBy(name, EVERY_GOAL, timeoutMs)));
  }

  close(): void {
    this.#owing?.cancel();
    this.#owed.clear();
  }

  /** The handle of an accepted goal; undefined when `ends` aborted first: then it is cancelled whenever it comes. */
  async #accepted(
    sent: Promise<GoalHandle>,
    asked: ActionGoal,
    ends: AbortSignal,
  ): Promise<GoalHandle | undefined> {
    try {
      const first = await Promise.race([sent, aborted(ends)]);
      if (first !== ENDED) return first;
    } catch (thrown) {
      throw unreachable(asked, thrown);
    }
    const cancelled = sent.then(async (late) => {
      late.result.catch(() => {});
      if (!(await late.cancel(CANCEL_MS).catch(() => false))) this.#owe(asked.name, late.goalId);
    });
    // Refused, or no server there: nothing moves by it. After this time it is cancelled in the background.
    await withDeadline(this.#clock, CANCEL_MS + ENDED_MS, cancelled, 'cancel', asked.name).catch(() => {});
    return undefined;
  }

  async #resultOf(handle: GoalHandle, asked: ActionGoal): Promise<GoalResult> {
    try {
      const result = await handle.result;
      if (result.status !== 'rejected') return result;
    } catch (thrown) {
      // The server may be alive although our client died: it must not drive on without an owner.
      if (!(await this.#cancelBy(asked.name, handle.goalId, CANCEL_MS))) this.#owe(asked.name, handle.goalId);
      throw unreachable(asked, thrown);
    }
    throw new EdgeError('robot.unreachable', {
      operation: 'send goal',
      subject: asked.name,
      message: 'the server refused the goal',
      hint: 'check that its lifecycle nodes are active and that the goal is within its limits',
    });
  }

  async #cancel(handle: GoalHandle, told: Promise<GoalResult>, name: string): Promise<void> {
    const ended = withDeadline(this.#clock, CANCEL_MS + ENDED_MS, told, 'cancel', name).then(
      () => true,
      (error: unknown) => !isLate(error),
    );
    const accepted = handle.cancel(CANCEL_MS).catch(() => false);
    if (!(await accepted)) await this.#cancelBy(name, handle.goalId, CANCEL_MS);
    if (!(await ended)) this.#owe(name, handle.goalId);
  }

  /** True when the server answered, with any answer. A server that is not seen may still execute the goal. */
  async #cancelBy(name: string, goalId: string, timeoutMs: number): Promise<boolean> {
    const uuid = Uint8Array.from({ length: 16 }, (_, i) =>
      Number.parseInt(goalId.slice(2 * i, 2 * i + 2), 16),
    );
    const request = { goal_info: { goal_id: { uuid }, stamp: { sec: 0, nanosec: 0 } } };
    try {
      await this.#ports.services.call(`${name}/_action/cancel_goal`, CANCEL_GOAL, request, { timeoutMs });
      return true;
    } catch {
      return false;
    }
  }

  /**
   * A server may still execute this goal: it gets the request again until it answers. Nothing waits for
   * this.
   */
  #owe(name: string, goalId: string): void {
    this.#owed.set(goalId, { name, tries: 0 });
    this.#owing ??= this.#clock.every(OWED_EVERY_MS, () => {
      for (const [owed, debt] of this.#owed) {
        if (++debt.tries > OWED_TRIES_MAX) this.#owed.delete(owed);
        else void this.#settleOwed(owed, debt.name);
      }
      if (this.#owed.size > 0) return;
      this.#owing?.cancel();
      this.#owing = undefined;
    });
  }

  async #settleOwed(goalId: string, name: string): Promise<void> {
    if (await this.#cancelBy(name, goalId, CANCEL_MS)) this.#owed.delete(goalId);
  }
}

const ENDED = Symbol('ended');

function aborted(signal: AbortSignal): Promise<typeof ENDED> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(ENDED);
    signal.addEventListener('abort', () => resolve(ENDED), { once: true });
  });
}

function isLate(error: unknown): boolean {
  return error instanceof EdgeError && error.code === 'deadline.exceeded';
}

function unreachable(asked: ActionGoal, thrown: unknown): EdgeError {
  const error = EdgeError.from(thrown, 'robot.unreachable', 'send goal', asked.name);
  if (error.code === 'schema.invalid' || error.code === 'sample.unknown_type') return error;
  return new EdgeError('robot.unreachable', {
    operation: 'goal',
    subject: asked.name,
    message: error.code === 'ros.not_found' ? 'there is no action server with this name' : error.message,
    hint: error.code === 'ros.not_found' ? 'start it, or correct its name in the configuration' : error.hint,
    cause: thrown,
  });
}
