import type * as cells from '../bodies/cells.ts';
import type { BodyOf } from '../bodies/kit.ts';
import type * as schemas from '../bodies/motion.ts';
import type { GoalOf } from '../motion/goals.ts';

/** Position in metres and heading in radians (counter-clockwise from +x), in a named frame (REP-105). */
export type Pose2d = BodyOf<typeof schemas.Pose2d>;
export type RobotState = BodyOf<typeof schemas.RobotState>;
/** Metres per second forward and radians per second counter-clockwise, in `base_link` (REP-103). */
export type Twist2d = RobotState['twist'];
/** Occupancy as in nav_msgs/OccupancyGrid: row-major from the origin corner; -1 unknown, 0 free, 100 occupied. */
export type MapSnapshot = BodyOf<typeof schemas.MapSnapshot>;

/**
 * A place in `map` and how near counts as reached, metres; `timeoutMs` of robot time for the whole way, `via` to pass
 * each place in this order within `tolerance`. With `alignYaw` a heading within 0.2 rad is part of the goal.
 */
export type NavigateGoal = GoalOf<'navigate'>;

export type MotionResult = BodyOf<typeof schemas.MotionReply>;

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
export type JointReading = BodyOf<typeof schemas.JointReading>;
export type ArmState = BodyOf<typeof schemas.ArmState>;
/** An arm as it can be drawn: joints between their limits, and where they are by forward kinematics. */
export type ArmFigure = BodyOf<typeof schemas.ArmFigure>;

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
export type DiagnosticLevel = Diagnostic['level'];

export type Diagnostic = BodyOf<typeof cells.Diagnostic>;

/** sensor_msgs/BatteryState; values that the robot does not measure are undefined. */
export type BatteryReading = BodyOf<typeof cells.BatteryReading>;

/** What the robot reports about itself besides its pose. */
export type RobotHealth = BodyOf<typeof cells.RobotHealth>;
