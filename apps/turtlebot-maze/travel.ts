import type { MapSnapshot } from 'auraison-edge';
import { eachNeighbour, isFree, PER_CELL } from './grid.ts';

/** Cells nearer to a wall than this are not driven through, metres: robot radius and a margin. */
export const ROBOT_RADIUS_M = 0.2;
/** Clearance beyond which more is not better, metres. */
const COMFORTABLE_M = 0.4;
/** A robot that stands too near to a wall may leave, this far, metres. */
const ESCAPE_M = 0.35;

/** Estimated cost of driving to every cell over known free floor; -1 where no way leads. */
export type Travel = { readonly cost: Int32Array; readonly from: Int32Array; readonly start: number };

/**
 * Dijkstra from the robot's cell. A coarse estimate for choosing goals, not a path to follow: that one the
 * robot plans itself. Costs are whole numbers (fifths of a cell, up to threefold near walls) in a bucket
 * queue whose order is fixed, so the same map gives the same answer everywhere.
 */
export function travelFrom(map: MapSnapshot, field: Int32Array, start: number): Travel {
  const count = map.width * map.height;
  const cost = new Int32Array(count).fill(-1);
  const from = new Int32Array(count).fill(-1);
  const settled = new Uint8Array(count);
  const buckets: number[][] = [[start]];
  cost[start] = 0;
  from[start] = start;
  for (let at = 0; at < buckets.length; at++) {
    const bucket = buckets[at];
    if (!bucket) continue;
    for (const cell of bucket) {
      if (settled[cell] || cost[cell] !== at) continue;
      settled[cell] = 1;
      eachNeighbour(map, cell, (next, length) => {
        if (settled[next]) return;
        const factor = stepFactor(map, field, next, start);
        if (factor === 0) return;
        const through = at + length * factor;
        if (cost[next] !== -1 && cost[next]! <= through) return;
        cost[next] = through;
        from[next] = cell;
        const waiting = buckets[through];
        if (waiting) waiting.push(next);
        else buckets[through] = [next];
      });
    }
  }
  return { cost, from, start };
}

/** 1 in the open, 2 and 3 near walls, 0 where the robot does not fit. */
function stepFactor(map: MapSnapshot, field: Int32Array, cell: number, start: number): number {
  if (!isFree(map, cell)) return 0;
  const metres = (field[cell]! * map.resolution) / PER_CELL;
  if (metres < ROBOT_RADIUS_M) return distance(map, cell, start) <= ESCAPE_M ? 3 : 0;
  if (metres >= COMFORTABLE_M) return 1;
  return metres >= (ROBOT_RADIUS_M + COMFORTABLE_M) / 2 ? 2 : 3;
}

/** True where the robot may stand at the end of a drive: reachable, and not only by escaping. */
export function standable(map: MapSnapshot, field: Int32Array, travel: Travel, cell: number): boolean {
  return travel.cost[cell]! >= 0 && (field[cell]! * map.resolution) / PER_CELL >= ROBOT_RADIUS_M;
}

/** Cells from the robot to `goal`, both included. */
export function pathTo(travel: Travel, goal: number): number[] {
  const path = [goal];
  for (let cell = goal; cell !== travel.start; path.push(cell)) cell = travel.from[cell]!;
  return path.reverse();
}

/** Metres between the centres of two cells. */
export function distance(map: MapSnapshot, a: number, b: number): number {
  const ax = a % map.width;
  const bx = b % map.width;
  const rows = (a - ax - (b - bx)) / map.width;
  return Math.hypot(ax - bx, rows) * map.resolution;
}
