import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  checker,
  type GoalOf,
  goalOfGripper,
  goalOfManeuver,
  goalOfMove,
  goalOfNavigateArgs,
  goalOfTrajectory,
  MOTION_METHODS,
  type MotionKind,
  type MotionResult,
  maneuverArgs,
  motionFacts,
  motionFits,
  motionSchemas,
  navigateArgs,
} from '../../contract/index.ts';
import { goalFault } from '../../contract/motion/checkers.ts';
import { withMotion } from '../../daemon/execution/robot-requests.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeHouse } from '../support/house.ts';
import { type Rig, startRig } from '../support/http-rig.ts';

const SEED = Number(process.env['SEED'] ?? 20261123);
const RUNS = 2_500;
/** Calls that also go through a real server: a round trip each. */
const HTTP_RUNS = 300;

const NOW = { madeAtMs: 0, clock: new ManualClock() };
const REACHED: MotionResult = {
  outcome: 'reached',
  pose: undefined,
  distance: 0,
  durationMs: 1,
  time: 1n,
  message: '',
};

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

type Border = {
  readonly kind: MotionKind;
  readonly calls: fc.Arbitrary<Record<string, unknown>>;
  readonly tool?: string;
  readonly path?: string;
  /** The same call as the body of the endpoint. */
  readonly body?: (call: Record<string, unknown>) => unknown;
  readonly goal: (call: never) => GoalOf<MotionKind>;
};

const BORDERS: Readonly<Record<string, Border>> = {
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
      speed: fc.option(value, { nil: undefined, freq: 20 }),
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

/** The verdict of the execution cell on what a border made of the call. A field that no goal has is the border's to see. */
function executionTakes({ kind, goal }: Border, call: unknown): boolean {
  try {
    const made = goal(call as never);
    const fits = motionFits(kind, made);
    expect(goalFault(kind, made) === undefined, 'schemas and the code made of them agree').toBe(fits);
    return fits;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

const SCHEMAS = {
  navigate: checker(motionSchemas.NavigateArgs),
  maneuver: checker(motionSchemas.ManeuverArgs),
  move: checker(motionSchemas.MoveArgs),
  trajectory: checker(motionSchemas.TrajectoryBody),
  gripper: checker(motionSchemas.GripperArgs),
};
/** Fields that a conversion does not look at: the schema of the border refuses them. */
const strange = (name: string, call: unknown) =>
  name === 'navigate' ? Object.hasOwn(call as object, 'speed') : false;

describe.each(Object.entries(BORDERS))('the motion %s', (name, border) => {
  it(`has one verdict as a call and as a goal, ${RUNS} calls, seed ${SEED}`, () => {
    let taken = 0;
    fc.assert(
      fc.property(border.calls, (call) => {
        const asked = SCHEMAS[name as keyof typeof SCHEMAS].is(call);
        if (asked) taken += 1;
        if (!strange(name, call)) expect(executionTakes(border, call)).toBe(asked);
      }),
      { seed: SEED, numRuns: RUNS },
    );
    // A generator that is refused always would prove nothing.
    expect(taken).toBeGreaterThan(20);
    expect(taken).toBeLessThan(RUNS - 20);
  });

  if (border.tool !== undefined)
    it('is offered to agents with that very schema', () => {
      const clock = new ManualClock();
      const { input } = makeHouse(new FakeBus(clock), clock).named(border.tool!).spec;
      expect(JSON.parse(JSON.stringify(input))).toEqual(
        JSON.parse(JSON.stringify(SCHEMAS[name as keyof typeof SCHEMAS].schema)),
      );
    });
});

describe('the API before the execution cell', () => {
  let rig: Rig;
  let begun = 0;
  beforeAll(async () => {
    rig = await startRig();
    for (const kind of ['navigate', 'maneuver', 'follow', 'gripper'] as const)
      rig.answers.set(MOTION_METHODS[kind], (body) =>
        withMotion(kind, body, NOW, async () => {
          begun += 1;
          return REACHED;
        }),
      );
  });
  afterAll(() => rig?.stop());

  it.each(Object.entries(BORDERS).filter(([, { path }]) => path !== undefined))(
    '%s: what the tool takes the endpoint takes and the robot begins, and nothing else',
    async (name, { calls, path, body }) => {
      await fc.assert(
        fc.asyncProperty(calls, async (call) => {
          const asked = SCHEMAS[name as keyof typeof SCHEMAS].is(call);
          const before = begun;
          const answer = await rig.post(path!, body!(call));
          await answer.arrayBuffer();
          expect(answer.status).toBe(asked ? 200 : 400);
          expect(begun - before).toBe(asked ? 1 : 0);
        }),
        { seed: SEED, numRuns: HTTP_RUNS },
      );
    },
  );
});

it('a goal leads to arguments that lead to the goal again, and to facts with units', () => {
  const goal: GoalOf<'navigate'> = {
    pose: { x: 1, y: -2, yaw: 0.5 },
    tolerance: 0.3,
    timeoutMs: 9_000,
    alignYaw: false,
    via: [{ x: 0, y: 0, yaw: 0 }],
  };
  expect(goalOfNavigateArgs(navigateArgs(goal))).toEqual(goal);
  const step: GoalOf<'maneuver'> = { kind: 'drive', distance: -0.4 };
  expect(goalOfManeuver(maneuverArgs(step))).toEqual(step);
  expect(motionFacts('navigate', goal)).toEqual({
    ...{ motion: 'navigate', frame: 'map', x_m: 1, y_m: -2, yaw: 0.5, via: 1 },
    ...{ x_min_m: 0, x_max_m: 1, y_min_m: -2, y_max_m: 0 },
    ...{ tolerance_m: 0.3, timeout_ms: 9_000, align_yaw: false },
  });
  expect(motionFacts('maneuver', step)).toEqual({
    motion: 'drive',
    frame: 'base_link',
    distance_m: -0.4,
  });
});
