import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ActionChunk, Observation, Policy, PolicyDescription } from '../../contract/index.ts';
import { ChunkQueue } from '../../daemon/execution/control/chunk-queue.ts';
import { CommandGate } from '../../daemon/execution/control/command-gate.ts';
import { CONTROL_DEFAULTS, ControlLoop, type Sensing } from '../../daemon/execution/control/control-loop.ts';
import { DRIVE_LIMITS } from '../../daemon/execution/control/drive-limits.ts';
import { sectorRanges } from '../../daemon/execution/control/drive-observation.ts';
import { LocalObstacles } from '../../daemon/execution/control/local-obstacles.ts';
import { freeDistance } from '../../daemon/execution/control/proximity.ts';
import { pursue, SECTORS } from '../../daemon/execution/control/pursuit.ts';
import { PursuitPolicy } from '../../daemon/execution/control/pursuit-policy.ts';
import type { Drive } from '../../daemon/execution/navigation/motion.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const STEP_S = 0.05;
const EPSILON = 1e-9;
const L = DRIVE_LIMITS;

function obstacles(points: readonly (readonly [number, number])[] = []): LocalObstacles {
  const made = new LocalObstacles();
  made.count = points.length;
  made.x = Float64Array.from(points, (p) => p[0]);
  made.y = Float64Array.from(points, (p) => p[1]);
  return made;
}

/** Any number at all, as a broken policy may give it. */
const anything = fc.oneof(
  fc.double(),
  fc.double({ min: -2, max: 2, noNaN: true }),
  fc.constantFrom(Number.NaN, Infinity, -Infinity, -0, 1e308),
);
const places = fc.array(
  fc.tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.double({ min: -1, max: 1, noNaN: true })),
  { maxLength: 20 },
);

describe('command gate', () => {
  it('never lets through more than the limits, whatever is asked', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anything, anything, places), { maxLength: 60 }), (asks) => {
        const gate = new CommandGate(L);
        let before = gate.applied;
        for (const [linear, angular, points] of asks) {
          const { applied, verdict } = gate.apply({ linear, angular }, STEP_S, obstacles(points));
          expect(applied.linear).toBeLessThanOrEqual(L.linearMax);
          expect(applied.linear).toBeGreaterThanOrEqual(-L.reverseMax);
          expect(Math.abs(applied.angular)).toBeLessThanOrEqual(L.angularMax);
          const gain = Math.abs(applied.linear) - Math.abs(before.linear);
          expect(gain).toBeLessThanOrEqual(L.linearAccel * STEP_S + EPSILON);
          expect(Math.abs(applied.linear - before.linear)).toBeLessThanOrEqual(
            L.linearDecel * STEP_S + EPSILON,
          );
          expect(Math.abs(applied.angular - before.angular)).toBeLessThanOrEqual(
            L.angularAccel * STEP_S + EPSILON,
          );
          const bad = !Number.isFinite(linear) || !Number.isFinite(angular);
          expect(verdict === 'refused').toBe(bad);
          if (bad) expect(Math.abs(applied.linear)).toBeLessThanOrEqual(Math.abs(before.linear));
          before = applied;
        }
      }),
    );
  });

  it('stops before contact, however fast it is asked to go on', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.3, max: 1.5, noNaN: true }),
        fc.double({ min: -0.15, max: 0.15, noNaN: true }),
        fc.double({ min: -1.6, max: 1.6, noNaN: true }),
        fc.constantFrom(1, -1),
        (x, y, angular, direction) => {
          const gate = new CommandGate(L);
          const pose = { x: 0, y: 0, yaw: 0 };
          const wall = [x * direction, y] as const;
          let least = Infinity;
          for (let i = 0; i < 200; i++) {
            const dx = wall[0] - pose.x;
            const dy = wall[1] - pose.y;
            const c = Math.cos(pose.yaw);
            const s = Math.sin(pose.yaw);
            const seen = obstacles([[c * dx + s * dy, c * dy - s * dx]]);
            const { applied } = gate.apply({ linear: direction, angular }, STEP_S, seen);
            for (let k = 0; k < 5; k++) {
              const yaw = pose.yaw + applied.angular * 0.005;
              pose.x += applied.linear * 0.01 * Math.cos(yaw);
              pose.y += applied.linear * 0.01 * Math.sin(yaw);
              pose.yaw += applied.angular * 0.01;
              least = Math.min(least, Math.hypot(wall[0] - pose.x, wall[1] - pose.y));
            }
          }
          expect(least).toBeGreaterThan(L.radius);
        },
      ),
    );
  });

  it('lets a robot that touches something move away from it, not into it', () => {
    const touching = obstacles([[0.17, 0]]);
    expect(freeDistance(touching, 0.2, 0, L)).toBe(0);
    expect(freeDistance(touching, -0.2, 0, L)).toBeGreaterThan(0.5);
    const beside = obstacles([[0, 0.18]]);
    expect(freeDistance(beside, 0.2, 0, L)).toBeGreaterThan(0.5);
    const gate = new CommandGate(L);
    expect(gate.apply({ linear: 0.2, angular: 1 }, STEP_S, touching).applied).toMatchObject({ linear: 0 });
    expect(gate.applied.angular).toBeGreaterThan(0);
  });

  it('does not drive blind, and not forwards against a pressed bumper', () => {
    expect(new CommandGate(L).apply({ linear: 0.3, angular: 0.5 }, STEP_S, undefined).applied.linear).toBe(0);
    expect(
      new CommandGate(L).apply({ linear: 0.3, angular: 0 }, STEP_S, obstacles(), true).applied.linear,
    ).toBe(0);
    const back = new CommandGate(L).apply({ linear: -0.1, angular: 0 }, STEP_S, obstacles(), true);
    expect(back.applied.linear).toBeLessThan(0);
  });
});

describe('chunk queue', () => {
  const chunk = (stamp: bigint, first: number): ActionChunk => ({
    actions: { shape: [3, 2], data: Float32Array.of(first, 0, first + 1, 0, first + 2, 0) },
    stepMs: 50,
    stamp,
    policyHash: 'x',
  });

  it('gives each action in its own step and nothing after the last', () => {
    const queue = new ChunkQueue();
    expect(queue.at(0n)).toBeUndefined();
    queue.put(chunk(1_000_000_000n, 1));
    const at = (ms: number) => queue.at(1_000_000_000n + BigInt(ms) * 1_000_000n)?.linear;
    expect([-1, 0, 49, 50, 149, 150].map(at)).toEqual([undefined, 1, 1, 2, 3, undefined]);
  });

  it('does not let an older chunk replace a newer one, nor one of another shape in', () => {
    const queue = new ChunkQueue();
    expect(queue.put(chunk(200n, 5))).toBe(true);
    expect(queue.put(chunk(100n, 1))).toBe(false);
    const wrong = { ...chunk(300n, 1), actions: { shape: [2, 3], data: new Float32Array(6) } };
    expect(queue.put(wrong)).toBe(false);
    expect(queue.at(200n)?.linear).toBe(5);
  });
});

/** A policy that answers as told. */
class ScriptedPolicy implements Policy {
  readonly asked: Observation[] = [];
  answer: (observation: Observation) => Promise<Float32Array> = async () => new Float32Array(16).fill(0.2);
  describe(): PolicyDescription {
    return { name: 'scripted', hash: 'h', inputs: {}, output: [8, 2], stepMs: 50 };
  }
  async infer(observation: Observation): Promise<ActionChunk> {
    this.asked.push(observation);
    const data = await this.answer(observation);
    return { actions: { shape: [8, 2], data }, stepMs: 50, stamp: observation.stamp, policyHash: 'h' };
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}

const AHEAD: Drive = { kind: 'goal', goal: { bearing: 0, distance: 1 } };
const CLEAR: Sensing = {
  obstacles: obstacles(),
  scanAgeMs: 50,
  odometryAgeMs: 20,
  lateMs: 0,
  twist: { linear: 0, angular: 0 },
  bumped: false,
};

function loop(policy: Policy, lockstep: boolean, clock = new ManualClock()): ControlLoop {
  return new ControlLoop(policy, clock, L, { ...CONTROL_DEFAULTS, lockstep });
}
const at = (step: number) => BigInt(step) * 50_000_000n;

describe('control loop', () => {
  it('waits for inference in lockstep only: else a slow policy means standing, not waiting', async () => {
    const policy = new ScriptedPolicy();
    const first = await loop(policy, true).step(at(1), AHEAD, CLEAR);
    expect(first.command.linear).toBeGreaterThan(0);
    policy.answer = () => new Promise(() => {});
    const slow = loop(policy, false);
    expect((await slow.step(at(1), AHEAD, CLEAR)).command).toEqual({ linear: 0, angular: 0 });
    expect(slow.counts.starved).toBe(1);
  });

  it('decelerates to standing when the chunk runs out, counts it, says so once, and recovers', async () => {
    const policy = new ScriptedPolicy();
    const clock = new ManualClock();
    const control = loop(policy, true, clock);
    for (let i = 1; i <= 12; i++) await control.step(at(i), AHEAD, CLEAR);
    expect(control.applied.linear).toBeCloseTo(0.2, 5);
    policy.answer = () => Promise.reject(new Error('out of order'));
    const speeds = [];
    const reasons = [];
    for (let i = 13; i <= 40; i++) {
      const { command, receipts } = await control.step(at(i), AHEAD, CLEAR);
      speeds.push(command.linear);
      reasons.push(...receipts.map((r) => (r.kind === 'safety.stopped' ? r.reason : r.kind)));
    }
    expect(speeds.at(-1)).toBe(0);
    for (let i = 1; i < speeds.length; i++) {
      expect(speeds[i - 1]! - speeds[i]!).toBeLessThanOrEqual(L.linearDecel * STEP_S + EPSILON);
    }
    expect(control.counts.starved).toBeGreaterThan(10);
    expect(control.starvedMs(at(40))).toBeGreaterThan(500);
    expect(reasons).toEqual(['starved: out of order']);
    policy.answer = async () => new Float32Array(16).fill(0.2);
    for (let i = 41; i <= 50; i++) await control.step(at(i), AHEAD, CLEAR);
    expect(control.applied.linear).toBeGreaterThan(0.1);
    expect(control.starvedMs(at(50))).toBe(0);
  });

  it('refuses NaN of a policy with a receipt, once per episode, and stands', async () => {
    const policy = new ScriptedPolicy();
    policy.answer = async () => new Float32Array(16).fill(Number.NaN);
    const control = loop(policy, true);
    const receipts = [];
    for (let i = 1; i <= 6; i++) {
      const applied = await control.step(at(i), AHEAD, CLEAR);
      expect(applied.command).toEqual({ linear: 0, angular: 0 });
      receipts.push(...applied.receipts);
    }
    expect(receipts).toHaveLength(1);
    expect(receipts[0]).toMatchObject({
      kind: 'command.refused',
      source: 'scripted',
      error: { code: 'command.refused' },
    });
    expect(control.counts.refused).toBe(6);
  });

  it('stops on a stale scan, also a maneuver, and says why', async () => {
    const control = loop(new ScriptedPolicy(), true);
    for (let i = 1; i <= 10; i++) await control.step(at(i), AHEAD, CLEAR);
    const stale = { ...CLEAR, scanAgeMs: 600 };
    const first = await control.step(at(11), AHEAD, stale);
    expect(first.receipts).toMatchObject([
      { kind: 'safety.stopped', reason: 'the newest scan is 600 ms old' },
    ]);
    for (let i = 12; i <= 30; i++) await control.step(at(i), AHEAD, stale);
    expect(control.applied.linear).toBe(0);
    const drive: Drive = { kind: 'direct', twist: { linear: -0.1, angular: 0 } };
    for (let i = 31; i <= 40; i++) await control.step(at(i), drive, { ...CLEAR, obstacles: undefined });
    expect(control.applied.linear).toBe(0);
    expect(control.counts.stale).toBe(30);
  });

  it('does not execute what was inferred for an earlier motion', async () => {
    const policy = new ScriptedPolicy();
    let answer: (data: Float32Array) => void = () => {};
    policy.answer = () => new Promise((resolve) => (answer = resolve));
    const control = loop(policy, false);
    await control.step(at(1), AHEAD, CLEAR);
    await control.step(at(2), { kind: 'halt' }, CLEAR);
    answer(new Float32Array(16).fill(0.4));
    for (let i = 0; i < 10; i++) await Promise.resolve();
    const { command } = await control.step(at(3), AHEAD, CLEAR);
    expect(command).toEqual({ linear: 0, angular: 0 });
  });

  it.each([
    [false, 400, 0],
    [false, 250, 0.1],
    [true, 400, 0.1],
  ])(
    'lockstep %s: after %d ms without a step it brakes from a speed of at least %d',
    async (lockstep, ms, least) => {
      const clock = new ManualClock();
      const control = loop(new ScriptedPolicy(), lockstep, clock);
      const drive: Drive = { kind: 'direct', twist: { linear: 0.2, angular: 0.5 } };
      for (let i = 1; i <= 12; i++) await control.step(at(i), drive, CLEAR);
      clock.skip(ms);
      const { command } = await control.step(at(13), { kind: 'halt' }, CLEAR);
      expect(command.linear).toBeGreaterThanOrEqual(least);
      if (least === 0) expect(command).toEqual({ linear: 0, angular: 0 });
    },
  );

  it('gives up an inference that never comes and asks again', async () => {
    const policy = new ScriptedPolicy();
    const clock = new ManualClock();
    policy.answer = () => new Promise(() => {});
    const control = loop(policy, false, clock);
    await control.step(at(1), AHEAD, CLEAR);
    await clock.advance(1_000);
    await control.step(at(2), AHEAD, CLEAR);
    expect(policy.asked).toHaveLength(2);
    expect(control.counts.failures).toBe(1);
  });
});

describe('drive observation', () => {
  it('puts each point into its sector, counter-clockwise from straight ahead', () => {
    const sectors = sectorRanges(
      obstacles([
        [1, 0],
        [2, 0.05],
        [0, 0.5],
        [-0.7, 0],
        [0, -0.3],
      ]),
    );
    expect(sectors).toHaveLength(SECTORS);
    expect(sectors[0]).toBeCloseTo(1, 5);
    expect(sectors[18]).toBeCloseTo(0.5, 5);
    expect(sectors[36]).toBeCloseTo(0.7, 5);
    expect(sectors[54]).toBeCloseTo(0.3, 5);
    expect(sectors.filter((range) => range === 3.5)).toHaveLength(SECTORS - 4);
  });
});

describe('pursuit', () => {
  const clear = new Float32Array(SECTORS).fill(3.5);
  const goal = (bearing: number, distance = 1) =>
    Float32Array.of(Math.cos(bearing), Math.sin(bearing), distance);

  it('stays within its limits for any observation', () => {
    const range = fc.double({ min: 0.05, max: 3.5, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(range, { minLength: SECTORS, maxLength: SECTORS }),
        fc.double({ min: -Math.PI, max: Math.PI, noNaN: true }),
        fc.double({ min: 0, max: 2, noNaN: true }),
        fc.double({ min: 0, max: L.linearMax, noNaN: true }),
        fc.double({ min: -L.angularMax, max: L.angularMax, noNaN: true }),
        (scan, bearing, distance, linear, angular) => {
          const twist = Float32Array.of(linear, angular);
          const out = pursue(Float32Array.from(scan), goal(bearing, distance), twist, L);
          expect(out).toHaveLength(16);
          for (let i = 0; i < 8; i++) {
            expect(Number.isFinite(out[2 * i]) && Number.isFinite(out[2 * i + 1])).toBe(true);
            expect(Math.abs(out[2 * i]!)).toBeLessThanOrEqual(L.linearMax + 1e-6);
            expect(Math.abs(out[2 * i + 1]!)).toBeLessThanOrEqual(L.angularMax + 1e-6);
          }
        },
      ),
    );
  });

  it('drives to what is ahead, turns on the spot to what is behind, mirrors left and right', () => {
    const still = new Float32Array(2);
    const ahead = pursue(clear, goal(0), still, L);
    expect(ahead[14]).toBeGreaterThan(0.25);
    expect(Math.abs(ahead[15]!)).toBeLessThan(1e-6);
    const behind = pursue(clear, goal(2.8), still, L);
    expect(behind[14]).toBe(0);
    expect(behind[15]).toBeGreaterThan(1);
    const left = pursue(clear, goal(0.5), still, L);
    const right = pursue(clear, goal(-0.5), still, L);
    for (let i = 0; i < 8; i++) {
      expect(left[2 * i]).toBeCloseTo(right[2 * i]!, 5);
      expect(left[2 * i + 1]).toBeCloseTo(-right[2 * i + 1]!, 5);
    }
  });

  it('does not drive into a wall that stands before its goal', () => {
    const scan = clear.slice();
    for (let i = -4; i <= 4; i++) scan[(i + SECTORS) % SECTORS] = 0.25 / Math.cos(i * 0.087);
    const out = pursue(scan, goal(0), Float32Array.of(0, 0), L);
    expect(out[14]).toBeLessThan(0.05);
  });

  it('refuses an observation that is incomplete or not finite', async () => {
    const policy = new PursuitPolicy();
    const tensors = {
      scan: { shape: [1, 72], data: clear },
      goal: { shape: [1, 3], data: goal(0) },
      twist: { shape: [1, 2], data: Float32Array.of(0, Number.NaN) },
    };
    await expect(policy.infer({ stamp: 0n, tensors }, 100)).rejects.toMatchObject({
      code: 'model.bad_observation',
    });
    expect(policy.describe().hash).toMatch(/^[0-9a-f]{64}$/);
    expect(new PursuitPolicy({ ...L, linearMax: 0.1 }).describe().hash).not.toBe(policy.describe().hash);
  });
});
