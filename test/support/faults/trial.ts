import { Random } from '../../../sim/random.ts';
import { type Bound, type BoundKind, boundOf, type RobotKind } from './bounds.ts';
import type { FaultSpec, Motion, Pace } from './faults.ts';

/** One trial: all of it follows from the seed of the campaign and its number. */
export type Trial = {
  readonly seed: number;
  readonly number: number;
  readonly pace: Pace;
  readonly robot: RobotKind;
  readonly motion: Motion;
  readonly fault: FaultSpec;
  readonly boundKind: BoundKind;
  readonly bound: Bound;
  /** From the robot moving to the fault, milliseconds. */
  readonly afterMs: number;
  /** How long the fault lasts, milliseconds; 0 where it has no end. */
  readonly lastsMs: number;
  /** For what else is drawn within the trial. */
  readonly random: Random;
};

export type TrialName = Pick<Trial, 'seed' | 'number'>;
type Cell = { readonly fault: FaultSpec; readonly robot: RobotKind; readonly motion: Motion };

const AFTER_MS_MAX = 900;

/** Every fault with every motion that it is for, of these robots. */
export function cellsOf(faults: readonly FaultSpec[], robots: readonly RobotKind[]): readonly Cell[] {
  return faults.flatMap((fault) =>
    robots.flatMap((robot) => (fault.motions[robot] ?? []).map((motion) => ({ fault, robot, motion }))),
  );
}

/**
 * The trial of that number. Each round goes through all cells once, in an order that the seed draws anew; instants,
 * durations and variants are drawn for each. `longestMs`: no fault lasts longer, for runs that have little time.
 */
export function trialOf(
  faults: readonly FaultSpec[],
  robots: readonly RobotKind[],
  { seed, number }: TrialName,
  longestMs = Infinity,
): Trial {
  const cells = cellsOf(faults, robots);
  if (cells.length === 0) throw new Error(`no fault for ${robots.join(', ')}`);
  const round = Math.floor(number / cells.length);
  const order = shuffled(cells, new Random(seed, `round ${round}`));
  const { fault, robot, motion } = order[number % cells.length]!;
  const random = new Random(seed, `trial ${number}`);
  const boundKind = typeof fault.bound === 'function' ? fault.bound(motion) : fault.bound;
  const [least, longest] = fault.lasts ?? [0, 0];
  const most = Math.max(least, Math.min(longest, longestMs));
  return {
    ...{ seed, number, pace: fault.pace, robot, motion, fault, boundKind },
    bound: boundOf(boundKind, robot),
    afterMs: Math.round(AFTER_MS_MAX * random.float()),
    lastsMs: least === 0 ? 0 : Math.round(least * (most / least) ** random.float()),
    random,
  };
}

function shuffled<T>(values: readonly T[], random: Random): readonly T[] {
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
