import { WireTime } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';

/** Shapes of the arm at the API; those of motions are `motionSchemas` of the contract. */

const closed = { additionalProperties: false } as const;

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
