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
 * became occupied writes its disc; only when cells stopped being occupied is everything written anew.
 */
export class ClearanceField {
  readonly #grid: OccupancyGrid;
  #layout: GridLayout;
  #square: Uint16Array;
  #vanished = 0;
  #version = 0;

  constructor(grid: OccupancyGrid) {
    this.#grid = grid;
    this.#layout = grid.layout;
    this.#square = new Uint16Array(grid.layout.width * grid.layout.height).fill(FAR);
    this.#rebuild();
  }

  get layout(): GridLayout {
    return this.#layout;
  }

  /** Grows with every change: whoever checked a path against this field compares it. */
  get version(): number {
    return this.#version;
  }

  /** To be called after each `grid.integrate`. */
  update(): void {
    const layout = this.#grid.layout;
    if (layout !== this.#layout) {
      const square = new Uint16Array(layout.width * layout.height).fill(FAR);
      this.#square = moveCells(this.#layout, this.#square, layout, square);
      this.#layout = layout;
      this.#version++;
    }
    if (this.#grid.vanished !== this.#vanished) {
      this.#rebuild();
      return;
    }
    const appeared = this.#grid.appeared;
    for (let i = 0; i < appeared.length; i++) this.#write(appeared[i]!);
    if (appeared.length > 0) this.#version++;
  }

  /** Metres from a cell's centre to the nearest occupied cell's centre; capped at 0.75 m (at 0.05 m cells). */
  clearance(cell: number): number {
    return Math.sqrt(this.#square[cell]!) * this.#layout.resolution;
  }

  #rebuild(): void {
    this.#vanished = this.#grid.vanished;
    this.#version++;
    this.#square.fill(FAR);
    const cells = this.#square.length;
    for (let cell = 0; cell < cells; cell++) if (this.#grid.isOccupied(cell)) this.#write(cell);
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
