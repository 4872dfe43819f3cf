import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { campaign, faultsOf, type Outcome } from '../support/faults/campaign.ts';
import { added, noCounts, readCounts, writeCounts } from '../support/faults/counts.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'faults-counts-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const held: Outcome['verdict'] = {
  ...{ lateCommands: 0, strangeCommands: 0, lastCommandMs: 10, restMs: 20, restedTooLate: false },
  ...{ overspeed: 0, notFinite: 0, collisions: 0, broken: [] },
};
/** A campaign that only counts; each trial of this number fails. */
const counted = (from: number, trials: number, failing = -1) =>
  campaign({
    ...{ seed: 3, from, trials, pace: 'virtual', robots: ['base', 'arm'], faults: ['estop', 'takeover'] },
    run: async ({ number }) => ({
      verdict: number === failing ? { ...held, lateCommands: 1, broken: ['1 moving commands'] } : held,
      moved: number % 10 !== 0,
    }),
  });

describe('the counts of the fault campaign', () => {
  it('are the same in one go and in slices that were kept between processes', async () => {
    const path = join(folder, 'counts.json');
    const whole = added(noCounts('p', 'c'), await counted(0, 150, 77));
    writeCounts(path, noCounts('p', 'c'));
    for (const [from, trials] of [
      [0, 40],
      [40, 60],
      [100, 50],
    ] as const)
      writeCounts(path, added(readCounts(path)!, await counted(from, trials, 77)));
    const kept = readCounts(path)!;
    expect(kept).toEqual(whole);
    expect(kept.trials).toBe(150);
    expect(kept.rows.reduce((all, { trials }) => all + trials, 0)).toBe(150);
    expect(kept.failures).toEqual([
      {
        why: ['1 moving commands'],
        again: expect.stringMatching(/--seed 3 --trial 77 --faults estop,takeover$/),
      },
    ]);
  });

  it('are none where there is no file, and refused where it holds something else', () => {
    expect(readCounts(join(folder, 'none.json'))).toBeUndefined();
    writeFileSync(join(folder, 'other.json'), '{"trials": 3}');
    expect(() => readCounts(join(folder, 'other.json'))).toThrow(/holds no counts/);
  });
});

describe('faults by name', () => {
  it('are one, or all that start so', () => {
    expect(faultsOf('virtual', ['estop.key']).map(({ id }) => id)).toEqual(['estop.key']);
    const stops = faultsOf('virtual', ['estop']).map(({ id }) => id);
    expect(stops).toContain('estop.file');
    expect(stops.every((id) => id.startsWith('estop.'))).toBe(true);
    expect(faultsOf('virtual').length).toBeGreaterThan(stops.length);
  });

  it('have those motions only that are named', () => {
    const some = faultsOf('virtual', ['runs', 'publish'], ['publish', 'central']);
    const ways = new Set(some.flatMap(({ motions }) => Object.values(motions).flat()));
    expect([...ways].sort()).toEqual(['central', 'publish']);
    expect(some.map(({ id }) => id)).not.toContain('peer.kill');
    expect(() => faultsOf('virtual', [], ['idle', 'walk'])).toThrow(/no motion is named walk; known: /);
  });

  it('are refused where the name means none of that pace', () => {
    expect(() => faultsOf('virtual', ['estop', 'daemon.estop'])).toThrow(/named daemon.estop; known: /);
    expect(() => faultsOf('virtual', ['esto'])).toThrow(/named esto/);
  });
});
