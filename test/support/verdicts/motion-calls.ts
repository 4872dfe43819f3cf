import fc from 'fast-check';
import {
  type GoalOf,
  goalOfGripper,
  goalOfManeuver,
  goalOfMove,
  goalOfNavigateArgs,
  goalOfTrajectory,
  type MotionKind,
} from '../../../contract/index.ts';

/** Numbers about the limits, far beyond them, and things that are no numbers. */
const value = fc.oneof(
  { weight: 6, arbitrary: fc.double({ min: -1.2, max: 1.2, noNaN: true }) },
  {
    weight: 6,
    arbitrary: fc.constantFrom(0, 0.01, 0.02, 0.2, 0.25, 1, 5, 5.01, 6.3, 6.4, 10, 25, 25.2, 40, 100, 101),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom(300, 301, 600_000, 600_001, 3_600_000, 3_600_001, 1e4, 5e4, 1e30, -1, -6),
  },
  { weight: 2, arbitrary: fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, -Number.MAX_VALUE) },
  { weight: 2, arbitrary: fc.constantFrom('1', null, true, {}, []) },
);
/** Mostly within the range, so that calls of many fields are taken too. */
const near = (min: number, max: number) =>
  fc.oneof({ weight: 12, arbitrary: fc.double({ min, max, noNaN: true }) }, { weight: 1, arbitrary: value });
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 3 });
/** Without the keys that are absent. */
const object = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc
    .record(fields)
    .map((made) => Object.fromEntries(Object.entries(made).filter(([, at]) => at !== undefined)));
const joints = fc.dictionary(fc.constantFrom('joint_1', 'joint_2', 'lift', '', 'a b'), value, {
  maxKeys: 3,
  noNullPrototype: true,
});

/** A motion as callers say it, and what each border makes of it. */
export type MotionBorder = {
  readonly kind: MotionKind;
  readonly calls: fc.Arbitrary<Record<string, unknown>>;
  readonly tool?: string;
  readonly path?: string;
  /** The same call as the body of the endpoint. */
  readonly body?: (call: Record<string, unknown>) => unknown;
  readonly goal: (call: never) => GoalOf<MotionKind>;
};

export const MOTIONS: Readonly<Record<string, MotionBorder>> = {
  navigate: {
    kind: 'navigate',
    calls: object({
      x: near(-10_000, 10_000),
      y: near(-10_000, 10_000),
      yaw: near(-6.3, 6.3),
      tolerance_m: maybe(near(0.02, 10)),
      timeout_ms: maybe(near(1, 3_600_000)),
      align_yaw: maybe(fc.oneof({ weight: 9, arbitrary: fc.boolean() }, { weight: 1, arbitrary: value })),
      via: maybe(
        fc.array(
          object({ x: near(-1, 1), y: near(-1, 1), yaw: fc.option(near(-1, 1), { nil: undefined }) }),
          {
            maxLength: 2,
          },
        ),
      ),
      // A field that no goal has.
      speed: fc.oneof({ weight: 19, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value }),
    }),
    tool: 'robot.navigate',
    path: '/v1/robot/navigate',
    body: ({ x, y, yaw, ...rest }) => ({ pose: { x, y, yaw }, ...rest }),
    goal: goalOfNavigateArgs,
  },
  maneuver: {
    kind: 'maneuver',
    calls: fc.oneof(
      object({ kind: fc.constant('drive'), distance_m: maybe(value) }),
      object({ kind: fc.constant('spin'), angle_rad: value }),
      object({ kind: fc.constant('wait'), wait_ms: value }),
      object({ kind: value, distance_m: value }),
    ),
    tool: 'robot.maneuver',
    path: '/v1/robot/maneuver',
    body: (call) => call,
    goal: goalOfManeuver,
  },
  move: {
    kind: 'follow',
    calls: object({ joints: fc.oneof(joints, value), duration_s: maybe(fc.constantFrom(0.2, 4, 300)) }),
    tool: 'arm.move',
    goal: goalOfMove,
  },
  trajectory: {
    kind: 'follow',
    calls: object({
      points: fc.oneof(
        fc.array(object({ positions: joints, time_from_start_ms: value }), { maxLength: 3 }),
        value,
      ),
    }),
    path: '/v1/arm/trajectory',
    body: (call) => call,
    goal: goalOfTrajectory,
  },
  gripper: {
    kind: 'gripper',
    calls: object({ opening_m: value, effort_n: value }),
    tool: 'arm.gripper',
    path: '/v1/arm/gripper',
    body: (call) => call,
    goal: goalOfGripper,
  },
};
