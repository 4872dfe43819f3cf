import { Type } from 'typebox';
import {
  checker,
  EdgeError,
  type Maneuver,
  type MotionResult,
  type NavigateGoal,
  toWireTime,
} from '../../contract/index.ts';

/** The robot's abilities as tools: strict schemas with units and ranges, and their place in the log. */
const closed = { additionalProperties: false } as const;
const Metres = (max: number, description: string) =>
  Type.Number({ minimum: -max, maximum: max, description });

const Pose = Type.Object(
  {
    x: Metres(100_000, 'metres in map'),
    y: Metres(100_000, 'metres in map'),
    yaw: Type.Number({ minimum: -100, maximum: 100, description: 'radians, counter-clockwise from +x' }),
  },
  closed,
);

const goalChecker = checker(
  Type.Object(
    {
      pose: Pose,
      tolerance: Type.Number({ minimum: 0.01, maximum: 10, description: 'metres that count as reached' }),
      timeoutMs: Type.Number({ exclusiveMinimum: 0, maximum: 86_400_000, description: 'robot time' }),
      alignYaw: Type.Optional(Type.Boolean()),
    },
    closed,
  ),
);

const maneuverChecker = checker(
  Type.Union([
    Type.Object(
      { kind: Type.Literal('drive'), distance: Metres(10, 'metres, negative is backwards') },
      closed,
    ),
    Type.Object(
      {
        kind: Type.Literal('spin'),
        angle: Type.Number({ minimum: -50, maximum: 50, description: 'radians' }),
      },
      closed,
    ),
    Type.Object(
      { kind: Type.Literal('wait'), durationMs: Type.Number({ minimum: 0, maximum: 600_000 }) },
      closed,
    ),
  ]),
);

const finite = Type.Number();
const resultChecker = checker(
  Type.Object(
    {
      outcome: Type.Enum(['reached', 'no_path', 'stuck', 'timeout', 'preempted', 'stopped', 'starved']),
      pose: Type.Optional(Type.Object({ x: finite, y: finite, yaw: finite }, closed)),
      distance: finite,
      durationMs: Type.Number({ minimum: 0 }),
      time: Type.BigInt({ minimum: 0n }),
      message: Type.String(),
    },
    closed,
  ),
);

/** Throws `schema.invalid`; NaN, strings and unknown fields never reach a robot. */
export function checkGoal(goal: unknown): NavigateGoal {
  return goalChecker.parse(goal, 'robot.navigate');
}

export function checkManeuver(step: unknown): Maneuver {
  return maneuverChecker.parse(step, 'robot.maneuver');
}

/** What came back from the robot, or `robot.unreachable` where it is no motion result. */
export function checkMotionResult(value: unknown, operation: string): MotionResult {
  const compact = (value as { pose?: unknown } | null)?.pose === undefined ? withoutPose(value) : value;
  const fault = resultChecker.fault(compact);
  if (fault === undefined) return value as MotionResult;
  throw new EdgeError('robot.unreachable', {
    operation,
    subject: 'robot',
    message: `the robot answered with something else than a motion result: ${fault}`,
  });
}

function withoutPose(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { pose: _pose, ...rest } = value as Record<string, unknown>;
  return rest;
}

export function goalArgs(goal: NavigateGoal): Record<string, unknown> {
  const align = goal.alignYaw === undefined ? {} : { align_yaw: goal.alignYaw };
  const { x, y, yaw } = goal.pose;
  return { x, y, yaw, tolerance_m: goal.tolerance, timeout_ms: goal.timeoutMs, ...align };
}

export function maneuverArgs(step: Maneuver): Record<string, unknown> {
  switch (step.kind) {
    case 'drive':
      return { kind: step.kind, distance_m: step.distance };
    case 'spin':
      return { kind: step.kind, angle_rad: step.angle };
    case 'wait':
      return { kind: step.kind, wait_ms: step.durationMs };
  }
}

/** A motion result as the log holds it, and back. */
export function resultToLog(result: MotionResult): Record<string, unknown> {
  const pose = result.pose === undefined ? {} : { pose: { ...result.pose } };
  return {
    outcome: result.outcome,
    ...pose,
    distance_m: result.distance,
    duration_ms: result.durationMs,
    robot_time_ns: toWireTime(result.time),
    message: result.message.slice(0, 512),
  };
}

export function resultFromLog(logged: Readonly<Record<string, unknown>>): MotionResult {
  const time = logged['robot_time_ns'];
  return {
    outcome: logged['outcome'] as MotionResult['outcome'],
    pose: logged['pose'] as MotionResult['pose'],
    distance: Number(logged['distance_m']),
    durationMs: Number(logged['duration_ms']),
    time: typeof time === 'string' ? BigInt(time) : 0n,
    message: String(logged['message']),
  };
}

/** The slowest a base is expected to drive or turn while it still makes progress. */
const SLOWEST_M_PER_S = 0.03;
const SLOWEST_RAD_PER_S = 0.1;

/** Robot time a manoeuvre may take, milliseconds. */
export function maneuverTimeMs(step: Maneuver): number {
  switch (step.kind) {
    case 'drive':
      return 2_000 + (Math.abs(step.distance) / SLOWEST_M_PER_S) * 1000;
    case 'spin':
      return 2_000 + (Math.abs(step.angle) / SLOWEST_RAD_PER_S) * 1000;
    case 'wait':
      return 1_000 + step.durationMs;
  }
}

/**
 * Wall time after which a motion counts as deaf. Robot time may run slower than wall time: a simulation on a
 * busy host reaches a quarter of real time.
 */
export function motionDeadlineMs(robotTimeMs: number): number {
  return Math.ceil(robotTimeMs * 4 + 5_000);
}
