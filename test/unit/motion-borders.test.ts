import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  checker,
  type GoalOf,
  goalOfManeuver,
  goalOfNavigateArgs,
  MOTION_METHODS,
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
import { type AgentBorders, openAgentBorders } from '../support/verdicts/agent-borders.ts';
import { MOTIONS, type MotionBorder } from '../support/verdicts/motion-calls.ts';

const SEED = Number(process.env['SEED'] ?? 20261123);
const RUNS = Number(process.env['CALLS'] ?? 2_500);
/** Calls that also go through a real server: a round trip each. */
const HTTP_RUNS = Number(process.env['CALLS'] ?? 300);
/** Calls of agents: a round trip by each way. */
const AGENT_RUNS = Number(process.env['CALLS'] ?? 120);

const NOW = { madeAtMs: 0, clock: new ManualClock() };
const REACHED: MotionResult = {
  outcome: 'reached',
  pose: undefined,
  distance: 0,
  durationMs: 1,
  time: 1n,
  message: '',
};

/** The verdict of the execution cell on what a border made of the call. A field that no goal has is the border's to see. */
function executionTakes({ kind, goal }: MotionBorder, call: unknown): boolean {
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

describe.each(Object.entries(MOTIONS))('the motion %s', (name, border) => {
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

  it.each(Object.entries(MOTIONS).filter(([, { path }]) => path !== undefined))(
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

describe('agents in foreign runtimes before the execution cell', () => {
  let open: AgentBorders;
  beforeEach(async () => {
    open = await openAgentBorders();
  }, 60_000);
  afterEach(() => open?.close());

  it.each(
    Object.entries(MOTIONS).flatMap(([name, { tool, calls }]) =>
      tool ? [[name, tool, calls] as const] : [],
    ),
  )(
    `%s: what the tool takes the robot begins, by the contract and over MCP, ${AGENT_RUNS} calls`,
    { timeout: 1_800_000 },
    async (name, tool, calls) => {
      let taken = 0;
      await fc.assert(
        fc.asyncProperty(calls, async (call) => {
          const asked = SCHEMAS[name as keyof typeof SCHEMAS].is(call);
          if (asked) taken += 1;
          for (const border of open.borders) expect(await border.begins(tool, call), border.name).toBe(asked);
        }),
        { seed: SEED, numRuns: AGENT_RUNS },
      );
      expect(taken).toBeGreaterThan(0);
      expect(taken).toBeLessThan(AGENT_RUNS);
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
