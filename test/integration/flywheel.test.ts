import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type FlywheelRequest, runFlywheel } from '../../daemon/compose/flywheel/run-flywheel.ts';
import { sceneSeed } from '../../sim/arm/arm-scene.ts';
import type { Progress } from '../support/shipped-apps.ts';

/** Physics, dataset, trainer, network, the core of System 1 and the joint gate, as `auraison flywheel` joins them. */
const SEED = 1;
const MINUTES = 60_000;
/** Half of what `auraison flywheel` measures with (docs/arm.md), to take half of the time. */
const EVALUATIONS = 50;
const folder = mkdtempSync(join(tmpdir(), 'auraison-flywheel-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function request(name: string, rest: Partial<FlywheelRequest>): FlywheelRequest {
  return {
    folder: join(folder, name),
    task: 'pick_place',
    seed: SEED,
    demos: 200,
    evaluations: EVALUATIONS,
    rounds: 0,
    supervised: 150,
    prefix: 0,
    python: undefined,
    fresh: false,
    signal: new AbortController().signal,
    tell: () => {},
    note: () => {},
    ...rest,
  };
}

describe(`the flywheel, family of starts ${SEED}`, () => {
  it('learns to pick and place from 200 demonstrations: nine of ten held-out starts', {
    timeout: 20 * MINUTES,
  }, async () => {
    const { rounds } = await runFlywheel(request('many', {}));
    const [{ rate, failed_seeds }] = rounds as [(typeof rounds)[0]];
    process.stdout.write(
      `200 demonstrations: ${rate.successes} of ${rate.trials} (${rate.low.toFixed(3)} to ${rate.high.toFixed(3)}); failed starts ${failed_seeds.join(' ')}\n`,
    );
    expect(rate.trials).toBe(EVALUATIONS);
    expect(rate.successes).toBeGreaterThanOrEqual(0.9 * EVALUATIONS);
  });

  it('gains 10 points by one round of corrections, says where they are from, and does not begin anew', {
    timeout: 20 * MINUTES,
  }, async () => {
    const few = request('few', { demos: 50, rounds: 1 });
    const report = await runFlywheel(few);
    const [before, after] = report.rounds;
    process.stdout.write(
      `50 demonstrations: ${before!.rate.successes} of ${EVALUATIONS}; with ${after!.interventions} corrections: ${after!.rate.successes}\n`,
    );
    expect(after!.interventions).toBeGreaterThan(0);
    expect(report.gain_points).toBeGreaterThanOrEqual(10);

    const notes = readFileSync(join(few.folder, 'dataset', 'meta', 'auraison.json'), 'utf8');
    const seeds = [...notes.matchAll(/seed (\d+)/g)].map(([, seed]) => Number(seed));
    expect(seeds.length).toBe(50 + after!.interventions);
    // Nothing was learned from a start that is measured with.
    const heldOut = new Set(Array.from({ length: EVALUATIONS }, (_, i) => sceneSeed('held_out', SEED, i)));
    expect(seeds.filter((seed) => heldOut.has(seed))).toEqual([]);
    expect(notes).toContain(`policy ${before!.policy_sha256}`);

    const stages = new Set<Progress['stage']>();
    const again = await runFlywheel({ ...few, tell: ({ stage }) => void stages.add(stage) });
    expect(again).toEqual(report);
    expect([...stages].filter((stage) => stage !== 'demonstrate')).toEqual([]);
    await expect(runFlywheel({ ...few, seed: SEED + 1 })).rejects.toMatchObject({ code: 'schema.invalid' });
    // Nothing but a flywheel is ever emptied.
    const other = join(folder, 'other');
    mkdirSync(other);
    writeFileSync(join(other, 'thesis.tex'), 'years of work');
    await expect(runFlywheel({ ...few, folder: other, fresh: true })).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    expect(readFileSync(join(other, 'thesis.tex'), 'utf8')).toBe('years of work');
    expect(readFileSync(join(few.folder, 'table.jpg')).subarray(0, 3)).toEqual(
      Buffer.from([0xff, 0xd8, 0xff]),
    );
  });

  it('ends where it is told to, and goes on from what it has', { timeout: 10 * MINUTES }, async () => {
    const stop = new AbortController();
    const some = request('cut', { demos: 60, signal: stop.signal });
    const cut = runFlywheel({
      ...some,
      tell: ({ done }) => {
        if (done === 55) stop.abort();
      },
    });
    await expect(cut).rejects.toMatchObject({ code: 'run.cancelled' });
    const taught: number[] = [];
    const goOn = new AbortController();
    const rest = runFlywheel({
      ...some,
      signal: goOn.signal,
      tell: ({ stage, done }) => {
        if (stage === 'demonstrate') taught.push(done);
        else goOn.abort();
      },
    });
    await expect(rest).rejects.toMatchObject({ code: 'run.cancelled' });
    expect(taught.at(-1)).toBe(60);
  });
});
