import type { MapSnapshot, Pose2d } from '../../../contract/index.ts';

export type MapSummary = {
  readonly free_m2: number;
  readonly occupied_m2: number;
  /** Known cells among those of the box around what is known. */
  readonly known_share: number;
  readonly resolution_m: number;
  /** Box around what is known, metres in map; null while nothing is. */
  readonly bounds: {
    readonly x_min: number;
    readonly y_min: number;
    readonly x_max: number;
    readonly y_max: number;
  } | null;
  /** Edges between free floor that connects to the robot and the unknown, the nearest first. */
  readonly frontiers: readonly Frontier[];
  readonly frontiers_left_out: number;
};

export type Frontier = {
  /** A free cell of the edge, near its middle, metres in map. */
  readonly x: number;
  readonly y: number;
  readonly length_m: number;
  /** From the robot, over free floor in steps along the grid, metres; not the length of a drive. */
  readonly distance_m: number;
  /** From the robot, in map, radians. */
  readonly bearing_rad: number;
};

type Frontiers = { readonly nearest: readonly Frontier[]; readonly count: number };

const UNKNOWN = -1;
/** Cells up to this are free, as nav_msgs/OccupancyGrid counts in percent. */
const FREE_MAX = 49;
/** Shorter edges are gaps of the map, metres. */
const EDGE_MIN_M = 0.2;
const FRONTIERS_MAX = 12;

/** So many are kept before all but the nearest are dropped. */
const KEPT_MAX = 1_000;
/** A slice of the work: so many cells are looked at without a pause. About 5 ms. */
const SLICE_CELLS = 250_000;

/**
 * What a map says in few words; equal maps and poses give equal summaries. A large map takes a second of computing:
 * the event loop gets its turn after each slice.
 */
export async function summarizeMap(map: MapSnapshot, pose: Pose2d | undefined): Promise<MapSummary> {
  const steps = summary(map, pose);
  let next = steps.next();
  while (!next.done) {
    await new Promise((resolve) => setImmediate(resolve));
    next = steps.next();
  }
  return next.value;
}

/** Gives way after each slice. */
function* summary(map: MapSnapshot, pose: Pose2d | undefined): Generator<void, MapSummary> {
  const { cells, width, height } = map;
  const area = map.resolution ** 2;
  let free = 0;
  let occupied = 0;
  const box = { left: width, right: -1, bottom: height, top: -1 };
  for (let row = 0, cell = 0; row < height; row++) {
    for (let column = 0; column < width; column++, cell++) {
      if (cell % SLICE_CELLS === SLICE_CELLS - 1) yield;
      const value = cells[cell]!;
      if (value === UNKNOWN) continue;
      if (value <= FREE_MAX) free++;
      else occupied++;
      if (column < box.left) box.left = column;
      if (column > box.right) box.right = column;
      if (row < box.bottom) box.bottom = row;
      box.top = row;
    }
  }
  const known = (box.right - box.left + 1) * (box.top - box.bottom + 1);
  const { nearest, count } = pose ? yield* frontiersOf(map, pose) : { nearest: [], count: 0 };
  return {
    free_m2: round(free * area),
    occupied_m2: round(occupied * area),
    known_share: box.right < 0 ? 0 : round((free + occupied) / known),
    resolution_m: map.resolution,
    bounds: box.right < 0 ? null : boundsOf(map, box),
    frontiers: nearest,
    frontiers_left_out: count - nearest.length,
  };
}

function boundsOf(map: MapSnapshot, box: { left: number; right: number; bottom: number; top: number }) {
  const x = (column: number) => round(map.origin.x + column * map.resolution);
  const y = (row: number) => round(map.origin.y + row * map.resolution);
  return { x_min: x(box.left), y_min: y(box.bottom), x_max: x(box.right + 1), y_max: y(box.top + 1) };
}

function* frontiersOf(map: MapSnapshot, pose: Pose2d): Generator<void, Frontiers> {
  const steps = yield* reach(map, pose);
  const seen = new Uint8Array(map.cells.length);
  let found: Frontier[] = [];
  let count = 0;
  const near = new Int32Array(8);
  let looked = 0;
  for (let cell = 0; cell < seen.length; cell++) {
    if (cell % SLICE_CELLS === SLICE_CELLS - 1) yield;
    if (seen[cell] || steps[cell] === -1 || !isEdge(map, cell)) continue;
    const group = [cell];
    seen[cell] = 1;
    for (const next of group) {
      if (++looked % SLICE_CELLS === 0) yield;
      const count = around(map, next, near, true);
      for (let i = 0; i < count; i++) {
        const other = near[i]!;
        if (seen[other] || steps[other] === -1 || !isEdge(map, other)) continue;
        seen[other] = 1;
        group.push(other);
      }
    }
    if (group.length * map.resolution < EDGE_MIN_M) continue;
    count++;
    found.push(frontier(map, pose, steps, group));
    if (found.length === KEPT_MAX) found = nearestOf(found);
  }
  return { nearest: nearestOf(found), count };
}

function nearestOf(found: readonly Frontier[]): Frontier[] {
  const sorted = found.toSorted((a, b) => a.distance_m - b.distance_m || a.x - b.x || a.y - b.y);
  return sorted.slice(0, FRONTIERS_MAX);
}

/** The cell of the group nearest to its mean: the mean itself may lie in a wall. */
function frontier(map: MapSnapshot, pose: Pose2d, steps: Int32Array, group: readonly number[]): Frontier {
  const places = group.map((cell) => ({ cell, ...centre(map, cell) }));
  const mean = {
    x: sum(places.map(({ x }) => x)) / places.length,
    y: sum(places.map(({ y }) => y)) / places.length,
  };
  const away = ({ x, y }: { x: number; y: number }) => Math.hypot(x - mean.x, y - mean.y);
  const middle = places.reduce((best, place) => (away(place) < away(best) ? place : best));
  return {
    x: round(middle.x),
    y: round(middle.y),
    length_m: round(group.length * map.resolution),
    distance_m: round(steps[middle.cell]! * map.resolution),
    bearing_rad: round(Math.atan2(middle.y - pose.y, middle.x - pose.x)),
  };
}

/** Steps over free cells from the robot; -1 where no free floor leads. A robot on an unknown cell is on free floor. */
function* reach(map: MapSnapshot, pose: Pose2d): Generator<void, Int32Array> {
  const steps = new Int32Array(map.cells.length).fill(-1);
  const column = Math.floor((pose.x - map.origin.x) / map.resolution);
  const row = Math.floor((pose.y - map.origin.y) / map.resolution);
  if (!(column >= 0 && column < map.width && row >= 0 && row < map.height)) return steps;
  const queue = new Int32Array(map.cells.length);
  const near = new Int32Array(8);
  queue[0] = row * map.width + column;
  steps[queue[0]] = 0;
  for (let head = 0, tail = 1; head < tail; head++) {
    if (head % SLICE_CELLS === SLICE_CELLS - 1) yield;
    const here = queue[head]!;
    const count = around(map, here, near, false);
    for (let i = 0; i < count; i++) {
      const next = near[i]!;
      if (steps[next] !== -1 || !isFree(map, next)) continue;
      steps[next] = steps[here]! + 1;
      queue[tail++] = next;
    }
  }
  return steps;
}

function isFree(map: MapSnapshot, cell: number): boolean {
  const value = map.cells[cell]!;
  return value >= 0 && value <= FREE_MAX;
}

function isEdge({ cells, width, height }: MapSnapshot, cell: number): boolean {
  const value = cells[cell]!;
  if (value < 0 || value > FREE_MAX) return false;
  const column = cell % width;
  return (
    (column > 0 && cells[cell - 1] === UNKNOWN) ||
    (column < width - 1 && cells[cell + 1] === UNKNOWN) ||
    (cell >= width && cells[cell - width] === UNKNOWN) ||
    (cell < width * (height - 1) && cells[cell + width] === UNKNOWN)
  );
}

/** Writes the neighbours of a cell, row by row, into `near`; returns how many there are. */
function around({ width, height }: MapSnapshot, cell: number, near: Int32Array, corners: boolean): number {
  const column = cell % width;
  const row = (cell - column) / width;
  let count = 0;
  for (let dy = -1; dy <= 1; dy++) {
    if (row + dy < 0 || row + dy >= height) continue;
    for (let dx = -1; dx <= 1; dx++) {
      if ((dx === 0 && dy === 0) || (!corners && dx !== 0 && dy !== 0)) continue;
      if (column + dx >= 0 && column + dx < width) near[count++] = cell + dy * width + dx;
    }
  }
  return count;
}

function centre(map: MapSnapshot, cell: number): { x: number; y: number } {
  return {
    x: map.origin.x + ((cell % map.width) + 0.5) * map.resolution,
    y: map.origin.y + (Math.floor(cell / map.width) + 0.5) * map.resolution,
  };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function round(value: number): number {
  return Math.round(value * 1_000) / 1_000;
}
