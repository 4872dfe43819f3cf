import { describe, expect, it } from 'vitest';
import { BOUNDS, boundOf, ROBOT_KINDS } from '../support/faults/bounds.ts';
import { FAULTS } from '../support/faults/faults.ts';
import { cellsOf, type Trial, trialOf } from '../support/faults/trial.ts';

const ROBOTS = ROBOT_KINDS;
const named = ({ fault, random, ...rest }: Trial) => ({ ...rest, fault: fault.id, next: random.uint32() });
const trials = (seed: number, count: number) =>
  Array.from({ length: count }, (_, number) => trialOf(FAULTS, ROBOTS, { seed, number }));

describe('the plan of the fault campaign', () => {
  it('is the same for the same seed, trial by trial, in any order', () => {
    const forwards = trials(5, 400).map(named);
    const backwards = Array.from({ length: 400 }, (_, i) =>
      named(trialOf(FAULTS, ROBOTS, { seed: 5, number: 399 - i })),
    );
    expect(backwards.reverse()).toEqual(forwards);
    expect(trials(6, 400).map(named)).not.toEqual(forwards);
  });

  it('has every fault with every motion and robot that it is for in each round', () => {
    const cells = cellsOf(FAULTS, ROBOTS);
    const names = (all: readonly Pick<Trial, 'fault' | 'robot' | 'motion'>[]) =>
      all.map(({ fault, robot, motion }) => `${fault.id} ${robot} ${motion}`).sort();
    for (const round of [0, 1, 2]) {
      const of = trials(9, 3 * cells.length).slice(round * cells.length, (round + 1) * cells.length);
      expect(names(of)).toEqual(names(cells));
    }
  });

  it('draws instants and durations within what is declared', () => {
    for (const { fault, afterMs, lastsMs } of trials(3, 1_000)) {
      const [least, most] = fault.lasts ?? [0, 0];
      expect(lastsMs).toBeGreaterThanOrEqual(least);
      expect(lastsMs).toBeLessThanOrEqual(most);
      expect(afterMs).toBeGreaterThanOrEqual(0);
    }
    const durations = trials(3, 1_000).filter(({ fault }) => fault.lasts?.[1] === 60_000);
    expect(Math.min(...durations.map(({ lastsMs }) => lastsMs))).toBeLessThan(1_000);
    expect(Math.max(...durations.map(({ lastsMs }) => lastsMs))).toBeGreaterThan(30_000);
  });

  it('can be told how long a fault may last at most', () => {
    for (let number = 0; number < 500; number++) {
      const { fault, lastsMs } = trialOf(FAULTS, ROBOTS, { seed: 3, number }, 5_000);
      expect(lastsMs).toBeLessThanOrEqual(Math.max(5_000, fault.lasts?.[0] ?? 0));
    }
  });

  it('names each fault once, and gives each of them a bound that is declared', () => {
    expect(new Set(FAULTS.map(({ id }) => id)).size).toBe(FAULTS.length);
    for (const { boundKind, robot } of trials(1, 1_000)) {
      expect(BOUNDS[boundKind].why).not.toBe('');
      const { commandsMs, restMs } = boundOf(boundKind, robot);
      // Nothing that has to stand may take longer than the daemon itself allows a stop to be confirmed.
      if (commandsMs !== undefined) expect(commandsMs).toBeLessThanOrEqual(restMs!);
      if (restMs !== undefined) expect(restMs).toBeLessThan(5_000);
    }
  });
});
