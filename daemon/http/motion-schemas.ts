import { WireTime } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';

/** Shapes of motions at the API; the execution cell checks them again, with the limits of the robot. */

const closed = { additionalProperties: false } as const;

const Pose = Type.Object(
  {
    x: Type.Number({ minimum: -10_000, maximum: 10_000, description: 'metres in map' }),
    y: Type.Number({ minimum: -10_000, maximum: 10_000, description: 'metres in map' }),
    yaw: Type.Number({ minimum: -1_000, maximum: 1_000, description: 'radians, counter-clockwise from +x' }),
  },
  closed,
);

export const NavigateBody = Type.Object(
  {
    pose: Pose,
    tolerance_m: Type.Optional(Type.Number({ minimum: 0.02, maximum: 10, description: 'default 0.25' })),
    timeout_ms: Type.Optional(
      Type.Number({ minimum: 1, maximum: 3_600_000, description: 'robot time; default 120000' }),
    ),
    align_yaw: Type.Optional(Type.Boolean({ description: 'the heading is part of the goal' })),
    via: Type.Optional(Type.Array(Pose, { maxItems: 100, description: 'places to pass on the way' })),
  },
  closed,
);

export const ManeuverBody = Type.Union([
  Type.Object(
    {
      kind: Type.Literal('drive'),
      distance_m: Type.Number({ minimum: -5, maximum: 5, description: 'negative is backwards' }),
    },
    closed,
  ),
  Type.Object(
    {
      kind: Type.Literal('spin'),
      angle_rad: Type.Number({ minimum: -25, maximum: 25, description: 'counter-clockwise' }),
    },
    closed,
  ),
  Type.Object(
    { kind: Type.Literal('wait'), wait_ms: Type.Number({ minimum: 0, maximum: 3_600_000 }) },
    closed,
  ),
]);

export const TrajectoryBody = Type.Object(
  {
    points: Type.Array(
      Type.Object(
        {
          positions: Type.Record(Type.String(), Type.Number({ minimum: -1_000, maximum: 1_000 }), {
            description: 'radians or metres by joint name',
          }),
          time_from_start_ms: Type.Number({ minimum: 0, maximum: 3_600_000 }),
        },
        closed,
      ),
      { minItems: 1, maxItems: 10_000 },
    ),
  },
  closed,
);

export const GripperBody = Type.Object(
  {
    opening_m: Type.Number({ minimum: 0, maximum: 1 }),
    effort_n: Type.Number({ minimum: 0, maximum: 1_000, description: 'at most this force' }),
  },
  closed,
);

export const MotionView = Type.Object(
  {
    outcome: Type.Enum(['reached', 'no_path', 'stuck', 'timeout', 'preempted', 'stopped', 'starved']),
    message: Type.String(),
    pose: Type.Optional(Pose),
    distance_m: Type.Number(),
    duration_ms: Type.Number({ description: 'robot time' }),
    time_ns: WireTime,
  },
  closed,
);

export const ArmFigureView = Type.Object(
  {
    motion: Type.Enum(['idle', 'moving', 'stopped']),
    connected: Type.Boolean({ description: 'joint states of all joints arrive' }),
    joints: Type.Array(
      Type.Object({
        name: Type.String(),
        kind: Type.Enum(['turns', 'slides', 'unknown']),
        position: Type.Optional(Type.Number({ description: 'radians or metres' })),
        lower: Type.Optional(Type.Number()),
        upper: Type.Optional(Type.Number()),
      }),
    ),
    gripper: Type.Optional(Type.String({ description: 'joint that opens it' })),
    frame: Type.String({ description: 'link that the points are in' }),
    points: Type.Array(
      Type.Object({ link: Type.String(), x: Type.Number(), y: Type.Number(), z: Type.Number() }),
      { description: 'origins of the links up to the tool, metres; empty where they are not known' },
    ),
    reason: Type.String({ description: 'why there are no points; else empty' }),
  },
  closed,
);

export const ArmView = Type.Object(
  {
    connected: Type.Boolean({ description: 'joint states of all joints arrive' }),
    motion: Type.Enum(['idle', 'moving', 'stopped']),
    joints: Type.Record(
      Type.String(),
      Type.Object({
        position: Type.Number({ description: 'radians or metres' }),
        velocity: Type.Optional(Type.Number()),
        effort: Type.Optional(Type.Number()),
      }),
    ),
    time_ns: Type.Optional(WireTime),
  },
  closed,
);
