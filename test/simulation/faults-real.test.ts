import { afterAll, describe, expect, it } from 'vitest';
import { campaign } from '../support/faults/campaign.ts';
import { RealTrials } from '../support/faults/real/real-trials.ts';

/** Some of the faults of a daemon as it is shipped; `bench/faults.ts --pace real` runs all of them, any number of times. */
const SEED = 5;
const real = new RealTrials();
afterAll(() => real.close());

describe('faults of a real daemon', () => {
  it.each([
    ['the base in its maze', 'base', 9],
    ['the arm at its table', 'arm', 5],
    ['a base over DDS', 'ros', 7],
    ['a base on rmw_zenoh', 'ros_zenoh', 3],
  ] as const)(
    '%s: no command after its bound, no takeover lost',
    { timeout: 900_000 },
    async (_, robot, trials) => {
      const robots = [robot];
      const { rows, failures } = await campaign({
        ...{ seed: SEED, trials, pace: 'real', robots },
        run: (trial) => real.run(trial),
        onTrial: ({ fault, motion }, outcome) => {
          const late = outcome instanceof Error ? 0 : (outcome.hostLateMs ?? 0);
          process.stdout.write(`${fault.id}, ${motion}: the host was ${Math.round(late)} ms late\n`);
        },
      });
      expect(failures.map(({ why, again }) => `${why.join('; ')}: ${again}`)).toEqual([]);
      expect(rows.reduce((all, { trials: count }) => all + count, 0)).toBe(trials);
    },
  );
});
