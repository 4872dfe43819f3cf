import { describe, expect, it } from 'vitest';
import { campaign, faultsOf } from '../support/faults/campaign.ts';
import { cellsOf, type Trial, trialOf } from '../support/faults/trial.ts';
import { runVirtualTrial } from '../support/faults/virtual/run-trial.ts';

/** The fault campaign in accelerated time; `bench/faults.ts` runs any number of trials of the same kind. */
const SEED = 20;
const TRIALS = 300;
const ROBOTS = ['base', 'arm'] as const;
/** Freezes of a minute are for the bench. */
const LONGEST_MS = 8_000;
/** So many parts, that each says where it is. */
const PARTS = 6;
/** A trial in which nothing moves proves little. */
const UNMOVED_SHARE_MAX = 0.05;

describe('300 faults in accelerated time', () => {
  it('go through every fault and every way in, of each robot', () => {
    const faults = faultsOf('virtual');
    const kinds = (cells: readonly Pick<Trial, 'fault' | 'motion' | 'robot'>[]) =>
      new Set(cells.flatMap(({ fault, motion, robot }) => [`${fault.id} ${robot}`, `${motion} ${robot}`]));
    const tried = Array.from({ length: TRIALS }, (_, number) =>
      trialOf(faults, ROBOTS, { seed: SEED, number }, LONGEST_MS),
    );
    expect([...kinds(tried)].sort()).toEqual([...kinds(cellsOf(faults, ROBOTS))].sort());
  });

  it.each(Array.from({ length: PARTS }, (_, part) => part))(
    `part %i of ${PARTS}: no command after its bound, no takeover lost (seed ${SEED})`,
    { timeout: 600_000 },
    async (part) => {
      const trials = TRIALS / PARTS;
      const { rows, failures } = await campaign({
        ...{
          seed: SEED,
          trials,
          from: part * trials,
          pace: 'virtual',
          robots: ROBOTS,
          longestMs: LONGEST_MS,
        },
        run: runVirtualTrial,
      });
      expect(failures.map(({ why, again }) => `${why.join('; ')}: ${again}`)).toEqual([]);
      const sum = (of: (row: (typeof rows)[number]) => number) => rows.reduce((all, row) => all + of(row), 0);
      expect(sum((row) => row.trials)).toBe(trials);
      expect(sum((row) => row.unmoved)).toBeLessThanOrEqual(UNMOVED_SHARE_MAX * trials);
    },
  );
});
