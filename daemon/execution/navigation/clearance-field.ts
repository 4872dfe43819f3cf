import { type GridLayout, moveCells } from './grid-layout.ts';
import type { OccupancyGrid } from './occupancy-grid.ts';

/** Cells beyond which clearance is not distinguished: 0.75 m at 0.05 m. */
export const CLEARANCE_CELLS_MAX = 15;
const FAR = CLEARANCE_CELLS_MAX * CLEARANCE_CELLS_MAX;

/** Offsets of the disc around a cell with their squared distances, nearest first. */
const DISC = makeDisc();

function makeDisc(): { dx: Int8Array; dy: Int8Array; square: Uint16Array } {
  const items: [number, number, number][] = [];
  for (let dy = -CLEARANCE_CELLS_MAX; dy <= CLEARANCE_CELLS_MAX; dy++) {
    for (let dx = -CLEARANCE_CELLS_MAX; dx <= CLEARANCE_CELLS_MAX; dx++) {
      const square = dx * dx + dy * dy;
      if (square < FAR) items.push([dx, dy, square]);
    }
  }
  items.sort((a, b) => a[2] - b[2] || a[1] - b[1] || a[0] - b[0]);
  return {
    dx: Int8Array.from(items, (i) => i[0]),
    dy: Int8Array.from(items, (i) => i[1]),
    square: Uint16Array.from(items, (i) => i[2]),
  };
}

/**
 * Distance of every cell to the nearest occupied one, exact up to a cap. Kept up to date cheaply: a cell that
 * became occupied writes its disc; around cells that stopped being occupied it is recomputed.
 */
export class ClearanceField {
  readonly #grid: OccupancyGrid;
  #layout: GridLayout;
  #square: Uint16Array;
  /** Distance to the nearest occupied cell in the same column, cells; scratch of `#recompute`. */
  #column: Uint8Array;
  #version = 0;

  constructor(grid: OccupancyGrid) {
    this.#grid = grid;
    this.#layout = grid.layout;
    this.#square = new Uint16Array(grid.layout.width * grid.layout.height).fill(FAR);
    this.#column = new Uint8Array(this.#square.length);
    this.#recompute(0, 0, grid.layout.width - 1, grid.layout.height - 1);
  }

  get layout(): GridLayout {
    return this.#layout;
  }

  /** Grows with every change, so that a caller can see whether the field changed since it checked a path. */
  get version(): number {
    return this.#version;
  }

  /** To be called after each `grid.integrate`. */
  update(): void {
    const layout = this.#grid.layout;
    if (layout !== this.#layout) {
      const square = new Uint16Array(layout.width * layout.height).fill(FAR);
      this.#square = moveCells(this.#layout, this.#square, layout, square);
      this.#column = new Uint8Array(square.length);
      this.#layout = layout;
      this.#version++;
    }
    const vanished = this.#grid.vanished;
    if (vanished.length > 0) this.#recomputeAround(vanished);
    const appeared = this.#grid.appeared;
    for (let i = 0; i < appeared.length; i++) this.#write(appeared[i]!);
    if (appeared.length > 0 || vanished.length > 0) this.#version++;
  }

  /** Metres from a cell's centre to the nearest occupied cell's centre; capped at 0.75 m (at 0.05 m cells). */
  clearance(cell: number): number {
    return Math.sqrt(this.#square[cell]!) * this.#layout.resolution;
  }

  #recomputeAround(cells: Int32Array): void {
    const { width, height } = this.#layout;
    let left = width;
    let right = 0;
    let bottom = height;
    let top = 0;
    for (let i = 0; i < cells.length; i++) {
      const column = cells[i]! % width;
      const row = (cells[i]! - column) / width;
      left = Math.min(left, column);
      right = Math.max(right, column);
      bottom = Math.min(bottom, row);
      top = Math.max(top, row);
    }
    const reach = CLEARANCE_CELLS_MAX;
    this.#recompute(
      Math.max(0, left - reach),
      Math.max(0, bottom - reach),
      Math.min(width - 1, right + reach),
      Math.min(height - 1, top + reach),
    );
  }

  /** Exact distances in a box (inclusive), in two passes: along columns, then along rows. */
  #recompute(left: number, bottom: number, right: number, top: number): void {
    const { width, height } = this.#layout;
    const reach = CLEARANCE_CELLS_MAX;
    const first = Math.max(0, left - reach);
    const last = Math.min(width - 1, right + reach);
    for (let x = first; x <= last; x++) this.#fillColumn(x, bottom, top, height);
    const square = this.#square;
    for (let y = bottom; y <= top; y++) {
      for (let x = left; x <= right; x++) {
        const cell = y * width + x;
        let best = Math.min(FAR, this.#column[cell]! ** 2);
        for (let d = 1; d * d < best; d++) {
          if (x - d >= 0) best = Math.min(best, d * d + this.#column[cell - d]! ** 2);
          if (x + d < width) best = Math.min(best, d * d + this.#column[cell + d]! ** 2);
        }
        square[cell] = best;
      }
    }
  }

  #fillColumn(x: number, bottom: number, top: number, height: number): void {
    const width = this.#layout.width;
    const reach = CLEARANCE_CELLS_MAX;
    let since = reach;
    for (let y = Math.max(0, bottom - reach); y <= top; y++) {
      const cell = y * width + x;
      since = this.#grid.isOccupied(cell) ? 0 : Math.min(reach, since + 1);
      if (y >= bottom) this.#column[cell] = since;
    }
    since = reach;
    for (let y = Math.min(height - 1, top + reach); y >= bottom; y--) {
      const cell = y * width + x;
      since = this.#grid.isOccupied(cell) ? 0 : Math.min(reach, since + 1);
      if (y <= top && since < this.#column[cell]!) this.#column[cell] = since;
    }
  }

  #write(cell: number): void {
    const { width, height } = this.#layout;
    const column = cell % width;
    const row = (cell - column) / width;
    const square = this.#square;
    for (let i = 0; i < DISC.square.length; i++) {
      const x = column + DISC.dx[i]!;
      const y = row + DISC.dy[i]!;
      if (x < 0 || y < 0 || x >= width || y >= height) continue;
      const at = y * width + x;
      if (DISC.square[i]! < square[at]!) square[at] = DISC.square[i]!;
    }
  }
}
