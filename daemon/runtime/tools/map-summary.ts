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

const UNKNOWN = -1;
/** Cells up to this are free, as nav_msgs/OccupancyGrid counts in percent. */
const FREE_MAX = 49;
/** Shorter edges are gaps of the map, metres. */
const EDGE_MIN_M = 0.2;
const FRONTIERS_MAX = 12;

/** What a map says in few words. Pure; equal maps and poses give equal summaries. */
export function summarizeMap(map: MapSnapshot, pose: Pose2d | undefined): MapSummary {
  const area = map.resolution ** 2;
  let free = 0;
  let occupied = 0;
  const box = { left: map.width, right: -1, bottom: map.height, top: -1 };
  for (let cell = 0; cell < map.cells.length; cell++) {
    const value = map.cells[cell]!;
    if (value === UNKNOWN) continue;
    if (value <= FREE_MAX) free++;
    else occupied++;
    const column = cell % map.width;
    const row = Math.floor(cell / map.width);
    box.left = Math.min(box.left, column);
    box.right = Math.max(box.right, column);
    box.bottom = Math.min(box.bottom, row);
    box.top = Math.max(box.top, row);
  }
  const cells = (box.right - box.left + 1) * (box.top - box.bottom + 1);
  const all = pose ? frontiersOf(map, pose) : [];
  return {
    free_m2: round(free * area),
    occupied_m2: round(occupied * area),
    known_share: box.right < 0 ? 0 : round((free + occupied) / cells),
    resolution_m: map.resolution,
    bounds: box.right < 0 ? null : boundsOf(map, box),
    frontiers: all.slice(0, FRONTIERS_MAX),
    frontiers_left_out: Math.max(0, all.length - FRONTIERS_MAX),
  };
}

function boundsOf(map: MapSnapshot, box: { left: number; right: number; bottom: number; top: number }) {
  const x = (column: number) => round(map.origin.x + column * map.resolution);
  const y = (row: number) => round(map.origin.y + row * map.resolution);
  return { x_min: x(box.left), y_min: y(box.bottom), x_max: x(box.right + 1), y_max: y(box.top + 1) };
}

function frontiersOf(map: MapSnapshot, pose: Pose2d): Frontier[] {
  const steps = reach(map, pose);
  const seen = new Uint8Array(map.cells.length);
  const found: Frontier[] = [];
  for (let cell = 0; cell < seen.length; cell++) {
    if (seen[cell] || steps[cell] === -1 || !isEdge(map, cell)) continue;
    const group = [cell];
    seen[cell] = 1;
    for (const next of group) {
      for (const other of around(map, next, true)) {
        if (seen[other] || steps[other] === -1 || !isEdge(map, other)) continue;
        seen[other] = 1;
        group.push(other);
      }
    }
    if (group.length * map.resolution >= EDGE_MIN_M) found.push(frontier(map, pose, steps, group));
  }
  return found.sort((a, b) => a.distance_m - b.distance_m || a.x - b.x || a.y - b.y);
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
function reach(map: MapSnapshot, pose: Pose2d): Int32Array {
  const steps = new Int32Array(map.cells.length).fill(-1);
  const column = Math.floor((pose.x - map.origin.x) / map.resolution);
  const row = Math.floor((pose.y - map.origin.y) / map.resolution);
  if (!(column >= 0 && column < map.width && row >= 0 && row < map.height)) return steps;
  const queue = [row * map.width + column];
  steps[queue[0]!] = 0;
  for (const here of queue) {
    for (const next of around(map, here, false)) {
      if (steps[next] !== -1 || !isFree(map, next)) continue;
      steps[next] = steps[here]! + 1;
      queue.push(next);
    }
  }
  return steps;
}

function isFree(map: MapSnapshot, cell: number): boolean {
  const value = map.cells[cell]!;
  return value >= 0 && value <= FREE_MAX;
}

function isEdge(map: MapSnapshot, cell: number): boolean {
  return isFree(map, cell) && around(map, cell, false).some((next) => map.cells[next] === UNKNOWN);
}

function around(map: MapSnapshot, cell: number, corners: boolean): number[] {
  const column = cell % map.width;
  const row = Math.floor(cell / map.width);
  const found: number[] = [];
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      if ((dx === 0 && dy === 0) || (!corners && dx !== 0 && dy !== 0)) continue;
      const x = column + dx;
      const y = row + dy;
      if (x >= 0 && x < map.width && y >= 0 && y < map.height) found.push(y * map.width + x);
    }
  }
  return found;
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
