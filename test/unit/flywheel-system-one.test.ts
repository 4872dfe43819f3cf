import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { LoadedPolicy } from '../../apps/ar4-physical-ai/flywheel/flywheel.ts';
import { rollOut } from '../../apps/ar4-physical-ai/flywheel/rollout.ts';
import { CHUNK, HZ, STATE_NAMES } from '../../apps/ar4-physical-ai/observation.ts';
import { loadPolicy } from '../../cli/flywheel/load-policy.ts';
import { SimWorld } from '../../cli/flywheel/sim-world.ts';
import { SystemOnePilot } from '../../cli/flywheel/system-one.ts';
import type { Step } from '../../daemon/execution/controllers/controller-core.ts';
import { ARM_JOINTS, GRIPPER, JOINT_SPEED_MAX } from '../../sim/arm/arm-model.ts';
import { sceneSeed } from '../../sim/arm/arm-scene.ts';
import { ArmSimulation } from '../../sim/arm/arm-simulation.ts';

/** The policy that comes with the arm, through the core of System 1 and the joint gate, in virtual time. */
const PERIOD_MS = 10;
const STEP_MS = 1000 / HZ;
/** What counts as standing, radians or metres. */
const HELD = 1e-6;
const SEED = sceneSeed('held_out', 1, 0);

type Seen = { readonly ms: number; readonly verdict: Step['verdict']; readonly applied: readonly number[] };

let simulation: ArmSimulation;
let world: SimWorld;
let policy: LoadedPolicy;
beforeAll(async () => {
  simulation = await ArmSimulation.create(SEED);
  world = new SimWorld(simulation, 'pick_place');
  policy = await loadPolicy('apps/ar4-physical-ai/policy/pick_place.onnx', new SystemClock());
});
afterAll(async () => {
  await policy?.close();
  simulation?.close();
});

/** An episode whose policy falls silent at `silentMs`. */
async function episode(silentMs = Number.POSITIVE_INFINITY) {
  const seen: Seen[] = [];
  const asked: number[] = [];
  const pilot = new SystemOnePilot(world, {
    delayMs: (ms) => {
      if (ms < silentMs) asked.push(ms);
      return ms < silentMs ? STEP_MS : Number.POSITIVE_INFINITY;
    },
    onStep: ({ verdict, applied }, ms) => seen.push({ ms, verdict, applied: [...applied] }),
  });
  const rollout = await rollOut(world, pilot, policy.answer, SEED);
  return { seen, asked, rollout };
}

describe('a learned policy through System 1 and the gate, in virtual time', () => {
  it('does the task without starving, within the limits of every joint, and the same again', async () => {
    const { seen, rollout } = await episode();
    expect(rollout).toMatchObject({ success: true, end: 'success' });
    expect(seen[0]!.ms).toBe(STEP_MS);
    expect(seen.filter(({ verdict }) => verdict === 'starved' || verdict === 'refused')).toEqual([]);
    const fastest = [...ARM_JOINTS.map(() => JOINT_SPEED_MAX), GRIPPER.speedMax];
    for (const [i, { applied }] of seen.entries()) {
      const before = seen[i - 1]?.applied;
      for (const [j, most] of fastest.entries()) {
        const moved = before ? Math.abs(applied[j]! - before[j]!) : 0;
        expect(moved).toBeLessThanOrEqual((most * PERIOD_MS * (1 + 1e-6)) / 1000);
      }
    }
    expect((await episode()).seen).toEqual(seen);
  });

  it('starves when the policy stops answering: what is not over is carried out, then the arm holds', async () => {
    const { seen, asked, rollout } = await episode(1_500);
    expect(rollout).toMatchObject({ success: false, end: 'stuck' });
    const first = seen.findIndex(({ verdict }) => verdict === 'starved');
    const starved = seen.slice(first);
    // Action 0 of the last answer was for the moment of its question; nothing of it is applied after its last slot.
    expect(starved[0]!.ms).toBeGreaterThan(1_500);
    expect(starved[0]!.ms).toBeLessThanOrEqual(asked.at(-1)! + CHUNK * STEP_MS);
    expect(starved.every(({ verdict }) => verdict === 'starved')).toBe(true);
    // It goes to rest within its limits, and there it stays; it is told so at every step.
    const held = starved.filter(({ ms }) => ms > starved[0]!.ms + 1_000);
    expect(held.length).toBeGreaterThan(50);
    for (const { applied } of held) {
      for (const [j, value] of applied.entries())
        expect(Math.abs(value - held[0]!.applied[j]!)).toBeLessThan(HELD);
    }
    for (let i = 1; i < starved.length; i++) expect(starved[i]!.ms - starved[i - 1]!.ms).toBe(PERIOD_MS);
    expect(simulation.atRest).toBe(true);
    expect(held[0]!.applied).toHaveLength(STATE_NAMES.length);
  });
});
