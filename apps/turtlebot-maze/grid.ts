import type { MapSnapshot } from 'auraison-edge';

/** Occupancy above which a cell is a wall, as Nav2 has it. */
export const OCCUPIED = 65;
export const UNKNOWN = -1;

/** Steps to the eight neighbours with their length in fifths of a cell; the order decides ties. */
export const NEIGHBOURS = [
  [1, 0, 5],
  [0, 1, 5],
  [-1, 0, 5],
  [0, -1, 5],
  [1, 1, 7],
  [-1, 1, 7],
  [-1, -1, 7],
  [1, -1, 7],
] as const;
/** Length units per cell: whole numbers, so that sums have no rounding and ties are ties. */
export const PER_CELL = 5;

export function isFree(map: MapSnapshot, cell: number): boolean {
  const value = map.cells[cell]!;
  return value >= 0 && value < OCCUPIED;
}

export function cellOf(map: MapSnapshot, x: number, y: number): number {
  const column = Math.floor((x - map.origin.x) / map.resolution);
  const row = Math.floor((y - map.origin.y) / map.resolution);
  if (column < 0 || row < 0 || column >= map.width || row >= map.height) return -1;
  return row * map.width + column;
}

/** Centre of a cell, metres in `map`. */
export function centreOf(map: MapSnapshot, cell: number): { x: number; y: number } {
  const column = cell % map.width;
  const row = (cell - column) / map.width;
  return {
    x: map.origin.x + (column + 0.5) * map.resolution,
    y: map.origin.y + (row + 0.5) * map.resolution,
  };
}

/** Calls `visit` with each neighbour inside the map and the length of the step to it. */
export function eachNeighbour(
  map: MapSnapshot,
  cell: number,
  visit: (neighbour: number, length: number) => void,
): void {
  const column = cell % map.width;
  const row = (cell - column) / map.width;
  for (const [dx, dy, length] of NEIGHBOURS) {
    const x = column + dx;
    const y = row + dy;
    if (x >= 0 && y >= 0 && x < map.width && y < map.height) visit(y * map.width + x, length);
  }
}

/**
 * Distance of every cell to the nearest wall in fifths of a cell, by two sweeps of a 5-7 chamfer mask
 * (Borgefors 1986), at most 8 % off the Euclidean distance.
 */
export function clearance(map: MapSnapshot): Int32Array {
  const { width, height, cells } = map;
  const far = PER_CELL * (width + height);
  const field = new Int32Array(width * height);
  for (let i = 0; i < field.length; i++) field[i] = cells[i]! >= OCCUPIED ? 0 : far;
  const relax = (cell: number, x: number, y: number, length: number) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const through = field[y * width + x]! + length;
    if (through < field[cell]!) field[cell] = through;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const cell = y * width + x;
      relax(cell, x - 1, y, 5);
      relax(cell, x, y - 1, 5);
      relax(cell, x - 1, y - 1, 7);
      relax(cell, x + 1, y - 1, 7);
    }
  }
  for (let y = height - 1; y >= 0; y--) {
    for (let x = width - 1; x >= 0; x--) {
      const cell = y * width + x;
      relax(cell, x + 1, y, 5);
      relax(cell, x, y + 1, 5);
      relax(cell, x + 1, y + 1, 7);
      relax(cell, x - 1, y + 1, 7);
    }
  }
  return field;
}
