import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ControllerCore } from '../../daemon/execution/controllers/controller-core.ts';
import { gateSpec, makeJointGate } from '../../daemon/execution/safety/index.ts';
import { readUrdf } from '../../formats/urdf/index.ts';
import { controllerSpec } from '../fakes/controller-spec.ts';

const PERIOD = 10;
const STEP = 50;
const JOINTS = ['joint_1', 'joint_3'];

/** A controller with the joint gate of the arm, whose only answer ends in full motion; then for `seconds` nothing. */
function starve(starvation: 'hold' | 'decelerate', seconds: number): { last: number[]; ends: number[] } {
  const gate = makeJointGate(
    gateSpec(readUrdf(readFileSync('sim/arm/ar4.urdf', 'utf8')), {
      ...{ joints: JOINTS, base: 'base_link', tool: 'tool0', mode: 'clamp', rateMax: 1_000 },
      ...{ gapSeconds: 0.5, rows: [], boxes: [] },
    }),
  );
  const measured = { positions: new Float64Array(2), efforts: new Float64Array(2), known: true };
  const output = { topic: '/commands', kind: 'positions', stamped: false, names: JOINTS } as const;
  const core = new ControllerCore(controllerSpec({ output, starvation }), gate, () => -1);
  core.begin();
  core.step(0, measured);
  const { id } = core.question(0)!;
  const horizon = 10;
  const actions = Float32Array.from({ length: 2 * horizon }, (_, i) =>
    i % 2 === 0 ? 0.02 * i : -0.2 * ((i % 7) / 7),
  );
  core.answer({ id, stepMs: STEP, actions, horizon, dimension: 2, policyHash: 'h' }, 0);
  let last: number[] = [];
  let rest: number[] = [];
  const silent = horizon * STEP;
  for (let ms = PERIOD; ms <= silent + seconds * 1_000; ms += PERIOD) {
    const { applied, verdict } = core.step(ms, measured);
    if (verdict !== 'starved') last = [...applied];
    else if (ms === silent + 2_000) rest = [...applied];
    measured.positions.set(applied);
  }
  expect(rest.length).toBe(2);
  for (const [j, value] of core.values.entries()) expect(Math.abs(value - rest[j]!)).toBeLessThan(1e-9);
  return { last, ends: [...core.values] };
}

describe('an arm whose policy is gone, through the joint gate', () => {
  it('holds where it was for ten minutes and does not creep', () => {
    const { last, ends } = starve('hold', 600);
    for (const [j, value] of ends.entries()) expect(value).toBeCloseTo(last[j]!, 9);
  });

  it('comes to rest further on and stays there', () => {
    const { last, ends } = starve('decelerate', 600);
    expect(ends[0]!).toBeGreaterThan(last[0]!);
  });
});
