import type { MapSnapshot, Pose2d } from 'auraison-edge';
import type { Place } from './facts.ts';
import { cellOf, centreOf, clearance, eachNeighbour, isFree, OCCUPIED, PER_CELL, UNKNOWN } from './grid.ts';
import { standable, type Travel, travelFrom } from './travel.ts';

/** An edge between known free floor and the unknown that the robot could drive to (Yamauchi 1997). */
export type Frontier = {
  /** Cell to drive to. */
  readonly cell: number;
  readonly place: Place;
  /** Unknown floor that would be seen from there, square metres. */
  readonly gain: number;
  /** Estimated drive, metres; longer where it leads along walls. */
  readonly cost: number;
  /** Length of the edge, metres. */
  readonly size: number;
};

export type Survey = {
  /** In the order of their cells, so that equal maps give equal lists. */
  readonly frontiers: readonly Frontier[];
  readonly travel: Travel;
  /** Known free floor, square metres. */
  readonly known: number;
};

/** Edges shorter than this are gaps of the map, not openings a robot fits through, metres. */
const EDGE_MIN_M = 0.25;
/** How far the sight from a frontier is counted, metres. */
const SIGHT_M = 1.5;
const RAYS = 48;
/** How far from the middle of an edge the robot may stop, metres. */
const APPROACH_M = 0.8;

/** All frontiers of a map as seen from `pose`. Pure; no randomness, ties go to the lower cell. */
export function survey(map: MapSnapshot, pose: Pose2d): Survey {
  const start = cellOf(map, pose.x, pose.y);
  const field = clearance(map);
  const known = freeArea(map);
  if (start < 0)
    return { frontiers: [], travel: { cost: new Int32Array(0), from: new Int32Array(0), start }, known };
  const travel = travelFrom(map, field, start);
  const frontiers: Frontier[] = [];
  for (const edge of edges(map)) {
    const cell = approach(map, field, travel, edge);
    if (cell < 0) continue;
    frontiers.push({
      cell,
      place: centreOf(map, cell),
      gain: visibleUnknown(map, cell) * map.resolution ** 2,
      cost: (travel.cost[cell]! * map.resolution) / PER_CELL,
      size: edge.length * map.resolution,
    });
  }
  return { frontiers, travel, known };
}

/** Frontier cells in connected groups, each sorted. */
function edges(map: MapSnapshot): number[][] {
  const groups: number[][] = [];
  const seen = new Uint8Array(map.width * map.height);
  const minimum = EDGE_MIN_M / map.resolution;
  for (let cell = 0; cell < seen.length; cell++) {
    if (seen[cell] || !isEdge(map, cell)) continue;
    const group: number[] = [];
    const open = [cell];
    seen[cell] = 1;
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      group.push(next);
      eachNeighbour(map, next, (neighbour) => {
        if (seen[neighbour] || !isEdge(map, neighbour)) return;
        seen[neighbour] = 1;
        open.push(neighbour);
      });
    }
    if (group.length >= minimum) groups.push(group.sort((a, b) => a - b));
  }
  return groups;
}

/** Free, with unknown floor beside it. */
function isEdge(map: MapSnapshot, cell: number): boolean {
  if (!isFree(map, cell)) return false;
  const column = cell % map.width;
  const { cells, width } = map;
  return (
    (column > 0 && cells[cell - 1] === UNKNOWN) ||
    (column < width - 1 && cells[cell + 1] === UNKNOWN) ||
    (cell >= width && cells[cell - width] === UNKNOWN) ||
    (cell + width < cells.length && cells[cell + width] === UNKNOWN)
  );
}

/**
 * Where to stop for an edge: the nearest place to its middle that the robot can reach; -1 where no place is
 * reachable.
 */
function approach(map: MapSnapshot, field: Int32Array, travel: Travel, edge: readonly number[]): number {
  return search(map, field, travel, [middle(map, edge)]) ?? search(map, field, travel, edge) ?? -1;
}

/** Breadth first over free floor, so that the place and the edge are on the same side of a wall. */
function search(
  map: MapSnapshot,
  field: Int32Array,
  travel: Travel,
  from: readonly number[],
): number | undefined {
  let ring = [...from];
  const seen = new Set(ring);
  for (let step = 0; step <= APPROACH_M / map.resolution && ring.length > 0; step++) {
    const places = ring.filter((cell) => standable(map, field, travel, cell));
    if (places.length > 0) return places.reduce((a, b) => (cheaper(travel, a, b) ? a : b));
    const next: number[] = [];
    for (const cell of ring) {
      eachNeighbour(map, cell, (neighbour) => {
        if (seen.has(neighbour) || !isFree(map, neighbour)) return;
        seen.add(neighbour);
        next.push(neighbour);
      });
    }
    ring = next;
  }
  return undefined;
}

function cheaper(travel: Travel, a: number, b: number): boolean {
  return travel.cost[a]! - travel.cost[b]! < 0 || (travel.cost[a] === travel.cost[b] && a < b);
}

/** The cell of an edge that is nearest to its centre of mass. */
function middle(map: MapSnapshot, edge: readonly number[]): number {
  let x = 0;
  let y = 0;
  for (const cell of edge) {
    x += cell % map.width;
    y += Math.floor(cell / map.width);
  }
  const away = (cell: number) =>
    ((cell % map.width) - x / edge.length) ** 2 + (Math.floor(cell / map.width) - y / edge.length) ** 2;
  return edge.reduce((a, b) => (away(b) < away(a) ? b : a));
}

/** Unknown cells in sight of a cell: rays end at walls. */
function visibleUnknown(map: MapSnapshot, cell: number): number {
  const column = cell % map.width;
  const row = (cell - column) / map.width;
  const reach = SIGHT_M / map.resolution;
  const seen = new Set<number>();
  for (let ray = 0; ray < RAYS; ray++) {
    const dx = Math.cos((2 * Math.PI * ray) / RAYS);
    const dy = Math.sin((2 * Math.PI * ray) / RAYS);
    for (let far = 1; far <= reach; far++) {
      const x = Math.round(column + dx * far);
      const y = Math.round(row + dy * far);
      if (x < 0 || y < 0 || x >= map.width || y >= map.height) {
        // Beyond the map everything is unknown.
        seen.add(-1 - ray * 1000 - far);
        continue;
      }
      const there = y * map.width + x;
      if (map.cells[there]! >= OCCUPIED) break;
      if (map.cells[there] === UNKNOWN) seen.add(there);
    }
  }
  return seen.size;
}

function freeArea(map: MapSnapshot): number {
  let free = 0;
  for (let cell = 0; cell < map.cells.length; cell++) if (isFree(map, cell)) free++;
  return free * map.resolution ** 2;
}
