import {
  type AppliedAction,
  EdgeError,
  type ExecutedGoal,
  GOAL_SOURCE,
  type GoalHandle,
  type GoalResult,
  type MessageValue,
  type Nanoseconds,
  type RosActions,
  rosGoalMotion,
  type Sample,
  toWireTime,
} from '../../../contract/core.ts';
import { actionSample } from '../controllers/action-sample.ts';
import { shortJson } from './short-json.ts';

/** The caller of a goal, and what it belongs to. */
export type GoalOrigin = {
  /** Principal at the API; empty where a run asked, or it is not known. */
  readonly by: string;
  /** 0: it needs none. */
  readonly lease: number;
  readonly motionId: string;
  readonly run?: string | undefined;
};

export type ExecutedGoalsParts = {
  /** To the recorder; bounded there. */
  publish(sample: Sample): void;
  /** Time of the recording. */
  now(): Nanoseconds;
};

const GOAL_BYTES_MAX = 16 * 1024;
const RESULT_BYTES_MAX = 4 * 1024;
/** Errors of goals that reached no server. */
const NOT_SENT: ReadonlySet<string> = new Set(['ros.not_found', 'schema.invalid', 'sample.unknown_type']);

type Sent = { readonly at: Nanoseconds; readonly origin: GoalOrigin; readonly goal: ExecutedGoal } & Numbers;

/**
 * The goals that nodes of the robot carry out (Nav2, controllers of ros2_control), as applied actions beside the commands
 * that this daemon sends itself: one message when the server has answered, and one with the result.
 */
export class ExecutedGoals {
  readonly #parts: ExecutedGoalsParts;
  /** Goals that could not be described. */
  unreadable = 0;

  constructor(parts: ExecutedGoalsParts) {
    this.#parts = parts;
  }

  /** The same actions; each goal that is sent through them is recorded. */
  over(actions: RosActions, origin: () => GoalOrigin): RosActions {
    return {
      serve: (...args) => actions.serve(...args),
      send: async (name, type, goal, options) => {
        const at = this.#parts.now();
        const asked = origin();
        try {
          const handle = await actions.send(name, type, goal, options);
          this.#follow(handle, name, type, goal, at, asked);
          return handle;
        } catch (thrown) {
          const { code, message } = EdgeError.from(thrown, 'ros.failed', 'send a goal', name);
          // It may have arrived: a server that is silent may carry it out.
          if (!NOT_SENT.has(code)) this.#note('', name, type, goal, at, asked, 'unknown', message);
          throw thrown;
        }
      },
    };
  }

  #follow(
    { goalId, result }: GoalHandle,
    name: string,
    type: string,
    goal: MessageValue,
    at: Nanoseconds,
    asked: GoalOrigin,
  ): void {
    const sent = this.#note(goalId, name, type, goal, at, asked, 'running', '');
    if (!sent) return;
    result.then(
      ({ status, result: answer }) => this.#ended(sent, status, answer, ''),
      (thrown: unknown) => {
        const { message } = EdgeError.from(thrown, 'ros.failed', 'wait for the result', name);
        this.#ended(sent, 'lost', undefined, message);
      },
    );
  }

  /** Never throws: it stands in the way of a goal. */
  #note(
    goalId: string,
    action: string,
    type: string,
    value: MessageValue,
    at: Nanoseconds,
    origin: GoalOrigin,
    state: ExecutedGoal['state'],
    reason: string,
  ): Sent | undefined {
    try {
      const goal: ExecutedGoal = {
        ...{ goal_id: goalId, action, type, value: shortJson(value, GOAL_BYTES_MAX), by: origin.by, state },
        ...{ started_ns: toWireTime(at), result: '' },
      };
      const sent: Sent = { at, origin, goal, ...numbersOf(type, value) };
      this.#publish(sent, at, reason);
      return sent;
    } catch {
      this.unreadable += 1;
      return undefined;
    }
  }

  #ended(
    sent: Sent,
    state: GoalResult['status'] | 'lost',
    answer: MessageValue | undefined,
    reason: string,
  ): void {
    try {
      const result = answer === undefined ? '' : shortJson(answer, RESULT_BYTES_MAX);
      const now = this.#parts.now();
      // Later than its start, also where the clock stands still: the two are distinguished by their times.
      const at = now > sent.at ? now : sent.at + 1n;
      this.#publish({ ...sent, goal: { ...sent.goal, state, result } }, at, reason);
    } catch {
      this.unreadable += 1;
    }
  }

  #publish({ origin, goal, names, values }: Sent, at: Nanoseconds, reason: string): void {
    const action: AppliedAction = {
      ...{ controller: GOAL_SOURCE, time_ns: toWireTime(at), kind: 'goal', names, asked: values },
      ...{ applied: values, verdict: goal.state === 'rejected' ? 'refused' : 'passed', reason },
      ...{ chunk: 0, observation_ns: '0', policy: '', policy_hash: '', plan_step: '' },
      motion_id: origin.motionId,
      ...(origin.run === undefined ? {} : { run_id: origin.run }),
      ...{ lease: origin.lease, goal },
    };
    this.#parts.publish(actionSample(action));
  }
}

type Numbers = { readonly names: readonly string[]; readonly values: readonly number[] };
const NO_NUMBERS: Numbers = { names: [], values: [] };

/** Where the motion ends: joints with their last positions, or what policies judge of the goal. */
function numbersOf(type: string, goal: MessageValue): Numbers {
  try {
    if (type === 'control_msgs/action/FollowJointTrajectory') return lastPositions(goal);
    const { facts } = rosGoalMotion(type, goal);
    const known = Object.entries(facts).filter((entry): entry is [string, number] =>
      Number.isFinite(entry[1]),
    );
    return { names: known.map(([name]) => name), values: known.map(([, value]) => value) };
  } catch {
    // Its values are in the goal.
    return NO_NUMBERS;
  }
}

function lastPositions(goal: MessageValue): Numbers {
  const { joint_names, points } = goal['trajectory'] as {
    joint_names: Iterable<string>;
    points: readonly { positions: ArrayLike<number> }[];
  };
  const names = [...joint_names].map(String);
  const last = points.at(-1)?.positions ?? [];
  return { names, values: names.map((_, i) => Number(last[i] ?? Number.NaN)) };
}
