/** Where a grid lies: cell (0,0) has its lower-left corner at (`cellX`, `cellY`) cells from the map's origin. */
export type GridLayout = {
  /** Metres per cell. */
  readonly resolution: number;
  /** Integer offsets, so that growing moves whole cells and never resamples. */
  readonly cellX: number;
  readonly cellY: number;
  readonly width: number;
  readonly height: number;
};

/** Growth happens in blocks, so that it is rare. */
const BLOCK_CELLS = 64;

/** 102 m at 0.05 m: a building floor. What lies beyond is not mapped; a wrong range cannot eat the memory. */
export const GRID_SIDE_CELLS_MAX = 2048;

export function emptyLayout(resolution: number): GridLayout {
  return {
    resolution,
    cellX: -BLOCK_CELLS,
    cellY: -BLOCK_CELLS,
    width: 2 * BLOCK_CELLS,
    height: 2 * BLOCK_CELLS,
  };
}

/** The layout that also holds the box (metres), the same object when it already does or may not grow. */
export function grownLayout(
  at: GridLayout,
  minX: number,
  minY: number,
  maxX: number,
  maxY: number,
): GridLayout {
  const down = (metres: number) => Math.floor(metres / at.resolution / BLOCK_CELLS) * BLOCK_CELLS;
  const up = (metres: number) => Math.ceil((metres / at.resolution + 1) / BLOCK_CELLS) * BLOCK_CELLS;
  const left = Math.min(at.cellX, down(minX));
  const bottom = Math.min(at.cellY, down(minY));
  const right = Math.max(at.cellX + at.width, up(maxX));
  const top = Math.max(at.cellY + at.height, up(maxY));
  const same =
    left === at.cellX && bottom === at.cellY && right - left === at.width && top - bottom === at.height;
  if (same || right - left > GRID_SIDE_CELLS_MAX || top - bottom > GRID_SIDE_CELLS_MAX) return at;
  return { resolution: at.resolution, cellX: left, cellY: bottom, width: right - left, height: top - bottom };
}

/** Copies cell values from one layout into a larger one that holds it. */
export function moveCells<A extends Int8Array | Int32Array | Uint16Array>(
  from: GridLayout,
  source: A,
  to: GridLayout,
  target: A,
): A {
  const dx = from.cellX - to.cellX;
  const dy = from.cellY - to.cellY;
  for (let y = 0; y < from.height; y++) {
    target.set(source.subarray(y * from.width, (y + 1) * from.width), (y + dy) * to.width + dx);
  }
  return target;
}

/** The column (or row) of a coordinate in metres; may lie outside the grid. */
export function columnOf(at: GridLayout, x: number): number {
  return Math.floor(x / at.resolution) - at.cellX;
}
export function rowOf(at: GridLayout, y: number): number {
  return Math.floor(y / at.resolution) - at.cellY;
}

/** The index of the cell at a point, or -1 outside. */
export function cellAt(at: GridLayout, x: number, y: number): number {
  const column = columnOf(at, x);
  const row = rowOf(at, y);
  if (column < 0 || row < 0 || column >= at.width || row >= at.height) return -1;
  return row * at.width + column;
}

/** Metres of a cell's centre. */
export function centreX(at: GridLayout, cell: number): number {
  return ((cell % at.width) + at.cellX + 0.5) * at.resolution;
}
export function centreY(at: GridLayout, cell: number): number {
  return (Math.floor(cell / at.width) + at.cellY + 0.5) * at.resolution;
}
