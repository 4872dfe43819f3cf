import { ROBOT_KINDS, type RobotKind } from './bounds.ts';
import { FAULTS, type FaultSpec, type Motion, type Pace } from './faults.ts';
import type { Verdict } from './judge.ts';
import { MOTION_WORDS } from './motions.ts';
import { cellsOf, type Trial, trialOf } from './trial.ts';

/** `allowanceMs`: what a busy host added to the bound of this trial. Counts of an older version do not say it. */
export type Worst = { readonly restMs: number; readonly boundMs: number; readonly allowanceMs?: number };

/** What is said of one fault and one robot, over all trials. */
export type Row = {
  readonly fault: FaultSpec;
  readonly robot: RobotKind;
  trials: number;
  /** Those in which nothing moved when the fault came: they prove less. */
  unmoved: number;
  /** Of the trial that used most of its bound; undefined: nothing was bounded. */
  worst: Worst | undefined;
  lateCommands: number;
  takeoversLost: number;
  restedTooLate: number;
  overspeed: number;
  collisions: number;
  /** Trials by what moved the robot, or tried to. */
  ways: Partial<Record<Motion, number>>;
  /** What a busy host added to a bound at most, milliseconds; 0 in virtual time. */
  hostLateMs: number;
};

export type Outcome = { readonly verdict: Verdict; readonly moved: boolean; readonly hostLateMs?: number };
export type Failure = { readonly trial: Trial; readonly why: readonly string[]; readonly again: string };

export type CampaignOptions = {
  readonly seed: number;
  readonly trials: number;
  readonly pace: Pace;
  readonly robots: readonly RobotKind[];
  /** Ids of faults, or what they start with up to a dot; empty or absent: all. */
  readonly faults?: readonly string[];
  /** Only trials of these; empty or absent: of all. */
  readonly motions?: readonly string[];
  readonly longestMs?: number;
  /** The number of the first trial. */
  readonly from?: number;
  run(trial: Trial): Promise<Outcome>;
  /** After each trial. False: nothing more is tried. */
  onTrial?(trial: Trial, outcome: Outcome | Error, done: number): boolean | undefined;
};

export type CampaignResult = {
  readonly trials: number;
  readonly rows: readonly Row[];
  readonly failures: readonly Failure[];
};

/** The command that repeats one trial alone. */
export function againCommand(
  { seed, number, pace }: Trial,
  robots: readonly RobotKind[],
  longestMs?: number,
  { faults: only = [], motions = [] }: Pick<CampaignOptions, 'faults' | 'motions'> = {},
): string {
  const longest = longestMs === undefined ? '' : ` --longest ${longestMs}`;
  const faults = only.length === 0 ? '' : ` --faults ${only.join(',')}`;
  const ways = motions.length === 0 ? '' : ` --motions ${motions.join(',')}`;
  return `node bench/faults.ts --pace ${pace} --robots ${robots.join(',')} --seed ${seed} --trial ${number}${longest}${faults}${ways}`;
}

/** The faults of this pace; only those, and those motions, that are named, where some are. Throws for a name that means none. */
export function faultsOf(
  pace: Pace,
  only: readonly string[] = [],
  motions: readonly string[] = [],
): readonly FaultSpec[] {
  const all = FAULTS.filter((fault) => fault.pace === pace);
  const means = (name: string, { id }: FaultSpec) => id === name || id.startsWith(`${name}.`);
  const unknown = only.filter((name) => !all.some((fault) => means(name, fault)));
  if (unknown.length > 0)
    throw new Error(
      `no fault of pace ${pace} is named ${unknown.join(', ')}; known: ${all.map(({ id }) => id).join(', ')}`,
    );
  const named = only.length === 0 ? all : all.filter((fault) => only.some((name) => means(name, fault)));
  if (motions.length === 0) return named;
  const strange = motions.filter((name) => !Object.hasOwn(MOTION_WORDS, name));
  if (strange.length > 0)
    throw new Error(
      `no motion is named ${strange.join(', ')}; known: ${Object.keys(MOTION_WORDS).join(', ')}`,
    );
  return named.flatMap((fault) => {
    const left = Object.entries(fault.motions).flatMap(([robot, all]) => {
      const some = all.filter((motion) => motions.includes(motion));
      return some.length === 0 ? [] : [[robot, some] as const];
    });
    return left.length === 0 ? [] : [{ ...fault, motions: Object.fromEntries(left) }];
  });
}

/** Trials in their order; each is judged by itself, and one that throws is a failure as well. */
export async function campaign(options: CampaignOptions): Promise<CampaignResult> {
  const { seed, pace, robots, faults: only, motions, longestMs, from = 0, run, onTrial } = options;
  const faults = faultsOf(pace, only, motions);
  const rows = new Map<string, Row>();
  const failures: Failure[] = [];
  let done = 0;
  for (let number = from; number < from + options.trials; number++) {
    const trial = trialOf(faults, robots, { seed, number }, longestMs);
    const outcome = await run(trial).catch((thrown: unknown) =>
      thrown instanceof Error ? thrown : new Error(String(thrown)),
    );
    done++;
    const why = outcome instanceof Error ? [`it threw: ${outcome.message}`] : outcome.verdict.broken;
    if (why.length > 0) failures.push({ trial, why, again: againCommand(trial, robots, longestMs, options) });
    if (!(outcome instanceof Error)) add(rows, trial, outcome);
    if (onTrial?.(trial, outcome, done) === false) break;
  }
  return { trials: done, rows: inOrder(rows), failures };
}

/** Rows of several campaigns, added up. */
export function merged(all: readonly (readonly Row[])[]): readonly Row[] {
  const rows = new Map<string, Row>();
  for (const row of all.flat()) {
    const known = rows.get(keyOf(row.fault.id, row.robot));
    if (!known) {
      rows.set(keyOf(row.fault.id, row.robot), { ...row, ways: { ...row.ways } });
      continue;
    }
    known.trials += row.trials;
    known.unmoved += row.unmoved;
    known.lateCommands += row.lateCommands;
    known.takeoversLost += row.takeoversLost;
    known.restedTooLate += row.restedTooLate;
    known.overspeed += row.overspeed;
    known.collisions += row.collisions;
    known.hostLateMs = Math.max(known.hostLateMs, row.hostLateMs);
    known.worst = slower(known.worst, row.worst);
    for (const [motion, trials] of Object.entries(row.ways)) countWay(known, motion as Motion, trials);
  }
  return inOrder(rows);
}

function add(rows: Map<string, Row>, trial: Trial, { verdict, moved, hostLateMs = 0 }: Outcome): void {
  const { fault, robot, motion, bound } = trial;
  const key = keyOf(fault.id, robot);
  let row = rows.get(key);
  if (!row) {
    const none = { trials: 0, unmoved: 0, lateCommands: 0, takeoversLost: 0, restedTooLate: 0, overspeed: 0 };
    row = { fault, robot, worst: undefined, collisions: 0, hostLateMs: 0, ways: {}, ...none };
    rows.set(key, row);
  }
  row.trials++;
  countWay(row, motion, 1);
  row.hostLateMs = Math.max(row.hostLateMs, hostLateMs);
  if (!moved) row.unmoved++;
  row.lateCommands += verdict.lateCommands;
  if (verdict.strangeCommands > 0) row.takeoversLost++;
  if (verdict.restedTooLate) row.restedTooLate++;
  row.overspeed += verdict.overspeed + verdict.notFinite;
  row.collisions += fault.id === 'lidar.blind' ? verdict.collisions : 0;
  const { restMs } = bound;
  if (restMs !== undefined && restMs > 0 && verdict.restMs !== undefined && fault.id !== 'takeover')
    row.worst = slower(row.worst, {
      restMs: verdict.restMs,
      boundMs: restMs,
      allowanceMs: hostLateMs,
    });
}

function countWay({ ways }: Row, motion: Motion, trials: number): void {
  ways[motion] = (ways[motion] ?? 0) + trials;
}

function slower(a: Worst | undefined, b: Worst | undefined): Worst | undefined {
  if (!a || !b) return a ?? b;
  return b.restMs / b.boundMs > a.restMs / a.boundMs ? b : a;
}

const keyOf = (id: string, robot: RobotKind) => `${id} ${robot}`;

/** As the list of faults has them. */
function inOrder(rows: ReadonlyMap<string, Row>): readonly Row[] {
  return FAULTS.flatMap(({ id }) => ROBOT_KINDS.flatMap((robot) => rows.get(keyOf(id, robot)) ?? []));
}

/** How many cells a pace has with these robots: as many trials go once through all. */
export function roundOf(
  pace: Pace,
  robots: readonly RobotKind[],
  only?: readonly string[],
  motions?: readonly string[],
): number {
  return cellsOf(faultsOf(pace, only, motions), robots).length;
}
