import { type CellName, canonicalJson } from '../../contract/core.ts';

type Sections = Readonly<Record<string, unknown>>;

export type ReloadPlan = {
  /** Sections whose keys changed. */
  readonly changed: readonly string[];
  /** Cells that take the change by starting again, in the order in which they start. */
  readonly restart: readonly CellName[];
  /** Sections that running cells take as they are. */
  readonly live: readonly string[];
  /** Keys that count only from the next start of the daemon. */
  readonly later: readonly string[];
};

/** Keys of the daemon's own frame: its name, its data, its processes, the simulated world. */
const FRAME = ['daemon', 'sim'];
/** Sections that only the named cells read. What is not here is the runtime's. */
const READERS: Readonly<Record<string, readonly CellName[]>> = {
  robot: ['execution'],
  arm: ['execution'],
  control: ['execution'],
  controllers: ['execution'],
  gate: ['execution'],
  lease: ['execution'],
  // The API asks for the role that releases it.
  estop: ['execution', 'runtime'],
  ros: ['execution'],
  routes: ['execution'],
  zenoh: ['execution'],
  // The prompts of agents say how this robot records.
  recorder: ['execution', 'runtime'],
  lake: ['memory'],
  link: ['link'],
  intents: ['execution', 'runtime', 'link'],
  inference: ['execution'],
  foxglove: ['execution'],
  rosbridge: ['execution'],
};
/** Sections that running cells take as they are: policies and wires of the execution cell, models of the runtime. */
const LIVE = ['policies', 'serve', 'models', 'engine'];
/** Keys of `zenoh` that a new session is not enough for. */
const ZENOH_PARTS = ['enabled', 'driver', 'prefix'];
const ORDER: readonly CellName[] = ['execution', 'memory', 'runtime', 'link'];

/** What has to happen for `after` to count where `before` does. Pure. */
export function planReload(before: Sections, after: Sections): ReloadPlan {
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (section) => !same(before[section], after[section]),
  );
  const live: string[] = [];
  const later: string[] = [];
  const restart = new Set<CellName>();
  for (const section of changed) {
    const keys = changedKeys(before[section], after[section]);
    if (FRAME.includes(section)) later.push(...keys.map((key) => `${section}.${key}`));
    // The simulated robot is another process, which keeps running.
    else if (section === 'robot' && keys.includes('source')) later.push('robot.source');
    // Each policy is swapped alone: no question fails, and the robot is not stopped for it.
    else if (LIVE.includes(section)) live.push(section);
    else if (section === 'zenoh' && !isRosOverZenoh(before) && !keys.some((key) => ZENOH_PARTS.includes(key)))
      live.push(section);
    else for (const cell of READERS[section] ?? ['runtime']) restart.add(cell);
  }
  return { changed, restart: ORDER.filter((cell) => restart.has(cell)), live, later };
}

/** The robot is on a Zenoh session of its own, which only a new execution cell opens again. */
function isRosOverZenoh({ robot }: Sections): boolean {
  return isTable(robot) && robot['source'] === 'ros_zenoh';
}

function changedKeys(before: unknown, after: unknown): string[] {
  if (!isTable(before) || !isTable(after)) return [''];
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter(
    (key) => !same(before[key], after[key]),
  );
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function same(a: unknown, b: unknown): boolean {
  if (a === undefined || b === undefined) return a === b;
  return canonicalJson(a) === canonicalJson(b);
}
