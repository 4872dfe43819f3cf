import { Type } from 'typebox';
import { WireTime } from '../time.ts';
import {
  AlignYaw,
  Angle,
  Distance,
  Effort,
  JointPositions,
  MOTION_OUTCOMES,
  Opening,
  Place,
  PointTime,
  Pose,
  Timeout,
  Tolerance,
  Via,
  WaitMs,
  Yaw,
} from './goals.ts';
import { MOTION_DEFAULTS, MOTION_LIMITS } from './limits.ts';

/**
 * Motions as people, models and programs write them: units stand in the names, and fields with a default may be left
 * out. The fields are those of the goals, so a value that one border refuses is refused by all of them.
 */
const closed = { additionalProperties: false } as const;
const noted = <T extends object>(schema: T, note: string): T => ({
  ...schema,
  description: `${(schema as { description?: string }).description}; ${note} where absent`,
});

const driveOptions = {
  tolerance_m: Type.Optional(noted(Tolerance, `${MOTION_DEFAULTS.TOLERANCE_M}`)),
  timeout_ms: Type.Optional(noted(Timeout, `${MOTION_DEFAULTS.NAVIGATE_MS}`)),
  align_yaw: Type.Optional(AlignYaw),
  via: Type.Optional(Via),
};

/** Arguments of `robot.navigate`. A heading that is given is part of the goal unless `align_yaw` is false. */
export const NavigateArgs = Type.Object(
  {
    x: Place('goal in the map frame, along x'),
    y: Place('goal in the map frame, along y'),
    yaw: Type.Optional(noted(Yaw, 'any')),
    ...driveOptions,
  },
  closed,
);

/** Body of `POST /v1/robot/navigate`. */
export const NavigateBody = Type.Object({ pose: Pose, ...driveOptions }, closed);

/** Arguments of `robot.maneuver` and body of `POST /v1/robot/maneuver`. */
export const ManeuverArgs = Type.Union([
  Type.Object({ kind: Type.Literal('drive'), distance_m: Distance }, closed),
  Type.Object({ kind: Type.Literal('spin'), angle_rad: Angle }, closed),
  Type.Object({ kind: Type.Literal('wait'), wait_ms: WaitMs }, closed),
]);

/** Arguments of `arm.move`: a trajectory of one point. */
export const MoveArgs = Type.Object(
  {
    joints: JointPositions,
    duration_s: Type.Optional(
      Type.Number({
        minimum: MOTION_LIMITS.MOVE_MS_MIN / 1_000,
        maximum: MOTION_LIMITS.MOVE_MS_MAX / 1_000,
        description: `time to be there, seconds of robot time; slower is safer; ${MOTION_DEFAULTS.MOVE_MS / 1_000} where absent`,
      }),
    ),
  },
  closed,
);

/** Body of `POST /v1/arm/trajectory`. */
export const TrajectoryBody = Type.Object(
  {
    points: Type.Array(Type.Object({ positions: JointPositions, time_from_start_ms: PointTime }, closed), {
      minItems: 1,
      maxItems: MOTION_LIMITS.POINTS,
    }),
  },
  closed,
);

/** Arguments of `arm.gripper` and body of `POST /v1/arm/gripper`. */
export const GripperArgs = Type.Object({ opening_m: Opening, effort_n: Effort }, closed);

const finite = Type.Number();
/** How a motion ended, at the API. A measured pose may be outside of the range of goals. */
export const MotionView = Type.Object(
  {
    outcome: Type.Enum([...MOTION_OUTCOMES]),
    message: Type.String(),
    pose: Type.Optional(Type.Object({ x: finite, y: finite, yaw: finite }, closed)),
    distance_m: finite,
    duration_ms: Type.Number({ description: 'robot time' }),
    time_ns: WireTime,
  },
  closed,
);
