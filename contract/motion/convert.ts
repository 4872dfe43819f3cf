import type { Static } from 'typebox';
import { fromWireTime, toWireTime } from '../nanoseconds.ts';
import type { MotionResult } from '../ports/robot.ts';
import type { Frozen, GoalOf } from './goals.ts';
import { MOTION_DEFAULTS } from './limits.ts';
import type * as wire from './wire.ts';

type Wire<K extends keyof typeof wire> = Frozen<Static<(typeof wire)[K]>>;
export type NavigateArgs = Wire<'NavigateArgs'>;
export type NavigateBody = Wire<'NavigateBody'>;
export type ManeuverArgs = Wire<'ManeuverArgs'>;
export type MoveArgs = Wire<'MoveArgs'>;
export type TrajectoryBody = Wire<'TrajectoryBody'>;
export type GripperArgs = Wire<'GripperArgs'>;
export type MotionView = Wire<'MotionView'>;

type DriveOptions = Pick<NavigateBody, 'tolerance_m' | 'timeout_ms' | 'via'>;

/** Defaults stand for what is left out only: a null stays what it is, and is refused. */
function navigate(pose: NavigateBody['pose'], options: DriveOptions, align: boolean | undefined) {
  const {
    tolerance_m: tolerance = MOTION_DEFAULTS.TOLERANCE_M,
    timeout_ms: timeoutMs = MOTION_DEFAULTS.NAVIGATE_MS,
    via,
  } = options;
  return {
    ...{ pose, tolerance, timeoutMs },
    ...(align === undefined ? {} : { alignYaw: align }),
    ...(via === undefined ? {} : { via }),
  };
}

export function goalOfNavigateArgs(args: NavigateArgs): GoalOf<'navigate'> {
  const { x, y, yaw, align_yaw = yaw === undefined ? undefined : true } = args;
  return navigate({ x, y, yaw: yaw === undefined ? 0 : yaw }, args, align_yaw);
}

export function goalOfNavigateBody(body: NavigateBody): GoalOf<'navigate'> {
  return navigate(body.pose, body, body.align_yaw);
}

/** A goal as the log and the policies see it: the arguments that lead to it again. */
export function navigateArgs({ pose, tolerance, timeoutMs, alignYaw, via }: GoalOf<'navigate'>) {
  return {
    ...pose,
    tolerance_m: tolerance,
    timeout_ms: timeoutMs,
    ...(alignYaw === undefined ? {} : { align_yaw: alignYaw }),
    ...(via === undefined ? {} : { via }),
  } satisfies NavigateArgs;
}

export function goalOfManeuver(args: ManeuverArgs): GoalOf<'maneuver'> {
  if (args.kind === 'drive') return { kind: args.kind, distance: args.distance_m };
  if (args.kind === 'spin') return { kind: args.kind, angle: args.angle_rad };
  return { kind: args.kind, durationMs: args.wait_ms };
}

export function maneuverArgs(step: GoalOf<'maneuver'>): ManeuverArgs {
  if (step.kind === 'drive') return { kind: step.kind, distance_m: step.distance };
  if (step.kind === 'spin') return { kind: step.kind, angle_rad: step.angle };
  return { kind: step.kind, wait_ms: step.durationMs };
}

export function goalOfMove({ joints, duration_s }: MoveArgs): GoalOf<'follow'> {
  const timeFromStartMs = duration_s === undefined ? MOTION_DEFAULTS.MOVE_MS : duration_s * 1_000;
  return { points: [{ positions: joints, timeFromStartMs }] };
}

export function goalOfTrajectory({ points }: TrajectoryBody): GoalOf<'follow'> {
  return {
    points: points.map(({ positions, time_from_start_ms }) => ({
      positions,
      timeFromStartMs: time_from_start_ms,
    })),
  };
}

export function goalOfGripper({ opening_m, effort_n }: GripperArgs): GoalOf<'gripper'> {
  return { opening: opening_m, effort: effort_n };
}

export function motionView({ pose, distance, durationMs, time, ...rest }: MotionResult): MotionView {
  return {
    ...rest,
    ...(pose ? { pose } : {}),
    distance_m: distance,
    duration_ms: durationMs,
    time_ns: toWireTime(time),
  };
}

/** Longest message of a result in the log, characters. */
const MESSAGE_CHARS = 512;

/** A motion result as the log holds it, and back. */
export function resultToLog(result: MotionResult): Record<string, unknown> {
  const pose = result.pose === undefined ? {} : { pose: { ...result.pose } };
  return {
    outcome: result.outcome,
    ...pose,
    distance_m: result.distance,
    duration_ms: result.durationMs,
    robot_time_ns: toWireTime(result.time),
    message: result.message.slice(0, MESSAGE_CHARS),
  };
}

export function resultFromLog(logged: Readonly<Record<string, unknown>>): MotionResult {
  const time = logged['robot_time_ns'];
  return {
    outcome: logged['outcome'] as MotionResult['outcome'],
    pose: logged['pose'] as MotionResult['pose'],
    distance: Number(logged['distance_m']),
    durationMs: Number(logged['duration_ms']),
    time: typeof time === 'string' ? fromWireTime(time) : 0n,
    message: String(logged['message']),
  };
}
