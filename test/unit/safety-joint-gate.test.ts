import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { JointGateSpec, JointLimits } from '../../daemon/execution/safety/gate-spec.ts';
import { makeJointGate } from '../../daemon/execution/safety/joint-gate.ts';
import { readUrdf, ToolPoint, toolChain } from '../../formats/urdf/index.ts';

const limits = (more: Partial<JointLimits> = {}): JointLimits => ({
  ...{ name: 'joint_1', lower: -2, upper: 2, velocity: 2, acceleration: 8, jerk: 80 },
  effort: Number.POSITIVE_INFINITY,
  ...more,
});
const spec = (joints: readonly JointLimits[], more: Partial<JointGateSpec> = {}): JointGateSpec => ({
  ...{ joints, frame: 'base_link', mode: 'clamp', rateMax: 1_000, gapSeconds: 0.5 },
  ...more,
});
const at = (...positions: number[]) => ({ positions });

const anyLimits = fc
  .record({
    middle: fc.double({ min: -3, max: 3, noNaN: true }),
    half: fc.double({ min: 0.001, max: 3, noNaN: true }),
    velocity: fc.double({ min: 0.01, max: 20, noNaN: true }),
    toAcceleration: fc.double({ min: 0.1, max: 200, noNaN: true }),
    toJerk: fc.double({ min: 0.1, max: 500, noNaN: true }),
  })
  .map(({ middle, half, velocity, toAcceleration, toJerk }) => {
    const acceleration = velocity * toAcceleration;
    return limits({
      ...{ lower: middle - half, upper: middle + half, velocity, acceleration },
      jerk: acceleration * toJerk,
    });
  });

/** What a policy may say: sense, noise, steps, the ends of the world, and what is no number. */
const anyAsked = fc.oneof(
  fc.double({ min: -4, max: 4, noNaN: true }),
  fc.constantFrom(0, 1e308, -1e308, Number.MAX_VALUE, 2, -2),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
);

type Worst = { position: number; velocity: number; acceleration: number; jerk: number };

/** Divided differences of what went to the robot, beside what may be: 1 is the limit. */
function measured(positions: readonly number[], dt: number, { lower, upper, ...max }: JointLimits): Worst {
  const worst = { position: 0, velocity: 0, acceleration: 0, jerk: 0 };
  // Rounding of positions grows with each difference that is taken.
  const scale = Math.max(Math.abs(lower), Math.abs(upper), 1) * 4e-15;
  const over = (value: number, limit: number, order: number) =>
    Math.max(0, Math.abs(value) - (scale * 8) / dt ** order) / limit;
  let [v, a] = [0, 0];
  for (const [i, p] of positions.entries()) {
    if (i === 0) continue;
    const v1 = (p - positions[i - 1]!) / dt;
    const a1 = (v1 - v) / dt;
    worst.position = Math.max(worst.position, p - upper, lower - p);
    worst.velocity = Math.max(worst.velocity, over(v1, max.velocity, 1));
    worst.acceleration = Math.max(worst.acceleration, over(a1, max.acceleration, 2));
    worst.jerk = Math.max(worst.jerk, over((a1 - a) / dt, max.jerk, 3));
    [v, a] = [v1, a1];
  }
  return worst;
}

describe('the joint gate', () => {
  it('keeps position, velocity, acceleration and jerk whatever is asked, and stops within them', () => {
    const any = fc.tuple(
      anyLimits,
      fc.array(fc.tuple(anyAsked, fc.integer({ min: 1, max: 30 })), { minLength: 1, maxLength: 40 }),
      fc.constantFrom(0.001, 0.002, 0.01, 0.02, 0.05, 0.1),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom('clamp', 'refuse'),
    );
    fc.assert(
      fc.property(any, ([joint, asked, dt, share, mode]) => {
        const gate = makeJointGate(spec([joint], { mode: mode as 'clamp' }));
        const start = Math.min(joint.upper, joint.lower + share * (joint.upper - joint.lower));
        const sent = [start];
        const take = ({ applied }: { applied: Float64Array }) => sent.push(applied[0]!);
        for (const [q, times] of asked) {
          for (let i = 0; i < times; i++) {
            const answer = gate.apply([q], dt, at(start));
            if (!Number.isFinite(q)) expect(answer).toMatchObject({ verdict: 'refused', joint: 0 });
            take(answer);
          }
        }
        for (let i = 0; !gate.atRest; i++) {
          expect(i).toBeLessThan(20_000);
          take(gate.halt(dt));
        }
        const worst = measured(sent, dt, joint);
        expect(worst.position).toBeLessThanOrEqual(1e-12);
        expect(worst.velocity).toBeLessThanOrEqual(1 + 1e-6);
        expect(worst.acceleration).toBeLessThanOrEqual(1 + 1e-6);
        expect(worst.jerk).toBeLessThanOrEqual(1 + 1e-6);
      }),
      { numRuns: 400 },
    );
  });

  it('keeps its velocity between two steps too, where jerk is quick and steps are slow', () => {
    const joint = limits({
      lower: -0.001,
      upper: 0.001,
      velocity: 0.01,
      acceleration: 0.093_843_75,
      jerk: 30,
    });
    const gate = makeJointGate(spec([joint]));
    const sent = [-0.001];
    const asked = [0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 0, 0];
    for (const q of asked) sent.push(gate.apply([q], 0.01, at(-0.001)).applied[0]!);
    expect(measured(sent, 0.01, joint).velocity).toBeLessThanOrEqual(1);
  });

  it('is as strict with steps that come irregularly', () => {
    const any = fc.tuple(
      anyLimits,
      fc.array(
        fc.tuple(
          fc.double({ min: -4, max: 4, noNaN: true }),
          fc.double({ min: 0.001, max: 0.09, noNaN: true }),
        ),
        {
          minLength: 1,
          maxLength: 200,
        },
      ),
    );
    fc.assert(
      fc.property(any, ([joint, steps]) => {
        const start = (joint.lower + joint.upper) / 2;
        const gate = makeJointGate(spec([joint]));
        let [p, v, last] = [start, 0, 0];
        for (const [q, dt] of steps) {
          const [next] = gate.apply([q], dt, at(start)).applied;
          const v1 = (next! - p) / dt;
          // Mean velocities stand for the middles of their steps.
          const a1 = (v1 - v) / ((dt + last) / 2);
          expect(next).toBeGreaterThanOrEqual(joint.lower);
          expect(next).toBeLessThanOrEqual(joint.upper);
          expect(Math.abs(v1)).toBeLessThanOrEqual(joint.velocity * (1 + 1e-6) + 1e-9);
          expect(Math.abs(a1)).toBeLessThanOrEqual(joint.acceleration * (1 + 1e-6) + 1e-6);
          [p, v, last] = [next!, v1, dt];
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives bit-equal answers for the same calls', () => {
    const calls = fc.array(fc.tuple(anyAsked, fc.double({ min: 0.001, max: 0.05, noNaN: true })), {
      maxLength: 60,
    });
    fc.assert(
      fc.property(calls, (asked) => {
        const run = () => {
          const gate = makeJointGate(spec([limits(), limits({ name: 'joint_2', velocity: 1 })]));
          return asked.map(([q, dt]) => {
            const { applied, verdict, reason } = gate.apply([q, -q], dt, at(0, 0.1));
            return [...applied, verdict, reason];
          });
        };
        expect(run()).toEqual(run());
      }),
    );
  });

  it('lets a motion within limits pass as it is, and gets to a place exactly and rests there', () => {
    const gate = makeJointGate(spec([limits()]));
    const dt = 0.01;
    let passed = 0;
    for (let i = 0; i < 1_000; i++) {
      const asked = 0.5 * (1 - Math.cos(i * dt));
      const { applied, verdict } = gate.apply([asked], dt, at(0));
      if (verdict === 'passed') passed++;
      expect(Math.abs(applied[0]! - asked)).toBeLessThan(0.005);
    }
    expect(passed).toBeGreaterThan(950);
    for (let i = 0; i < 300; i++) gate.apply([1.25], dt, undefined);
    expect(gate.atRest).toBe(true);
    const { applied, verdict, reason } = gate.apply([1.25], dt, undefined);
    expect([applied[0], verdict, reason]).toEqual([expect.closeTo(1.25, 7), 'passed', '']);
  });

  it('says which limit of which joint bit', () => {
    const gate = makeJointGate(spec([limits(), limits({ name: 'joint_2', lower: -1, upper: 1 })]));
    const seen = new Set<string>();
    for (let i = 0; i < 300; i++) seen.add(gate.apply([1.9, 0], 0.01, at(-1.9, 0)).reason);
    expect([...seen].slice(0, 3)).toEqual([
      'jerk of joint_1',
      'acceleration of joint_1',
      'velocity of joint_1',
    ]);
    expect(gate.apply([1.9, 4], 0.01, undefined)).toMatchObject({
      ...{ verdict: 'limited', reason: 'position of joint_2', joint: 1 },
    });
  });

  it('refuses in the mode that says so what is out of limits, and brakes', () => {
    const gate = makeJointGate(spec([limits()], { mode: 'refuse' }));
    const dt = 0.01;
    for (let i = 0; i < 100; i++) gate.apply([i * dt], dt, at(0));
    const moving = gate.apply([1.01], dt, undefined).applied[0]!;
    expect(gate.apply([2.5], dt, undefined)).toMatchObject({
      verdict: 'refused',
      reason: 'position of joint_1',
    });
    expect(gate.apply([-0.5], dt, undefined)).toMatchObject({
      verdict: 'refused',
      reason: 'velocity of joint_1',
    });
    for (let i = 0; i < 100; i++) gate.apply([9], dt, undefined);
    expect(gate.atRest).toBe(true);
    expect(gate.apply([9], dt, undefined).applied[0]! - moving).toBeLessThan(0.3);
  });

  it('begins from the measured position: at first, after a hold, a gap and a reset', () => {
    const gate = makeJointGate(spec([limits()]));
    const nothing = gate.apply([1], 0.01, undefined);
    expect([nothing.verdict, nothing.reason, nothing.applied.length]).toEqual([
      'refused',
      'no measured position',
      0,
    ]);
    expect(gate.apply([1], 0.01, at(Number.NaN)).applied).toHaveLength(0);
    const near = (measured: number) =>
      expect(Math.abs(gate.apply([1], 0.01, at(measured)).applied[0]! - measured)).toBeLessThan(0.001);
    near(0.4);
    for (let i = 0; i < 100; i++) gate.apply([1], 0.01, at(0.4));
    while (!gate.atRest) gate.halt(0.01);
    gate.halt(0.01);
    near(-0.7);
    gate.apply([1], 0.01, at(-0.7));
    expect(gate.apply([1], 0.6, at(0.2)).applied[0]).toBeLessThan(0.23);
    gate.reset();
    near(1.1);
    // Held and nobody tells where it is: nothing moves.
    while (!gate.atRest) gate.halt(0.01);
    gate.halt(0.01);
    expect(gate.apply([1], 0.01, undefined)).toMatchObject({
      verdict: 'refused',
      applied: new Float64Array(0),
    });
  });

  it('comes back into its limits and goes no further out where it was found outside', () => {
    const gate = makeJointGate(spec([limits()]));
    let last = 2.3;
    for (let i = 0; i < 200; i++) {
      const [p] = gate.apply([3], 0.01, at(2.3)).applied;
      expect(p).toBeLessThanOrEqual(last);
      last = p!;
    }
    expect(last).toBeCloseTo(2, 6);
    for (let i = 0; i < 100; i++) expect(gate.apply([3], 0.01, undefined).applied[0]).toBeLessThanOrEqual(2);
  });

  it('yields where it presses too hard, to where the joint is', () => {
    const gate = makeJointGate(spec([limits({ effort: 5 }), limits({ name: 'joint_2' })]));
    const stuck = { positions: [0.2, 0], efforts: [0, 0] };
    for (let i = 0; i < 60; i++) gate.apply([1.5, 0], 0.01, stuck);
    const pressing = { ...stuck, efforts: [-7, 400] };
    let answer = gate.apply([1.5, 0], 0.01, pressing);
    const beyond = answer.applied[0]!;
    for (let i = 0; i < 200; i++) answer = gate.apply([1.5, 0], 0.01, pressing);
    expect(answer).toMatchObject({ verdict: 'limited', reason: 'effort of joint_1', joint: 0 });
    expect(beyond).toBeGreaterThan(0.3);
    expect(answer.applied[0]).toBeCloseTo(0.2, 4);
    // A robot that tells no effort is not held up.
    expect(
      gate.apply([0.2, 0], 0.01, { positions: [0.2, 0], efforts: [Number.NaN, Number.NaN] }).verdict,
    ).toBe('passed');
  });

  it('looks at no more commands than its rate', () => {
    const gate = makeJointGate(spec([limits()], { rateMax: 100 }));
    gate.apply([1], 0.01, at(0));
    const [before] = gate.apply([1], 0.01, undefined).applied;
    for (let i = 0; i < 4; i++) {
      const answer = gate.apply([1], 0.001, undefined);
      expect([answer.reason, answer.applied[0]]).toEqual(['rate', before]);
    }
    expect(gate.apply([1], 0.001, undefined).applied[0]).toBeGreaterThan(before!);
  });

  it('takes nonsense about time as no time at all', () => {
    const gate = makeJointGate(spec([limits()]));
    const [before] = gate.apply([1], 0.01, at(0)).applied;
    for (const dt of [0, -1, Number.NaN, Number.NEGATIVE_INFINITY]) {
      expect(gate.apply([1], dt, undefined).applied[0]).toBe(before);
    }
    expect(gate.apply([1, 1], 0.01, undefined)).toMatchObject({
      verdict: 'refused',
      reason: 'wrong number of joints',
    });
    expect(() => makeJointGate(spec([limits({ jerk: Number.POSITIVE_INFINITY })]))).toThrow(TypeError);
    expect(() => makeJointGate(spec([limits({ lower: 1, upper: 0 })]))).toThrow(TypeError);
  });
});

const SCARA = `<robot name="scara">
  <link name="base_link"/><link name="a"/><link name="b"/><link name="tool0"/>
  <joint name="joint_1" type="revolute"><parent link="base_link"/><child link="a"/><axis xyz="0 0 1"/>
    <limit lower="-2" upper="2" velocity="2" effort="5"/></joint>
  <joint name="joint_2" type="revolute"><origin xyz="0.3 0 0"/><parent link="a"/><child link="b"/><axis xyz="0 0 1"/>
    <limit lower="-2" upper="2" velocity="2" effort="5"/></joint>
  <joint name="end" type="fixed"><origin xyz="0.3 0 0"/><parent link="b"/><child link="tool0"/></joint>
</robot>`;

describe('the workspace of the gate', () => {
  const chain = toolChain(readUrdf(SCARA), 'base_link', 'tool0', ['joint_1', 'joint_2']);
  const tool = (positions: ArrayLike<number>) => {
    const out = new Float64Array(3);
    new ToolPoint(chain).place(positions, out);
    return out;
  };
  const workspace = {
    chain,
    inside: [{ min: [0.2, -0.5, -1], max: [0.65, 0.5, 1] }],
    keepOut: [{ min: [0.45, 0.1, -1], max: [0.55, 0.2, 1] }],
  } as const;
  const joints = [limits(), limits({ name: 'joint_2' })];

  it('keeps the tool inside whatever is asked, on the way to rest too', () => {
    const asked = fc.array(
      fc.tuple(
        fc.double({ min: -2, max: 2, noNaN: true }),
        fc.double({ min: -2, max: 2, noNaN: true }),
        fc.integer({ min: 1, max: 80 }),
      ),
      { minLength: 1, maxLength: 25 },
    );
    fc.assert(
      fc.property(asked, fc.constantFrom(0.01, 0.05), (steps, dt) => {
        const gate = makeJointGate(spec(joints, { workspace }));
        const check = (applied: Float64Array) => {
          const [x, y] = tool(applied) as unknown as [number, number];
          expect(x).toBeGreaterThan(0.2);
          expect(Math.abs(y)).toBeLessThan(0.5);
          expect(x > 0.45 && x < 0.55 && y > 0.1 && y < 0.2).toBe(false);
        };
        for (const [a, b, times] of steps)
          for (let i = 0; i < times; i++) check(gate.apply([a, b], dt, at(0.2, -0.9)).applied);
        while (!gate.atRest) check(gate.halt(dt).applied);
      }),
      { numRuns: 60 },
    );
  });

  it('says so, and lets it go on elsewhere', () => {
    for (const [mode, verdict] of [
      ['clamp', 'limited'],
      ['refuse', 'refused'],
    ] as const) {
      const gate = makeJointGate(spec(joints, { workspace, mode, gapSeconds: 10 }));
      const go = (from: readonly [number, number], to: readonly [number, number], seconds: number) => {
        let answer = gate.apply(from, 0.01, at(...from));
        for (let t = 0; t <= seconds && answer.reason !== 'workspace'; t += 0.01) {
          const share = Math.min(1, t / seconds);
          const asked = [from[0] + share * (to[0] - from[0]), from[1] + share * (to[1] - from[1])];
          answer = gate.apply(asked, 0.01, undefined);
        }
        return { ...answer, applied: [...answer.applied] };
      };
      const out = go([0.2, -0.9], [1.4, 0.4], 3);
      expect([out.verdict, out.reason]).toEqual([verdict, 'workspace']);
      for (let i = 0; i < 100; i++) gate.apply([1.4, 0.4], 0.01, undefined);
      expect(gate.atRest).toBe(true);
      const here = [...gate.apply(out.applied, 0.01, undefined).applied] as [number, number];
      expect(go(here, [0.2, -0.9], 4).verdict).toBe('passed');
    }
  });

  it('lets a tool that is outside come in, and not further out', () => {
    const gate = makeJointGate(spec(joints, { workspace }));
    const start = at(1.9, 0);
    const depth = (applied: ArrayLike<number>) => 0.2 - tool(applied)[0]!;
    const first = depth(start.positions);
    for (let i = 0; i < 50; i++)
      expect(depth(gate.apply([2, 0.3], 0.01, start).applied)).toBeLessThanOrEqual(first + 1e-6);
    let last: Float64Array = new Float64Array(0);
    for (let i = 0; i < 400; i++) last = gate.apply([0.5, -0.9], 0.01, undefined).applied;
    expect(depth(last)).toBeLessThan(0);
  });
});
