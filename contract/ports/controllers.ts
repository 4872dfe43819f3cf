import type * as schemas from '../bodies/controllers.ts';
import type { BodyOf } from '../bodies/kit.ts';
import type { GoalStatus } from './ros-graph.ts';

/** What happens in a step for which there is no unexpired action. `retract`: to the declared safe joint positions. */
export type Starvation = 'hold' | 'decelerate' | 'retract';

/** How chunks that overlap become one action, by the names of LeRobot. */
export type Aggregation =
  | 'weighted_average'
  | 'latest_only'
  | 'average'
  | 'conservative'
  | 'temporal_ensemble';

/** Body of `controller.start`; it runs until it is stopped, its lease is lost, or `seconds` have passed. */
export type ControllerOrder = BodyOf<typeof schemas.ControllerOrder>;
export type ControllerView = BodyOf<typeof schemas.ControllerView>;

/** A goal of a ROS action that a node of the robot carries out: Nav2, a controller of ros2_control. */
export type ExecutedGoal = {
  /** 32 hexadecimal digits; empty where the server gave no answer. */
  readonly goal_id: string;
  readonly action: string;
  readonly type: string;
  /** The goal as JSON, at most 16 KiB; a larger one is cut and says so. */
  readonly value: string;
  /** Principal who sent it through the API; empty for motions of runs. */
  readonly by: string;
  /** `unknown`: the server did not answer, so it may have the goal. `lost`: it vanished. */
  readonly state: 'running' | GoalStatus | 'lost' | 'unknown';
  readonly started_ns: string;
  /** Result of the server as JSON; empty before the end. */
  readonly result: string;
};

/** One applied control step, as it is recorded: what was asked, what went to the robot, and where it came from. */
export type AppliedAction = {
  /** A controller of the configuration, or one of `ACTION_SOURCES`. */
  readonly controller: string;
  readonly time_ns: string;
  /** Meaning of the numbers: joint positions, joint velocities, or forward and turning speed of a base. */
  readonly kind: 'positions' | 'velocities' | 'twist' | 'goal';
  readonly names: readonly string[];
  readonly asked: readonly number[];
  readonly applied: readonly number[];
  readonly verdict: 'passed' | 'limited' | 'refused' | 'starved';
  /** The limit that changed the values; empty when they passed unchanged. */
  readonly reason: string;
  /** Counts chunks of this controller since it started; 0: none, starvation. */
  readonly chunk: number;
  /** Stamp of the observation behind it, nanoseconds. */
  readonly observation_ns: string;
  /** Name in the configuration; empty: the default policy. */
  readonly policy: string;
  readonly policy_hash: string;
  readonly plan_step: string;
  /** Id of the start that it belongs to; where a run started it, the id of the tool call. */
  readonly motion_id: string;
  /** The run that moves; absent where none does, and where only its call is known. */
  readonly run_id?: string;
  readonly lease: number;
  /** Where `kind` is `goal`: recorded when it is sent, and again at its end. */
  readonly goal?: ExecutedGoal;
};
