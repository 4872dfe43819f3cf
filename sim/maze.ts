import { EdgeError } from '../contract/core.ts';
import { Random } from './random.ts';

/** A cell by column (from the west, along +x) and row (from the south, along +y). */
export type Cell = { readonly column: number; readonly row: number };
/** Sides in the order of their heading: east 0, north 90, west 180, south 270 degrees. */
export const SIDES = ['east', 'north', 'west', 'south'] as const;
export type Side = (typeof SIDES)[number];

const STEP: Readonly<Record<Side, Cell>> = {
  east: { column: 1, row: 0 },
  north: { column: 0, row: 1 },
  west: { column: -1, row: 0 },
  south: { column: 0, row: -1 },
};
const OPPOSITE: Readonly<Record<Side, Side>> = { east: 'west', north: 'south', west: 'east', south: 'north' };

export type MazeSize = { readonly width: number; readonly height: number };

/**
 * A perfect maze (a tree: one way between any two cells) with one opening in its outer wall. Pure data; in
 * cells, not in metres.
 */
export class Maze {
  readonly width: number;
  readonly height: number;
  readonly start: Cell;
  /** The opening: the cell before it and the side of that cell which leads outside. */
  readonly exit: { readonly cell: Cell; readonly side: Side };
  /** Open sides of each cell towards other cells, row-major. */
  readonly #open: readonly ReadonlySet<Side>[];

  constructor(
    size: MazeSize,
    open: readonly ReadonlySet<Side>[],
    start: Cell,
    exit: { cell: Cell; side: Side },
  ) {
    this.width = size.width;
    this.height = size.height;
    this.#open = open;
    this.start = start;
    this.exit = exit;
  }

  contains(cell: Cell): boolean {
    return cell.column >= 0 && cell.row >= 0 && cell.column < this.width && cell.row < this.height;
  }

  /** Whether a wall stands at this side of the cell; the exit is no wall. */
  hasWall(cell: Cell, side: Side): boolean {
    const { exit } = this;
    if (exit.side === side && exit.cell.column === cell.column && exit.cell.row === cell.row) return false;
    return !this.#open[cell.row * this.width + cell.column]!.has(side);
  }

  openSides(cell: Cell): Side[] {
    return SIDES.filter((side) => !this.hasWall(cell, side));
  }

  /** Steps from the start to every cell, row-major. */
  distances(): number[] {
    return distancesFrom(this.start, this, this.#open);
  }
}

export function neighbour(cell: Cell, side: Side): Cell {
  return { column: cell.column + STEP[side].column, row: cell.row + STEP[side].row };
}

/**
 * The maze of a seed: equal seed and size give the equal maze. Throws `sim.failed` for a size below 2 x 2.
 * The start is any cell; the exit lies among the farther half of the border, so that it has to be looked for.
 */
export function generateMaze(seed: number, size: MazeSize): Maze {
  const { width, height } = size;
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 2 || height < 2) {
    throw new EdgeError('sim.failed', {
      operation: 'generate-maze',
      subject: `${width} x ${height}`,
      message: 'a maze has at least 2 x 2 cells',
    });
  }
  const random = new Random(seed, 'maze');
  const open = carve(random, size);
  const start = { column: random.int(width), row: random.int(height) };
  const distances = distancesFrom(start, size, open);
  const doors = borderSides(size).sort((a, b) => at(distances, size, b.cell) - at(distances, size, a.cell));
  const exit = random.pick(doors.slice(0, Math.ceil(doors.length / 2)));
  return new Maze(size, open, start, exit);
}

/** Depth-first search with backtracking: long corridors, few short dead ends. Iterative, so any size works. */
function carve(random: Random, size: MazeSize): Set<Side>[] {
  const open = Array.from({ length: size.width * size.height }, () => new Set<Side>());
  const visited = new Set<number>([0]);
  const path: Cell[] = [{ column: 0, row: 0 }];
  while (path.length > 0) {
    const here = path.at(-1)!;
    const ways = SIDES.filter((side) => {
      const next = neighbour(here, side);
      return inside(next, size) && !visited.has(index(next, size));
    });
    if (ways.length === 0) {
      path.pop();
      continue;
    }
    const side = random.pick(ways);
    const next = neighbour(here, side);
    open[index(here, size)]!.add(side);
    open[index(next, size)]!.add(OPPOSITE[side]);
    visited.add(index(next, size));
    path.push(next);
  }
  return open;
}

function distancesFrom(start: Cell, size: MazeSize, open: readonly ReadonlySet<Side>[]): number[] {
  const distances = new Array<number>(size.width * size.height).fill(Infinity);
  distances[index(start, size)] = 0;
  const queue = [start];
  for (const here of queue) {
    for (const side of open[index(here, size)]!) {
      const next = neighbour(here, side);
      if (distances[index(next, size)] !== Infinity) continue;
      distances[index(next, size)] = distances[index(here, size)]! + 1;
      queue.push(next);
    }
  }
  return distances;
}

function borderSides(size: MazeSize): { cell: Cell; side: Side }[] {
  const doors: { cell: Cell; side: Side }[] = [];
  for (let row = 0; row < size.height; row++) {
    for (let column = 0; column < size.width; column++) {
      for (const side of SIDES) {
        if (!inside(neighbour({ column, row }, side), size)) doors.push({ cell: { column, row }, side });
      }
    }
  }
  return doors;
}

function inside(cell: Cell, size: MazeSize): boolean {
  return cell.column >= 0 && cell.row >= 0 && cell.column < size.width && cell.row < size.height;
}
function index(cell: Cell, size: MazeSize): number {
  return cell.row * size.width + cell.column;
}
function at(values: readonly number[], size: MazeSize, cell: Cell): number {
  return values[index(cell, size)]!;
}
