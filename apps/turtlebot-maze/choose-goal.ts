import type { MapSnapshot } from 'auraison-edge';
import { type MazeFacts, type Place, round } from './facts.ts';
import type { Frontier, Survey } from './frontier.ts';
import { centreOf } from './grid.ts';
import { rimPlaces } from './rim.ts';
import { pathTo } from './travel.ts';

/** Cost added to every drive for turning and deciding, metres; it also avoids a division by zero for near goals. */
const OVERHEAD_M = 1;
/** The current target is kept unless another is this much better. */
const LOYALTY = 1.3;
/** Frontiers move as the map grows: within this distance they are the same one, metres. */
const SAME_M = 0.7;
/** A drive is cut into stretches of this length, metres, since the map grows meanwhile. */
const LEG_M = 2.5;

export type Choice = {
  readonly target: NonNullable<MazeFacts['target']>;
  readonly leg: NonNullable<MazeFacts['leg']>;
};

/**
 * The frontier with the best ratio of unknown floor to driving, as metres squared per metre, and the first
 * stretch towards it. Undefined when all that are left are to be avoided. Pure.
 */
export function chooseGoal(
  map: MapSnapshot,
  seen: Survey,
  facts: Pick<MazeFacts, 'target' | 'avoid'>,
): Choice | undefined {
  return rankGoals(map, seen, facts, 1)[0];
}

/** The best frontiers, the best first; equal ones in the order of their cells. Pure. */
export function rankGoals(
  map: MapSnapshot,
  seen: Survey,
  facts: Pick<MazeFacts, 'target' | 'avoid'>,
  count: number,
): readonly Choice[] {
  const open = seen.frontiers.filter((frontier) => !facts.avoid.some((place) => near(place, frontier.place)));
  const utility = (frontier: Frontier) => {
    const kept = facts.target !== null && near(facts.target, frontier.place) ? LOYALTY : 1;
    return (kept * frontier.gain) / (frontier.cost + OVERHEAD_M);
  };
  return open
    .map((frontier) => ({ frontier, worth: utility(frontier) }))
    .sort((a, b) => b.worth - a.worth)
    .slice(0, count)
    .map(({ frontier }) => choiceOf(map, seen, frontier));
}

/**
 * Where to go when no frontier is left: the outermost place that is not to be avoided. Places where the robot
 * already is are returned as `been`. Pure.
 */
export function chooseRim(
  map: MapSnapshot,
  seen: Survey,
  pose: Place,
  avoid: readonly Place[],
): { readonly choice: Choice | undefined; readonly been: readonly Place[] } {
  const places = rimPlaces(map, seen);
  const been = places
    .filter(({ place }) => near(place, pose) && !avoid.some((known) => near(known, place)))
    .map(({ place }) => ({ x: round(place.x), y: round(place.y) }));
  const next = places.find(({ place }) => ![...avoid, ...been].some((known) => near(known, place)));
  return { choice: next && choiceOf(map, seen, next), been };
}

function choiceOf(map: MapSnapshot, seen: Survey, goal: Frontier): Choice {
  const { place, gain, cost } = goal;
  const target = { x: round(place.x), y: round(place.y), gain_m2: round(gain), cost_m: round(cost) };
  return { target, leg: firstLeg(map, seen, goal) };
}

/** Where the first stretch of the drive ends, facing along it. */
function firstLeg(map: MapSnapshot, seen: Survey, goal: Frontier): Choice['leg'] {
  const path = pathTo(seen.travel, goal.cell);
  let length = 0;
  let end = 0;
  while (end < path.length - 1 && length < LEG_M) {
    const a = centreOf(map, path[end]!);
    const b = centreOf(map, path[++end]!);
    length += Math.hypot(b.x - a.x, b.y - a.y);
  }
  // A short rest is driven at once.
  const rest = (path.length - 1 - end) * map.resolution;
  if (rest < LEG_M / 4) end = path.length - 1;
  const at = centreOf(map, path[end]!);
  const before = centreOf(map, path[Math.max(0, end - Math.round(0.3 / map.resolution))]!);
  const yaw = end === 0 ? 0 : Math.atan2(at.y - before.y, at.x - before.x);
  return {
    x: round(at.x),
    y: round(at.y),
    yaw: round(yaw),
    length_m: round(length + (rest < LEG_M / 4 ? rest : 0)),
  };
}

function near(a: Place, b: Place): boolean {
  return Math.hypot(a.x - b.x, a.y - b.y) <= SAME_M;
}
