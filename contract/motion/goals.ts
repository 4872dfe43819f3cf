import { type Static, Type } from 'typebox';
import { MOTION_LIMITS as MOST } from './limits.ts';

/**
 * The goals of motions as cells and ports know them. This is the one definition: tools, HTTP bodies, MCP schemas and
 * the checks of the execution cell are made from these fields. Units are metres, radians, newtons and milliseconds of
 * robot time; frames are those of REP-105.
 */
const closed = { additionalProperties: false } as const;

export const Place = (description: string) =>
  Type.Number({ minimum: -MOST.PLACE_M, maximum: MOST.PLACE_M, description: `${description}, metres` });
export const Yaw = Type.Number({
  minimum: -MOST.YAW_RAD,
  maximum: MOST.YAW_RAD,
  description: 'heading in the map frame, counter-clockwise from +x, radians',
});
export const Tolerance = Type.Number({
  minimum: MOST.TOLERANCE_M_MIN,
  maximum: MOST.TOLERANCE_M_MAX,
  description: 'distance from the goal that counts as reached, metres',
});
export const Timeout = Type.Number({
  minimum: 1,
  maximum: MOST.TIMEOUT_MS_MAX,
  description: 'robot time that the motion may take, milliseconds',
});
export const AlignYaw = Type.Boolean({ description: 'the heading is part of the goal' });
export const Distance = Type.Number({
  minimum: -MOST.DRIVE_M,
  maximum: MOST.DRIVE_M,
  description: 'straight ahead; negative is backwards, metres',
});
export const Angle = Type.Number({
  minimum: -MOST.SPIN_RAD,
  maximum: MOST.SPIN_RAD,
  description: 'on the spot, counter-clockwise, radians',
});
export const WaitMs = Type.Number({
  minimum: 0,
  maximum: MOST.WAIT_MS,
  description: 'stand still this long, milliseconds of robot time',
});
export const JointPosition = Type.Number({
  minimum: -MOST.JOINT,
  maximum: MOST.JOINT,
  description: 'target, radians (metres for a joint that slides)',
});
export const JointPositions = Type.Record(
  Type.String({ pattern: '^[A-Za-z_][A-Za-z0-9_./-]{0,127}$' }),
  JointPosition,
  {
    ...closed,
    minProperties: 1,
    maxProperties: MOST.JOINTS,
    description: 'target by joint name; joints that are absent stay',
  },
);
export const PointTime = Type.Number({
  minimum: 0,
  maximum: MOST.TIMEOUT_MS_MAX,
  description: 'from the start of the trajectory, milliseconds of robot time',
});
export const Opening = Type.Number({
  minimum: 0,
  maximum: MOST.OPENING_M,
  description: 'between the fingers; 0 is closed, metres',
});
export const Effort = Type.Number({
  minimum: 0,
  maximum: MOST.EFFORT_N,
  description: 'at most this force, newtons',
});

export const Pose = Type.Object(
  { x: Place('in the map frame, along x'), y: Place('in the map frame, along y'), yaw: Yaw },
  closed,
);
export const Via = Type.Array(Pose, {
  maxItems: MOST.VIA,
  description: 'places to pass in this order on the way',
});

export const NavigateGoal = Type.Object(
  {
    pose: Pose,
    tolerance: Tolerance,
    timeoutMs: Timeout,
    alignYaw: Type.Optional(AlignYaw),
    via: Type.Optional(Via),
  },
  closed,
);

export const Maneuver = Type.Union([
  Type.Object({ kind: Type.Literal('drive'), distance: Distance }, closed),
  Type.Object({ kind: Type.Literal('spin'), angle: Angle }, closed),
  Type.Object({ kind: Type.Literal('wait'), durationMs: WaitMs }, closed),
]);

export const JointTarget = Type.Object({ positions: JointPositions, timeFromStartMs: PointTime }, closed);

export const TrajectoryGoal = Type.Object(
  { points: Type.Array(JointTarget, { minItems: 1, maxItems: MOST.POINTS }) },
  closed,
);

export const GripperGoal = Type.Object({ opening: Opening, effort: Effort }, closed);

/** Goals by the name of their motion. */
export const MOTION_GOALS = {
  navigate: NavigateGoal,
  maneuver: Maneuver,
  follow: TrajectoryGoal,
  gripper: GripperGoal,
} as const;

export const MOTION_OUTCOMES = [
  'reached',
  'no_path',
  'stuck',
  'timeout',
  'preempted',
  'stopped',
  'starved',
] as const;
const Outcome = Type.Enum([...MOTION_OUTCOMES]);
const finite = Type.Number();

/** How a motion ended, as cells know it. */
export const MotionResult = Type.Object(
  {
    outcome: Outcome,
    pose: Type.Optional(Type.Object({ x: finite, y: finite, yaw: finite }, closed)),
    distance: finite,
    durationMs: Type.Number({ minimum: 0 }),
    time: Type.BigInt({ minimum: 0n }),
    message: Type.String(),
  },
  closed,
);

export type MotionKind = keyof typeof MOTION_GOALS;
/** A goal of that motion; receivers do not change it. */
export type GoalOf<K extends MotionKind> = Frozen<Static<(typeof MOTION_GOALS)[K]>>;

export type Frozen<T> = T extends ArrayBufferView
  ? T
  : T extends object
    ? { readonly [K in keyof T]: Frozen<T[K]> }
    : T;
