import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { loadPolicy } from '../../daemon/compose/flywheel/load-policy.ts';
import { simWorld } from '../../daemon/compose/flywheel/sim-world.ts';
import { systemOnePilot } from '../../daemon/compose/flywheel/system-one.ts';
import type { Step } from '../../daemon/execution/controllers/controller-core.ts';
import { onnxFile } from '../../scripts/policy/onnx-file.ts';
import { ARM_JOINTS, GRIPPER, JOINT_SPEED_MAX } from '../../sim/arm/arm-model.ts';
import { sceneSeed } from '../../sim/arm/arm-scene.ts';
import { ArmSimulation } from '../../sim/arm/arm-simulation.ts';
import {
  CHUNK,
  ENVIRONMENT_NAMES,
  FEATURES,
  HZ,
  type LoadedPolicy,
  rollOut,
  STATE_NAMES,
} from '../support/shipped-apps.ts';

/** The policy that comes with the arm, through the core of System 1 and the joint gate, in virtual time. */
const PERIOD_MS = 10;
const STEP_MS = 1000 / HZ;
/** What counts as standing, radians or metres. */
const HELD = 1e-6;
const SEED = sceneSeed('held_out', 1, 0);

type Seen = { readonly ms: number; readonly verdict: Step['verdict']; readonly applied: readonly number[] };

let simulation: ArmSimulation;
let world: ReturnType<typeof simWorld>;
let policy: LoadedPolicy;
beforeAll(async () => {
  simulation = await ArmSimulation.create(SEED);
  world = simWorld(simulation, 'pick_place');
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
  const pilot = systemOnePilot(world, {
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

describe('a policy that goes on from what is executed while it computes', () => {
  const width = STATE_NAMES.length;

  it('is told with each question but the first what is asked of the gate until it can answer, bit by bit', async () => {
    const DELAY_MS = 200;
    const told: { readonly ms: number; readonly prefix: Float32Array }[] = [];
    const asked = new Map<number, number[]>();
    let now = 0;
    const pilot = systemOnePilot(world, {
      delayMs: (ms) => {
        now = ms;
        return DELAY_MS;
      },
      onStep: (step, ms) => void asked.set(ms, [...step.asked].map(Math.fround)),
    });
    await rollOut(
      world,
      pilot,
      (view, prefix) => {
        told.push({ ms: now, prefix: prefix! });
        return policy.answer(view, prefix);
      },
      SEED,
    );
    expect(told[0]!.prefix).toHaveLength(0);
    expect(told.length).toBeGreaterThan(5);
    const last = Math.max(...asked.keys());
    let rows = 0;
    for (const { ms, prefix } of told.slice(1)) {
      // The one under way, and those that begin before the answer is there.
      expect(prefix.length).toBeGreaterThanOrEqual((width * DELAY_MS) / STEP_MS);
      const anchorMs = Math.floor(ms / STEP_MS) * STEP_MS;
      for (let row = 0; row < prefix.length / width; row++) {
        const at = anchorMs + row * STEP_MS;
        if (at > last) break;
        expect([...prefix.subarray(row * width, (row + 1) * width)]).toEqual(asked.get(at));
        rows++;
      }
    }
    expect(rows).toBeGreaterThan(20);
  });

  it('gets it only if it takes one: others answer the same bits', async () => {
    simulation.reset(SEED);
    const view = world.view();
    const prefix = Float32Array.from({ length: 3 * width }, (_, i) => i / 100);
    expect(await policy.answer(view, prefix)).toEqual(await policy.answer(view));

    const folder = mkdtempSync(join(tmpdir(), 'auraison-flywheel-prefix-'));
    const taker = await loadPolicy(countingNetwork(folder), new SystemClock());
    try {
      const rest = (count: number) => [
        ...Float32Array.from(view.state, (value) => Math.fround(value) + count),
      ];
      for (const [given, count] of [
        [undefined, 0],
        [new Float32Array(0), 0],
        [prefix, 3],
      ] as const) {
        const actions = [...(await taker.answer(view, given))];
        expect(actions.slice(0, count * width)).toEqual([...prefix.subarray(0, count * width)]);
        expect(actions.slice(count * width, (count + 1) * width)).toEqual(rest(count));
      }
    } finally {
      await taker.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** A network of the arm that answers in every row where the joints are, plus how many actions it was told. */
function countingNetwork(folder: string): string {
  const path = join(folder, 'counting.onnx');
  const width = STATE_NAMES.length;
  const inputs = [
    { name: FEATURES.state, shape: [1, width] },
    { name: FEATURES.environment, shape: [1, ENVIRONMENT_NAMES.length] },
  ];
  const bytes = onnxFile(
    {
      name: 'counting',
      inputs: [
        ...inputs,
        { name: 'action_prefix', shape: [1, 8, width] },
        { name: 'prefix_length', shape: [1] },
      ],
      outputs: [{ name: 'actions', shape: [CHUNK, width] }],
      constants: [{ name: 'rows', shape: [CHUNK, width], data: new Float32Array(CHUNK * width) }],
      nodes: [
        { op: 'Add', inputs: [FEATURES.state, 'prefix_length'], outputs: ['counted'] },
        { op: 'Add', inputs: ['counted', 'rows'], outputs: ['actions'] },
      ],
    },
    'test',
  );
  const card = {
    name: 'counting',
    sha256: createHash('sha256').update(bytes).digest('hex'),
    inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
    output: { name: 'actions', shape: [CHUNK, width] },
    step_ms: STEP_MS,
  };
  writeFileSync(path, bytes);
  writeFileSync(`${path}.json`, JSON.stringify(card));
  return path;
}
