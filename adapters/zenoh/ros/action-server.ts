import {
  EdgeError,
  type GoalResult,
  LATCHED_QOS,
  type MessageValue,
  type ServedGoal,
} from '../../../contract/core.ts';
import { GOAL_STATUS, goalBytes, goalText } from './goal-id.ts';
import type { MessageCodec } from './message-codec.ts';
import { ROS_DEFAULT_QOS } from './qos-text.ts';
import { ServiceServer } from './service-server.ts';
import type { RosZenohSession } from './session.ts';
import { TopicWriter } from './topic-writer.ts';

/** Results of ended goals are kept this long for late requests, milliseconds, as in rclcpp. */
const RESULT_KEPT_MS = 15 * 60_000;
/** Goals held, running and ended; a new one is refused while all of them run. */
const GOALS_MAX = 256;
/** A goal may run for days; a request for its result is answered when it ends, milliseconds. */
const RESULT_ANSWER_MS = 7 * 24 * 3_600_000;

export type ActionHandlers = {
  accept(goal: MessageValue): boolean;
  execute(goal: ServedGoal): Promise<GoalResult>;
};

type Time = { readonly sec: number; readonly nanosec: number };
type Goal = {
  readonly id: string;
  readonly stamp: Time;
  readonly cancel: AbortController;
  readonly done: PromiseWithResolvers<GoalResult>;
  status: number;
  endedMs: number | undefined;
};

/** Codes of action_msgs/srv/CancelGoal. */
const CANCEL = { none: 0, unknownGoal: 2, terminated: 3 } as const;

/**
 * An action of this daemon, as rcl_action composes it: three services, feedback, and the latched status of all goals.
 */
export class ActionServer {
  readonly #session: RosZenohSession;
  readonly #codec: MessageCodec;
  readonly #name: string;
  readonly #type: string;
  readonly #handlers: ActionHandlers;
  readonly #goals = new Map<string, Goal>();
  readonly #services: readonly ServiceServer[];
  readonly #feedback: TopicWriter;
  readonly #status: TopicWriter;
  #closed = false;

  /** Throws `sample.unknown_type`. */
  constructor(
    session: RosZenohSession,
    codec: MessageCodec,
    name: string,
    type: string,
    handlers: ActionHandlers,
  ) {
    this.#session = session;
    this.#codec = codec;
    this.#name = name;
    this.#type = type;
    this.#handlers = handlers;
    const part = (rest: string) => `${name}/_action/${rest}`;
    this.#feedback = new TopicWriter(session, {
      topic: part('feedback'),
      type: `${type}_FeedbackMessage`,
      qos: ROS_DEFAULT_QOS,
    });
    this.#status = new TopicWriter(session, {
      topic: part('status'),
      type: 'action_msgs/msg/GoalStatusArray',
      qos: LATCHED_QOS,
    });
    this.#services = [
      new ServiceServer(session, codec, part('cancel_goal'), 'action_msgs/srv/CancelGoal', async (request) =>
        this.#onCancel(request),
      ),
      new ServiceServer(
        session,
        codec,
        part('get_result'),
        `${type}_GetResult`,
        (request) => this.#onResult(request),
        { timeoutMs: RESULT_ANSWER_MS },
      ),
      // Declared last: clients that see it may send.
      new ServiceServer(session, codec, part('send_goal'), `${type}_SendGoal`, async (request) =>
        this.#onGoal(request),
      ),
    ];
  }

  async open(): Promise<void> {
    try {
      await Promise.all([this.#feedback.open(), this.#status.open()]);
      for (const service of this.#services) await service.open();
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { cancel } of this.#goals.values()) cancel.abort('the action server closed');
    await Promise.all(this.#services.map((service) => service.close()));
    await Promise.all([this.#feedback.close(), this.#status.close()]);
  }

  #onGoal(request: MessageValue): MessageValue {
    const id = idOf(request);
    const stamp = timeOf(this.#session.clock.now());
    this.#forget();
    const goal = request['goal'] as MessageValue;
    if (this.#closed || this.#goals.has(id) || this.#goals.size >= GOALS_MAX || !this.#accepts(goal)) {
      return { accepted: false, stamp };
    }
    const done = Promise.withResolvers<GoalResult>();
    const own: Goal = {
      id,
      stamp,
      cancel: new AbortController(),
      done,
      status: GOAL_STATUS.accepted,
      endedMs: undefined,
    };
    this.#goals.set(id, own);
    this.#tellStatus();
    // After the answer is on its way.
    this.#session.clock.after(0, () => this.#execute(own, goal));
    return { accepted: true, stamp };
  }

  #accepts(goal: MessageValue): boolean {
    try {
      return this.#handlers.accept(goal);
    } catch (error) {
      this.#session.report('error', `${this.#name}: a goal is refused: ${text(error)}`);
      return false;
    }
  }

  #execute(own: Goal, goal: MessageValue): void {
    // One that was cancelled before it started is still executed: the handler reports its result.
    if (own.status === GOAL_STATUS.accepted) this.#turn(own, GOAL_STATUS.executing);
    const served: ServedGoal = {
      goalId: own.id,
      goal,
      canceled: own.cancel.signal,
      feedback: (value) => this.#onFeedback(own, value),
    };
    Promise.resolve()
      .then(() => this.#handlers.execute(served))
      .then(
        (result) => this.#end(own, result),
        (error: unknown) => {
          this.#session.report('error', `${this.#name}: goal ${own.id} is aborted: ${text(error)}`);
          this.#end(own, { status: 'aborted', result: {} });
        },
      );
  }

  #onFeedback(own: Goal, value: MessageValue): void {
    if (this.#closed || own.endedMs !== undefined) return;
    try {
      const message = { goal_id: { uuid: goalBytes(own.id) }, feedback: value };
      this.#feedback.offer(this.#codec.encode(`${this.#type}_FeedbackMessage`, message));
    } catch (error) {
      this.#session.report('error', `${this.#name}: feedback was not sent: ${text(error)}`);
    }
  }

  #end(own: Goal, result: GoalResult): void {
    own.endedMs = this.#session.clock.monotonicMs();
    // A goal that was accepted can no longer be rejected.
    const status = result.status === 'rejected' ? 'aborted' : result.status;
    own.status = GOAL_STATUS[status];
    own.done.resolve({ status, result: result.result });
    this.#tellStatus();
  }

  #onCancel(request: MessageValue): MessageValue {
    const info = request['goal_info'] as { goal_id: { uuid: Uint8Array }; stamp: Time };
    const id = goalText(info.goal_id.uuid);
    const everyId = /^0+$/.test(id);
    const everyTime = info.stamp.sec === 0 && info.stamp.nanosec === 0;
    const asked = [...this.#goals.values()].filter(
      (goal) =>
        goal.id === id ||
        (everyId && everyTime) ||
        (!everyTime && nanoseconds(goal.stamp) <= nanoseconds(info.stamp)),
    );
    const running = asked.filter((goal) => goal.endedMs === undefined);
    for (const goal of running) {
      this.#turn(goal, GOAL_STATUS.canceling);
      goal.cancel.abort('canceled by its client');
    }
    let return_code: number = CANCEL.none;
    if (running.length === 0 && !everyId)
      return_code = asked.length > 0 ? CANCEL.terminated : CANCEL.unknownGoal;
    const goals_canceling = running.map((goal) => ({
      goal_id: { uuid: goalBytes(goal.id) },
      stamp: goal.stamp,
    }));
    return { return_code, goals_canceling };
  }

  async #onResult(request: MessageValue): Promise<MessageValue> {
    const goal = this.#goals.get(idOf(request));
    if (!goal) return { status: GOAL_STATUS.unknown };
    const { result } = await goal.done.promise;
    return { status: goal.status, result };
  }

  #turn(goal: Goal, status: number): void {
    goal.status = status;
    this.#tellStatus();
  }

  #tellStatus(): void {
    if (this.#closed) return;
    const status_list = [...this.#goals.values()].map(({ id, stamp, status }) => ({
      goal_info: { goal_id: { uuid: goalBytes(id) }, stamp },
      status,
    }));
    this.#status.offer(this.#codec.encode('action_msgs/msg/GoalStatusArray', { status_list }));
  }

  /** Ended goals go when their time is over, or when there are too many. */
  #forget(): void {
    const nowMs = this.#session.clock.monotonicMs();
    for (const [id, { endedMs }] of this.#goals) {
      if (endedMs === undefined) continue;
      if (nowMs - endedMs > RESULT_KEPT_MS || this.#goals.size >= GOALS_MAX) this.#goals.delete(id);
    }
  }
}

function idOf(request: MessageValue): string {
  const id = request['goal_id'] as { uuid?: ArrayLike<number> } | undefined;
  if (id?.uuid) return goalText(id.uuid);
  throw new EdgeError('sample.malformed', { operation: 'read goal', subject: 'goal_id' });
}

function timeOf(now: bigint): Time {
  return { sec: Number(now / 1_000_000_000n), nanosec: Number(now % 1_000_000_000n) };
}
function nanoseconds({ sec, nanosec }: Time): bigint {
  return BigInt(sec) * 1_000_000_000n + BigInt(nanosec);
}
function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
