import { randomUUID } from 'node:crypto';
import {
  type CallOptions,
  EdgeError,
  type GoalHandle,
  type GoalResult,
  type GoalStatus,
  type MessageValue,
  pause,
} from '../../../contract/core.ts';
import { GOAL_STATUS, goalBytes, goalText, leadingGoalId } from './goal-id.ts';
import type { MessageCodec } from './message-codec.ts';
import { ROS_DEFAULT_QOS } from './qos-text.ts';
import type { ServiceCaller } from './service-caller.ts';
import type { RosZenohSession } from './session.ts';
import { TopicReader } from './topic-reader.ts';

/** Longest query for a result, milliseconds; for longer goals it is repeated. */
const RESULT_QUERY_MS = 3_600_000;
/** A server that leaves the graph may be a link that broke: it has this long to come back, milliseconds. */
const SERVER_GONE_MS = 2_000;
/** Between two requests for a result that failed, milliseconds, and how many in a row are tolerated. */
const RESULT_AGAIN_MS = 200;
const RESULT_FAILURES_MAX = 10;
/** What was sent before a result may be read after it, milliseconds. */
const FEEDBACK_SETTLES_MS = 20;
/**
 * A goal without a client is cancelled until its server has heard it: each call waits this long for the server to be
 * seen and to answer, the next starts so much later, for ten minutes, milliseconds.
 */
const DISOWN_MS = 5_000;
const DISOWN_AGAIN_MS = 1_000;
const DISOWN_FOR_MS = 600_000;
/**
 * A server that does not know the goal may still decide whether it accepts it: it is asked again for this long from its
 * first such answer on, milliseconds. After that the goal was never accepted, or is forgotten.
 */
const DISOWN_UNKNOWN_MS = 60_000;
/** Goals that are cancelled this way at a time. */
const DISOWNED_MAX = 1_024;
/** A goal that did not fit was not sent, and no server was there to take it. */
const NEVER_SENT: ReadonlySet<string> = new Set(['ros.not_found', 'schema.invalid', 'sample.unknown_type']);

const ENDED: Readonly<Record<number, GoalStatus>> = {
  [GOAL_STATUS.succeeded]: 'succeeded',
  [GOAL_STATUS.canceled]: 'canceled',
  [GOAL_STATUS.aborted]: 'aborted',
};

/** Answer of a server to a cancel, by `action_msgs/srv/CancelGoal`. */
type CancelWord = 'canceling' | 'rejected' | 'unknown' | 'terminated';
const CANCEL_REJECTED = 1;
const CANCEL_TERMINATED = 3;

type OnFeedback = (value: MessageValue) => void;

/** Goals of this daemon at one action server: three services and the feedback topic, as rcl_action composes them. */
export class ActionClient {
  readonly #session: RosZenohSession;
  readonly #codec: MessageCodec;
  readonly #caller: ServiceCaller;
  readonly #name: string;
  readonly #type: string;
  readonly #feedback = new Map<string, OnFeedback>();
  readonly #closing = new AbortController();
  #reader: Promise<TopicReader> | undefined;
  #disowned = 0;

  constructor(
    session: RosZenohSession,
    codec: MessageCodec,
    caller: ServiceCaller,
    name: string,
    type: string,
  ) {
    this.#session = session;
    this.#codec = codec;
    this.#caller = caller;
    this.#name = name;
    this.#type = type;
  }

  /** As `RosActions.send`. */
  async send(
    goal: MessageValue,
    options: CallOptions & { readonly onFeedback?: OnFeedback },
  ): Promise<GoalHandle> {
    const goalId = randomUUID().replaceAll('-', '');
    const request = { goal_id: { uuid: goalBytes(goalId) }, goal };
    let answer: MessageValue;
    if (options.onFeedback) {
      // Subscribed before the goal is sent: otherwise the first feedback could be missed.
      await this.#hear();
      this.#feedback.set(goalId, options.onFeedback);
    }
    try {
      answer = await this.#call('send_goal', `${this.#type}_SendGoal`, request, options);
    } catch (error) {
      this.#feedback.delete(goalId);
      // It may still have been accepted: a goal without a client is not left running.
      if (!(error instanceof EdgeError && NEVER_SENT.has(error.code))) void this.#disown(goalId);
      throw error;
    }
    if (answer['accepted'] !== true) {
      this.#feedback.delete(goalId);
      const rejected: GoalResult = { status: 'rejected', result: {} };
      return { goalId, result: Promise.resolve(rejected), cancel: async () => false };
    }
    const result = this.#result(goalId).finally(async () => {
      // Feedback that was sent before the result is delivered before it, although it came by another way.
      if (options.onFeedback) await pause(this.#session.clock, FEEDBACK_SETTLES_MS, this.#closing.signal);
      this.#feedback.delete(goalId);
    });
    // The server may live and only the network have hidden it: it must not keep moving without a client.
    result.catch(() => void this.#disown(goalId));
    return {
      goalId,
      result,
      cancel: async (timeoutMs) => (await this.#cancel(goalId, { timeoutMs })) === 'canceling',
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const reader = await this.#reader?.catch(() => undefined);
    await reader?.close();
  }

  async #hear(): Promise<void> {
    this.#reader ??= this.#openReader();
    try {
      await this.#reader;
    } catch (error) {
      this.#reader = undefined;
      throw error;
    }
  }

  async #openReader(): Promise<TopicReader> {
    const type = `${this.#type}_FeedbackMessage`;
    const spec = { topic: `${this.#name}/_action/feedback`, type, qos: ROS_DEFAULT_QOS };
    const reader = new TopicReader(this.#session, spec, ({ bytes }) => {
      const listener = this.#feedback.get(leadingGoalId(bytes) ?? '');
      if (!listener) return;
      try {
        listener(this.#codec.decode(type, bytes)['feedback'] as MessageValue);
      } catch (error) {
        this.#session.report('warn', `${this.#name}: feedback was not accepted: ${text(error)}`);
      }
    });
    await reader.open();
    return reader;
  }

  async #result(goalId: string): Promise<GoalResult> {
    const request = { goal_id: { uuid: goalBytes(goalId) } };
    for (let failures = 0; ; ) {
      try {
        const options = { timeoutMs: RESULT_QUERY_MS, signal: this.#closing.signal };
        const answer = await this.#untilGone(
          this.#call('get_result', `${this.#type}_GetResult`, request, options),
        );
        const status = ENDED[Number(answer['status'])];
        if (status) return { status, result: answer['result'] as MessageValue };
        throw this.#lost('the action server no longer knows the goal');
      } catch (error) {
        if (this.#closing.signal.aborted) throw this.#lost('this daemon left the ROS graph');
        if (!(error instanceof EdgeError) || error.code === 'robot.unreachable') throw error;
        if (error.code === 'deadline.exceeded') continue;
        failures += 1;
        if (failures > RESULT_FAILURES_MAX || error.code === 'sample.malformed')
          throw this.#lost(error.message);
        await pause(this.#session.clock, RESULT_AGAIN_MS, this.#closing.signal);
      }
    }
  }

  /** The work, or `robot.unreachable` when the server left the graph and stayed away. */
  async #untilGone<T>(work: Promise<T>): Promise<T> {
    const gone = Promise.withResolvers<never>();
    let timer: { cancel(): void } | undefined;
    const look = () => {
      const here = this.#caller.served(`${this.#name}/_action/get_result`, `${this.#type}_GetResult`);
      if (here) {
        timer?.cancel();
        timer = undefined;
      } else {
        timer ??= this.#session.clock.after(SERVER_GONE_MS, () =>
          gone.reject(this.#lost('the action server left the ROS graph')),
        );
      }
    };
    const watch = this.#caller.onServers(look);
    look();
    work.catch(() => {});
    try {
      return await Promise.race([work, gone.promise]);
    } finally {
      watch.cancel();
      timer?.cancel();
    }
  }

  async #cancel(goalId: string, options: CallOptions): Promise<CancelWord> {
    const request = { goal_info: { goal_id: { uuid: goalBytes(goalId) } } };
    const answer = await this.#call('cancel_goal', 'action_msgs/srv/CancelGoal', request, options);
    const canceling = answer['goals_canceling'] as { goal_id: { uuid: Uint8Array } }[];
    const code = answer['return_code'];
    if (code === CANCEL_REJECTED) return 'rejected';
    if (code === CANCEL_TERMINATED) return 'terminated';
    const isOurs = canceling.some(({ goal_id }) => goalText(goal_id.uuid) === goalId);
    if (code === 0) return isOurs ? 'canceling' : 'rejected';
    return 'unknown';
  }

  /** No caller waits for this; it ends when we leave the graph. Never rejects. */
  async #disown(goalId: string): Promise<void> {
    const { clock } = this.#session;
    const { signal } = this.#closing;
    if (signal.aborted) return;
    if (this.#disowned >= DISOWNED_MAX)
      return this.#tell(goalId, 'has no client left and is not cancelled: there are too many such goals');
    this.#disowned += 1;
    const untilMs = clock.monotonicMs() + DISOWN_FOR_MS;
    let isTold = false;
    let unknownUntilMs: number | undefined;
    let failure: unknown;
    while (!signal.aborted) {
      try {
        const word = await this.#cancel(goalId, { timeoutMs: DISOWN_MS, signal });
        failure = undefined;
        if (word === 'canceling') this.#tell(goalId, 'was cancelled because it had no client left');
        if (word === 'canceling' || word === 'terminated') break;
        if (word === 'rejected' && !isTold) {
          isTold = true;
          this.#tell(
            goalId,
            'has no client left but continues: its server refuses to cancel it; the request is repeated',
          );
        }
        if (word === 'unknown') {
          unknownUntilMs ??= clock.monotonicMs() + DISOWN_UNKNOWN_MS;
          if (clock.monotonicMs() >= unknownUntilMs) break;
        }
      } catch (error) {
        failure = error;
      }
      if (clock.monotonicMs() >= untilMs) break;
      // The network may hide the server, or lose the request; one that is really gone executes nothing.
      await pause(clock, DISOWN_AGAIN_MS, signal);
    }
    this.#disowned -= 1;
    if (failure === undefined || signal.aborted) return;
    // Never seen in this time: this is not reported.
    if (failure instanceof EdgeError && failure.code === 'ros.not_found') return;
    this.#tell(goalId, `has no client left and was not cancelled: ${text(failure)}`);
  }

  #tell(goalId: string, what: string): void {
    this.#session.report('warn', `${this.#name}: goal ${goalId} ${what}`);
  }

  #call(service: string, type: string, request: MessageValue, options: CallOptions): Promise<MessageValue> {
    return this.#caller.call(`${this.#name}/_action/${service}`, type, request, options);
  }

  #lost(message: string): EdgeError {
    return new EdgeError('robot.unreachable', {
      operation: 'wait for a result',
      subject: this.#name,
      message,
    });
  }
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
