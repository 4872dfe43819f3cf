import { type RosHost, RosSink, RosSource } from '../../adapters/ros/index.ts';
import {
  type Clock,
  EdgeError,
  type GoalResult,
  type JointTarget,
  type MessageValue,
  type MotionResult,
  pause,
  type Sample,
  type ServedGoal,
  type TopicSpec,
} from '../../contract/core.ts';
import { ALL_NAMES } from '../../sim/arm/arm-model.ts';
import {
  ARM_COMMAND,
  ARM_TOPICS,
  ARM_TRAJECTORY,
  CAMERA_TOPICS,
  TASK_RESET,
} from '../../sim/arm/arm-topics.ts';
import type { HostedArm } from '../../sim/arm/hosted-arm.ts';
import { SimArm } from '../../sim/arm/sim-arm.ts';
import { stamped } from './stamped.ts';

export const FOLLOW = '/joint_trajectory_controller/follow_joint_trajectory';
export const GRIPPER_COMMAND = '/gripper_controller/gripper_cmd';
const FOLLOW_TYPE = 'control_msgs/action/FollowJointTrajectory';
const GRIPPER_TYPE = 'control_msgs/action/GripperCommand';
/** Simulated time that may be caught up after a pause, milliseconds. */
const BEHIND_MS = 100;
/** Of control_msgs/FollowJointTrajectory. */
const INVALID_GOAL = -1;
const PATH_TOLERANCE_VIOLATED = -4;

export type FacadeOptions = {
  readonly arm: HostedArm;
  readonly host: RosHost;
  readonly clock: Clock;
  /** Commands that were refused, and why. */
  readonly onFault: (message: string) => void;
};

/**
 * The simulated arm with the ROS 2 interface of an arm behind ros2_control: joint states, images and the table's
 * referee as topics, position commands and resets as topics, FollowJointTrajectory and GripperCommand as actions. It
 * runs by the clock, in this process; stamps are wall time.
 */
export class ArmFacade {
  readonly #options: FacadeOptions;
  readonly #sink: RosSink;
  readonly #source: RosSource;
  readonly #arm: SimArm;
  readonly #closing = new AbortController();
  readonly #servers: { close(): Promise<void> }[] = [];
  #running: Promise<void> | undefined;

  constructor(options: FacadeOptions) {
    this.#options = options;
    const { host, clock, arm } = options;
    this.#sink = new RosSink(host);
    this.#source = new RosSource(host);
    this.#arm = new SimArm(clock, { offer: (sample) => arm.obey(sample) === undefined });
  }

  /** Settles when everything is offered. Rejects as the ROS host does (`ros.unavailable` where there is no ROS). */
  async start(): Promise<void> {
    const { host } = this.#options;
    // The clock is the wall's: a /clock beside it would only confuse.
    const { clock: _, ...topics } = ARM_TOPICS;
    for (const topic of [...Object.values(topics), ...Object.values(CAMERA_TOPICS)] as TopicSpec[]) {
      await this.#sink.advertise(topic);
    }
    await this.#source.open(
      [ARM_COMMAND, ARM_TRAJECTORY, TASK_RESET],
      (sample) => this.#obey(sample),
      () => {},
    );
    const { actions } = host.api;
    this.#servers.push(
      await actions.serve(FOLLOW, FOLLOW_TYPE, {
        accept: (goal) => unknownJoints(goal).length === 0,
        execute: (goal) => this.#follow(goal),
      }),
      await actions.serve(GRIPPER_COMMAND, GRIPPER_TYPE, {
        accept: () => true,
        execute: (goal) => this.#grip(goal),
      }),
    );
    this.#running = this.#run();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#arm.close();
    await this.#running;
    for (const server of this.#servers) await server.close();
    await this.#source.close();
    await this.#sink.close();
  }

  async #run(): Promise<void> {
    const { arm, clock } = this.#options;
    const periodMs = Number(arm.windowNs) / 1e6;
    let next = clock.monotonicMs();
    while (!this.#closing.signal.aborted) {
      for (const sample of arm.window()) {
        this.#arm.observe(sample);
        this.#sink.offer(stamped(sample, clock.now()));
      }
      next = Math.max(next + periodMs, clock.monotonicMs() - BEHIND_MS);
      await pause(clock, Math.max(0, next - clock.monotonicMs()), this.#closing.signal);
    }
  }

  #obey(sample: Sample): void {
    try {
      const refusal = this.#options.arm.obey(sample);
      if (refusal !== undefined) this.#options.onFault(`${sample.topic}: ${refusal}`);
    } catch (error) {
      this.#options.onFault(`${sample.topic}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  async #follow({ goal, canceled }: ServedGoal): Promise<GoalResult> {
    try {
      const motion = await this.#arm.followTrajectory(pointsOf(goal), canceled);
      const code = motion.outcome === 'reached' ? 0 : PATH_TOLERANCE_VIOLATED;
      return {
        status: statusOf(motion, canceled),
        result: { error_code: code, error_string: motion.message },
      };
    } catch (error) {
      const { message } = EdgeError.from(error, 'internal.fault', 'follow', FOLLOW);
      return { status: 'aborted', result: { error_code: INVALID_GOAL, error_string: message } };
    }
  }

  async #grip({ goal, canceled }: ServedGoal): Promise<GoalResult> {
    const { position, max_effort } = goal['command'] as { position: number; max_effort: number };
    const motion = await this.#arm.gripper(position, max_effort, canceled);
    const { joints } = await this.#arm.state();
    const at = joints['gripper'] ?? { position: 0, effort: 0 };
    const reached = motion.outcome === 'reached';
    const stalled = reached && Math.abs(at.position - position) > 0.002;
    return {
      status: statusOf(motion, canceled),
      result: { position: at.position, effort: at.effort ?? 0, stalled, reached_goal: reached && !stalled },
    };
  }
}

function statusOf({ outcome }: MotionResult, canceled: AbortSignal): GoalResult['status'] {
  if (outcome === 'reached') return 'succeeded';
  return canceled.aborted ? 'canceled' : 'aborted';
}

type Trajectory = {
  readonly joint_names: readonly string[];
  readonly points: readonly {
    readonly positions: ArrayLike<number>;
    readonly time_from_start: { readonly sec: number; readonly nanosec: number };
  }[];
};

function unknownJoints(goal: MessageValue): string[] {
  const { joint_names } = goal['trajectory'] as Trajectory;
  return joint_names.filter((name) => !ALL_NAMES.includes(name));
}

function pointsOf(goal: MessageValue): JointTarget[] {
  const { joint_names, points } = goal['trajectory'] as Trajectory;
  return points.map(({ positions, time_from_start: { sec, nanosec } }) => ({
    positions: Object.fromEntries(joint_names.map((name, i) => [name, positions[i] ?? Number.NaN])),
    timeFromStartMs: sec * 1_000 + nanosec / 1e6,
  }));
}
