import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SubgoalSpec, WorldFacts } from '../../contract/index.ts';
import { checker } from '../../contract/index.ts';
import { type Plan, type PlanStep, type Predicate, planAskChecker } from '../../contract/plan.ts';
import { Type } from '../../contract/schema-kit.ts';
import { planFaults, withoutDone } from '../../daemon/runtime/planning/plan-check.ts';
import { ATTEMPTS_MAX, moveAfter } from '../../daemon/runtime/planning/plan-moves.ts';
import { planSchema } from '../../daemon/runtime/planning/plan-schema.ts';
import { contradiction, holds } from '../../daemon/runtime/planning/predicates.ts';
import { subgoalsOf } from '../../daemon/runtime/planning/subgoals.ts';
import { worldFacts } from '../../daemon/runtime/planning/world-facts.ts';
import { FakeRobot } from '../fakes/fake-robot.ts';
import { houseSpecs } from '../support/house.ts';

const world: WorldFacts = { 'robot.pose.x': 1, 'robot.motion': 'idle', 'signals./door': false };
const go: SubgoalSpec = {
  name: 'robot.go',
  description: 'goes',
  params: Type.Object(
    { metres: Type.Number({ minimum: 0, maximum: 9 }) },
    { additionalProperties: false },
  ) as unknown as SubgoalSpec['params'],
};
const rules = { subgoals: [go], world, stepsMax: 3, budgetMs: 10_000 };
const step = (more: Partial<PlanStep> = {}): PlanStep => ({
  step_id: 'a',
  subgoal: 'robot.go',
  params: { metres: 1 },
  deadline_ms: 1_000,
  success: [],
  fallback: 'abort',
  ...more,
});
const plan = (...steps: PlanStep[]): Plan => ({ goal: 'g', steps });

describe('a predicate', () => {
  it.each<[Predicate, boolean]>([
    [{ fact: 'robot.pose.x', op: '<', value: 2 }, true],
    [{ fact: 'robot.pose.x', op: '<', value: 1 }, false],
    [{ fact: 'robot.pose.x', op: '<=', value: 1 }, true],
    [{ fact: 'robot.pose.x', op: '>=', value: 1 }, true],
    [{ fact: 'robot.pose.x', op: '>', value: 1 }, false],
    [{ fact: 'robot.pose.x', op: 'within', value: 1.2, tolerance: 0.25 }, true],
    [{ fact: 'robot.pose.x', op: 'within', value: 1.2 }, false],
    [{ fact: 'signals./door', op: '==', value: false }, true],
    [{ fact: 'signals./door', op: '!=', value: true }, true],
    [{ fact: 'robot.motion', op: '==', value: 'idle' }, true],
    // Another kind, and what nobody knows, is false: also by its opposite.
    [{ fact: 'signals./door', op: '!=', value: 1 }, false],
    [{ fact: 'robot.pose.y', op: '!=', value: 1 }, false],
    [{ fact: 'toString', op: '!=', value: 'x' }, false],
  ])('%j is %s', (predicate, expected) => {
    expect(holds(predicate, world)).toBe(expected);
  });

  it('quarrels are found exactly where no value satisfies all of them', () => {
    const op = fc.constantFrom('<', '<=', '==', '!=', '>=', '>') as fc.Arbitrary<Predicate['op']>;
    const about = fc.array(
      fc.record({ fact: fc.constant('x'), op, value: fc.integer({ min: -3, max: 3 }) }),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    fc.assert(
      fc.property(about, (predicates) => {
        // Halves between whole numbers stand for all that lies between them.
        const some = Array.from({ length: 33 }, (_, i) => -4 + i / 4).some((x) =>
          predicates.every((predicate) => holds(predicate, { x })),
        );
        expect(contradiction(predicates) === undefined).toBe(some);
      }),
    );
  });
});

describe('a plan is refused', () => {
  it.each<[string, unknown, RegExp]>([
    ['that is none', { goal: 'g' }, /steps/],
    ['without steps', { goal: 'g', steps: [] }, /\/steps/],
    ['by an unknown field', plan({ ...step(), speed: 1 } as PlanStep), /speed: unknown field/],
    [
      'for a subgoal that is not offered',
      plan(step({ subgoal: 'robot.fly' })),
      /robot.fly is not offered; there are robot.go/,
    ],
    ['for params that do not fit', plan(step({ params: { metres: 10 } })), /\/steps\/0\/params\/metres/],
    ['for params that are text', plan(step({ params: { metres: '1' } })), /\/params\/metres/],
    [
      'for a fact that nobody knows',
      plan(step({ success: [{ fact: 'pose.x', op: '<', value: 1 }] })),
      /pose.x is not known; robot.pose.x is/,
    ],
    [
      'for a fact of another kind',
      plan(step({ success: [{ fact: 'signals./door', op: '<', value: 1 }] })),
      /signals.\/door is a boolean, not a number/,
    ],
    [
      'for an order of what has none',
      plan(step({ success: [{ fact: 'robot.motion', op: '<', value: 'moving' }] })),
      /< of a string/,
    ],
    [
      'for a tolerance that is missing',
      plan(step({ success: [{ fact: 'robot.pose.x', op: 'within', value: 1 }] })),
      /tolerance: missing/,
    ],
    [
      'for what can never be',
      plan(
        step({
          success: [
            { fact: 'robot.pose.x', op: '<', value: 1 },
            { fact: 'robot.pose.x', op: '>', value: 2 },
          ],
        }),
      ),
      /nothing can satisfy all that is said of robot.pose.x/,
    ],
    ['for a name that is there twice', plan(step(), step()), /a is there twice/],
    ['for too many steps', plan(...[1, 2, 3, 4].map((n) => step({ step_id: `s${n}` }))), /4, at most 3/],
    [
      'for more time than there is',
      plan(step({ deadline_ms: 9_000 }), step({ step_id: 'b', deadline_ms: 2_000 })),
      /11000 ms together, at most 10000/,
    ],
  ])('%s', (_name, given, message) => {
    expect(planFaults(given, rules).join('; ')).toMatch(message);
  });

  it('never where it fits, and never by throwing, whatever it is', () => {
    expect(planFaults(plan(step()), rules)).toEqual([]);
    fc.assert(fc.property(fc.anything(), (given) => void planFaults(given, rules)));
  });

  it('for a schema of a caller that is none, in words', () => {
    const broken = { ...go, params: { type: 'object', properties: { metres: { $ref: '#/nowhere' } } } };
    expect(planFaults(plan(step()), { ...rules, subgoals: [broken] }).length).toBeGreaterThan(0);
  });
});

describe('what a model may answer', () => {
  it('names nothing but what is offered and known, and what it lets through is a plan', () => {
    const schema = planSchema([go], world, { stepsMax: 2, deadlineMsMax: 5_000 });
    const check = checker(schema as never);
    const good = {
      steps: [
        {
          subgoal: 'robot.go',
          params: { metres: 2 },
          deadline_ms: 1_000,
          success: [{ fact: 'robot.pose.x', op: 'within', value: 1, tolerance: 0.1 }],
          fallback: 'replan',
        },
      ],
    };
    expect(check.fault(good)).toBeUndefined();
    const named = { goal: 'g', steps: good.steps.map((one) => ({ step_id: 'x', ...one })) };
    expect(planFaults(named, rules)).toEqual([]);
    const [one] = good.steps;
    for (const bad of [
      { ...one, subgoal: 'robot.fly' },
      { ...one, params: { metres: 99 } },
      { ...one, deadline_ms: 6_000 },
      { ...one, success: [{ fact: 'elsewhere', op: '<', value: 1 }] },
      { ...one, success: [{ fact: 'signals./door', op: '<', value: 1 }] },
      { ...one, fallback: 'pray' },
    ])
      expect(check.fault({ steps: [bad] })).toBeDefined();
  });

  it('sets no conditions where nothing is known', () => {
    const schema = planSchema([go], {}, { stepsMax: 1, deadlineMsMax: 5_000 });
    const text = JSON.stringify(schema);
    expect(text).toContain('"maxItems":0');
  });
});

describe('what is true already', () => {
  const open: Predicate = { fact: 'signals./door', op: '==', value: true };
  const shut: Predicate = { fact: 'signals./door', op: '==', value: false };

  it('is dropped at the beginning with a note, and nowhere else', () => {
    const given = plan(
      step({ step_id: 'a', success: [shut] }),
      step({ step_id: 'b', success: [open] }),
      step({ step_id: 'c', success: [shut] }),
    );
    const { plan: left, dropped } = withoutDone(given, world);
    expect(left?.steps.map(({ step_id }) => step_id)).toEqual(['b', 'c']);
    expect(dropped).toEqual([{ subgoal: 'robot.go', reason: expect.stringMatching(/true already/) }]);
  });

  it('leaves nothing to do where all of it is, and keeps what says nothing', () => {
    expect(withoutDone(plan(step({ success: [shut] })), world).plan).toBeUndefined();
    expect(withoutDone(plan(step()), world).plan?.steps).toHaveLength(1);
  });
});

describe('what follows a step', () => {
  it.each([
    ['succeeded', 'abort', 1, 0, 'next'],
    ['already', 'retry', 9, 0, 'next'],
    ['failed', 'skip', 1, 0, 'skip'],
    ['failed', 'abort', 1, 5, 'fail'],
    ['failed', 'retry', 1, 0, 'again'],
    ['failed', 'retry', ATTEMPTS_MAX, 1, 'replan'],
    ['failed', 'retry', ATTEMPTS_MAX, 0, 'fail'],
    ['failed', 'replan', 1, 1, 'replan'],
    ['failed', 'replan', 1, 0, 'fail'],
  ] as const)('%s, else %s, attempt %i, %i plans left: %s', (outcome, fallback, attempt, left, move) => {
    expect(moveAfter(outcome, fallback, attempt, left)).toBe(move);
  });
});

describe('subgoals of this robot', () => {
  const specs = houseSpecs().map(({ spec }) => spec);

  it('are tools that do something, where what they need is there', async () => {
    const patterns = ['robot.*', 'arm.*', 'run.*', 'plan.*'];
    const names = (facts: WorldFacts) => subgoalsOf(specs, [], patterns, facts).map(({ name }) => name);
    expect(names({})).toEqual([]);
    expect(names({ 'robot.connected': true })).toEqual(['robot.navigate', 'robot.maneuver']);
    expect(names({ 'arm.connected': true })).toEqual(['arm.move', 'arm.gripper']);
  });

  it('know the joints of the arm by name', () => {
    const facts = worldFacts(
      undefined,
      {
        time: 1n,
        joints: { joint_1: { position: 0.1, velocity: undefined, effort: undefined } },
        motion: 'idle',
        connected: true,
      },
      undefined,
    );
    expect(facts).toMatchObject({ 'arm.connected': true, 'arm.joints.joint_1.position': 0.1 });
    const [move] = subgoalsOf(specs, [], ['arm.move'], facts);
    const check = (joints: Record<string, number>) =>
      planFaults(plan(step({ subgoal: 'arm.move', params: { joints } })), { ...rules, subgoals: [move!] });
    expect(check({ joint_1: 1 })).toEqual([]);
    expect(check({ joint_9: 1 }).join()).toMatch(/joint_9: unknown field/);
  });

  it('are missions of applications only where a run may be asked for', () => {
    const intent = { type: 'maze/find_exit', description: 'find it', params: Type.Object({}) };
    const plans = { type: 'plan', description: 'plans', params: Type.Object({}) };
    expect(subgoalsOf(specs, [intent, plans], ['maze/find_exit', 'plan'], {})).toEqual([]);
    const delegate = { ...specs[0]!, name: 'run.delegate' };
    const found = subgoalsOf([...specs, delegate], [intent, plans], ['maze/find_exit', 'plan'], {});
    expect(found.map(({ name, by }) => `${name} ${by}`)).toEqual(['maze/find_exit intent']);
  });
});

describe('facts', () => {
  it('say what the robot says, and nothing that it does not know', async () => {
    const state = await new FakeRobot({ cells: 4 }).state();
    const facts = worldFacts({ ...state, pose: undefined, battery: undefined }, undefined, undefined);
    expect(facts).toMatchObject({ 'robot.connected': true, 'signals./maze/exit_reached': false });
    expect(Object.keys(facts).filter((name) => /pose|battery|map|arm/.test(name))).toEqual([]);
    for (const name of Object.keys(
      worldFacts({ ...state, signals: { 'bad name': 1, '/ok': Number.NaN } }, undefined, 0.5),
    ))
      expect(name).not.toMatch(/bad|ok/);
  });
});

describe('what can be asked', () => {
  it('is closed and bounded', () => {
    expect(planAskChecker.fault({ goal: 'go' })).toBeUndefined();
    expect(planAskChecker.fault({ goal: 'go', speed: 1 })).toMatch(/speed/);
    expect(planAskChecker.fault({ goal: 'x'.repeat(1_025) })).toMatch(/goal/);
    expect(planAskChecker.fault({ world: { 'a b': 1 } })).toBeDefined();
    expect(planAskChecker.fault({ world: { a: null } })).toBeDefined();
  });
});
