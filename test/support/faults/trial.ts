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
 * The trial of that number. Each round goes through all cells once, in an order that the seed draws anew, and that has each
 * fault and each motion of each robot near its start; instants, durations and variants are drawn for each. `longestMs`: no fault lasts longer, for runs that have little time.
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
  const order = orderOf(faults, `${seed} ${round} ${robots.join()}`, () =>
    balanced(shuffled(cells, new Random(seed, `round ${round}`))),
  );
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

/**
 * The same cells, so that the first few of a round are of all kinds: always the cell whose fault was rarest so far on its robot, and
 * of those the one whose motion was.
 */
function balanced(cells: readonly Cell[]): readonly Cell[] {
  const counts = new Map<string, { tried: number }>();
  const countOf = (key: string) => {
    const known = counts.get(key) ?? { tried: 0 };
    counts.set(key, known);
    return known;
  };
  const left = cells.map((cell) => ({
    cell,
    ofFault: countOf(`fault ${cell.fault.id} ${cell.robot}`),
    ofMotion: countOf(`motion ${cell.motion} ${cell.robot}`),
  }));
  return cells.map(() => {
    let rarest = 0;
    for (let i = 1; i < left.length; i++) {
      const [one, other] = [left[i]!, left[rarest]!];
      const more = one.ofFault.tried - other.ofFault.tried || one.ofMotion.tried - other.ofMotion.tried;
      if (more < 0) rarest = i;
    }
    const { cell, ofFault, ofMotion } = left.splice(rarest, 1)[0]!;
    ofFault.tried++;
    ofMotion.tried++;
    return cell;
  });
}

/** The orders of rounds, by the list of faults: each is used for a whole round. */
const orders = new WeakMap<readonly FaultSpec[], Map<string, readonly Cell[]>>();

function orderOf(faults: readonly FaultSpec[], name: string, make: () => readonly Cell[]): readonly Cell[] {
  const known = orders.get(faults) ?? new Map<string, readonly Cell[]>();
  orders.set(faults, known);
  const order = known.get(name) ?? make();
  known.set(name, order);
  return order;
}

function shuffled<T>(values: readonly T[], random: Random): readonly T[] {
  const all = [...values];
  for (let i = all.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all;
}
