import type { Nanoseconds } from '../time.ts';

/** Position in metres and heading in radians (counter-clockwise from +x), in a named frame (REP-105). */
export type Pose2d = { readonly x: number; readonly y: number; readonly yaw: number };

/** Metres per second forward and radians per second counter-clockwise, in `base_link` (REP-103). */
export type Twist2d = { readonly linear: number; readonly angular: number };

export type RobotState = {
  /** Robot time: simulation time in simulation, nanoseconds. */
  readonly time: Nanoseconds;
  /** `base_link` in `map`; undefined until localised. */
  readonly pose: Pose2d | undefined;
  readonly twist: Twist2d;
  readonly battery: number | undefined;
  /** Metres driven since the start, by odometry. */
  readonly distance: number;
  /** Bumper contacts since the start, each counted once from touch to release. */
  readonly bumps: number;
  readonly motion: 'idle' | 'moving' | 'stopped';
  readonly connected: boolean;
  /** Latest values of small topics by their ROS name, for example `/maze/exit_reached`; empty where there are none. */
  readonly signals: Readonly<Record<string, boolean | number>>;
};

/** Occupancy as in nav_msgs/OccupancyGrid: row-major from the origin corner; -1 unknown, 0 free, 100 occupied. */
export type MapSnapshot = {
  readonly time: Nanoseconds;
  readonly width: number;
  readonly height: number;
  /** Metres per cell. */
  readonly resolution: number;
  /** Lower-left corner of cell (0,0) in `map`, metres. */
  readonly origin: { readonly x: number; readonly y: number };
  readonly cells: Int8Array;
};

export type NavigateGoal = {
  readonly pose: Pose2d;
  /** Metres from the goal that count as reached. */
  readonly tolerance: number;
  /** Robot time the motion may take, milliseconds. */
  readonly timeoutMs: number;
  /** When true a `yaw` within 0.2 rad is part of the goal. */
  readonly alignYaw?: boolean;
};

export type MotionResult = {
  readonly outcome: 'reached' | 'no_path' | 'stuck' | 'timeout' | 'preempted' | 'stopped' | 'starved';
  readonly pose: Pose2d | undefined;
  readonly distance: number;
  /** Robot time the motion took, milliseconds. */
  readonly durationMs: number;
  /** Robot time when the motion ended, nanoseconds. */
  readonly time: Nanoseconds;
  readonly message: string;
};

/** A recovery motion that needs no map. Distances in metres (negative is backwards), angles in radians. */
export type Maneuver =
  | { readonly kind: 'drive'; readonly distance: number }
  | { readonly kind: 'spin'; readonly angle: number }
  | { readonly kind: 'wait'; readonly durationMs: number };

/**
 * A robot that can be sent somewhere. One motion at a time: a new one pre-empts the old, which settles first.
 * Whatever ends a motion (result, abort, timeout, lost lease, starvation), the actuators are in their safe
 * state before the promise settles. Motions settle with an outcome; they reject only with an EdgeError when
 * the robot cannot be asked at all (`robot.unreachable`, `robot.not_supported`, `cell.restarted`).
 */
export interface Robot {
  state(): Promise<RobotState>;
  /** The occupancy map known so far; undefined where the robot has none yet. */
  map(): Promise<MapSnapshot | undefined>;
  navigate(goal: NavigateGoal, signal?: AbortSignal): Promise<MotionResult>;
  maneuver(step: Maneuver, signal?: AbortSignal): Promise<MotionResult>;
  /** Stops now. Safe to call at any time, any number of times. */
  stop(reason: string): Promise<void>;
}

/** Joint positions in radians or metres by joint name; one point in time. */
export type JointTarget = {
  readonly positions: Readonly<Record<string, number>>;
  readonly timeFromStartMs: number;
};

/** A robot with an arm. The same promises about stopping as `Robot`. */
export interface Manipulator {
  followTrajectory(points: readonly JointTarget[], signal?: AbortSignal): Promise<MotionResult>;
  /** Opening in metres, effort in newtons. */
  gripper(opening: number, effort: number, signal?: AbortSignal): Promise<MotionResult>;
  stop(reason: string): Promise<void>;
}
