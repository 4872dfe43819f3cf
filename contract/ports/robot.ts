import type { GoalOf } from '../motion/goals.ts';
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

/**
 * A place in `map` and how near counts as reached, metres; `timeoutMs` of robot time for the whole way, `via` to pass
 * each place in this order within `tolerance`. With `alignYaw` a heading within 0.2 rad is part of the goal.
 */
export type NavigateGoal = GoalOf<'navigate'>;

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
export type Maneuver = GoalOf<'maneuver'>;

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
  /**
   * Stops now, including motions that still wait for another one to end. Safe to call at any time, any number of times.
   */
  stop(reason: string): Promise<void>;
}

/** Points in time order; each has positions in radians or metres by joint name. */
export type TrajectoryGoal = GoalOf<'follow'>;
export type JointTarget = TrajectoryGoal['points'][number];
/** Opening in metres, effort in newtons. */
export type GripperGoal = GoalOf<'gripper'>;

/** One joint as sensor_msgs/JointState reports it: radians or metres, per second, newton metres or newtons. */
export type JointReading = {
  readonly position: number;
  readonly velocity: number | undefined;
  readonly effort: number | undefined;
};

export type ArmState = {
  /** Time of the newest joint states, nanoseconds; undefined before the first. */
  readonly time: Nanoseconds | undefined;
  readonly joints: Readonly<Record<string, JointReading>>;
  readonly motion: 'idle' | 'moving' | 'stopped';
  /** Joint states of all its joints arrive. */
  readonly connected: boolean;
};

/** An arm as it can be drawn: joints between their limits, and where they are by forward kinematics. */
export type ArmFigure = {
  readonly motion: ArmState['motion'];
  readonly connected: boolean;
  /** Radians, or metres where it slides. `position` is absent until it is reported, limits where none are known. */
  readonly joints: readonly {
    readonly name: string;
    readonly kind: 'turns' | 'slides' | 'unknown';
    readonly position?: number;
    readonly lower?: number;
    readonly upper?: number;
  }[];
  /** Joint that opens the gripper, among `joints`; absent: none is known. */
  readonly gripper?: string;
  /** Link that the points are in. */
  readonly frame: string;
  /** Origins of the links from `frame` to the tool, metres; empty where they are not known. */
  readonly points: readonly {
    readonly link: string;
    readonly x: number;
    readonly y: number;
    readonly z: number;
  }[];
  /** Why there are no points; empty if there are some. */
  readonly reason: string;
};

/**
 * A robot with an arm. One motion at a time, arm and gripper alike: a new one pre-empts the old, which settles
 * first. The same promises about stopping as `Robot`: an arm that stops holds its position.
 */
export interface Manipulator {
  state(): Promise<ArmState>;
  /**
   * Where joints are as of now, with those that are not of the arm but may carry it, such as a lift; joints without a
   * recent report are left out. Absent: those of `state` are all there are.
   */
  measured?(): ArmState['joints'];
  /**
   * Points in time order, each with all joints of the arm or a part of them. Rejects with `schema.invalid` for a joint
   * that this arm does not have and for times that do not grow. `check` gets the positions of the joints (`measured`)
   * when it starts, after the pre-empted motion came to rest. If it throws, the call rejects with that error and
   * nothing moves.
   */
  followTrajectory(
    points: readonly JointTarget[],
    signal?: AbortSignal,
    check?: (joints: ArmState['joints']) => void,
  ): Promise<MotionResult>;
  /** Opening in metres, effort in newtons. A gripper that meets an object on its way counts as reached. */
  gripper(opening: number, effort: number, signal?: AbortSignal): Promise<MotionResult>;
  /** Stops now: also what still waits for another motion to end. Safe to call at any time, any number of times. */
  stop(reason: string): Promise<void>;
}

/** Health of a part of the robot, by the levels of diagnostic_msgs/DiagnosticStatus. */
export type DiagnosticLevel = 'ok' | 'warn' | 'error' | 'stale';

export type Diagnostic = {
  readonly name: string;
  readonly level: DiagnosticLevel;
  readonly message: string;
  readonly hardwareId: string;
};

/** sensor_msgs/BatteryState; values that the robot does not measure are undefined. */
export type BatteryReading = {
  /** 0 to 1. */
  readonly charge: number | undefined;
  readonly voltage: number | undefined;
  /** Amperes, negative while it discharges. */
  readonly current: number | undefined;
  readonly status: 'unknown' | 'charging' | 'discharging' | 'not_charging' | 'full';
};

/** What the robot reports about itself besides its pose. */
export type RobotHealth = {
  readonly battery: BatteryReading | undefined;
  /** Worst first, then by name. */
  readonly diagnostics: readonly Diagnostic[];
  /** Newest joint states by joint name. */
  readonly joints: Readonly<Record<string, JointReading>>;
};
