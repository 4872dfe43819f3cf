import type { Pose2d } from '../../../contract/core.ts';
import { cellAt, columnOf, type GridLayout, moveCells, rowOf } from './grid-layout.ts';
import { RAY_HIT, type ScanPoints } from './scan-points.ts';

/** Floats of one surfel: mean x, mean y, normal x, normal y, observations. */
export const SURFEL_FLOATS = 5;
/** A surfel stops moving after this many observations, so that the map cannot wander with the robot. */
const SETTLED_AFTER = 40;
/** Surfaces of one cell: two sides of a thin wall and one more at a corner. */
const PER_CELL_MAX = 3;
/** Cosine between normals of observations of the same surface. */
const SAME_SURFACE = 0.5;

/**
 * Surfaces seen so far, as short oriented pieces with their mean position inside a cell: an order finer than
 * the cells, and the two sides of a wall stay apart. This is what scans are matched against.
 */
export class SurfelMap {
  #layout: GridLayout;
  /** First surfel of a cell plus one; 0: no surfel. */
  #first: Int32Array;
  #next = new Int32Array(1024);
  #data = new Float64Array(1024 * SURFEL_FLOATS);
  #count = 0;

  constructor(layout: GridLayout) {
    this.#layout = layout;
    this.#first = new Int32Array(layout.width * layout.height);
  }

  get count(): number {
    return this.#count;
  }

  /** `SURFEL_FLOATS` numbers per surfel; the offsets come from `nearest`. Valid until the next `insert`. */
  get data(): Float64Array {
    return this.#data;
  }

  /** Adds the surfaces of a scan taken at `pose`; `layout` is the grid's, which has grown to hold them. */
  insert(points: ScanPoints, pose: Pose2d, layout: GridLayout): void {
    if (layout !== this.#layout) {
      this.#first = moveCells(
        this.#layout,
        this.#first,
        layout,
        new Int32Array(layout.width * layout.height),
      );
      this.#layout = layout;
    }
    const c = Math.cos(pose.yaw);
    const s = Math.sin(pose.yaw);
    for (let i = 0; i < points.count; i++) {
      const nx = points.normalX[i]!;
      const ny = points.normalY[i]!;
      if (points.kind[i] !== RAY_HIT || (nx === 0 && ny === 0)) continue;
      const x = pose.x + c * points.x[i]! - s * points.y[i]!;
      const y = pose.y + s * points.x[i]! + c * points.y[i]!;
      this.#add(x, y, c * nx - s * ny, s * nx + c * ny);
    }
  }

  /**
   * The offset of the surfel nearest to a point, among those that face against (`rayX`, `rayY`) and, when the
   * point has a normal, agree with it; -1 when none lies within `radius` cells around the point's cell.
   */
  nearest(x: number, y: number, rayX: number, rayY: number, nx: number, ny: number, radius: number): number {
    const at = this.#layout;
    const column = columnOf(at, x);
    const row = rowOf(at, y);
    if (column < radius || row < radius || column >= at.width - radius || row >= at.height - radius)
      return -1;
    const data = this.#data;
    const oriented = nx !== 0 || ny !== 0;
    let best = -1;
    let bestSquare = Infinity;
    for (let r = row - radius; r <= row + radius; r++) {
      for (let k = column - radius; k <= column + radius; k++) {
        for (let id = this.#first[r * at.width + k]!; id !== 0; id = this.#next[id - 1]!) {
          const o = (id - 1) * SURFEL_FLOATS;
          const mx = data[o + 2]!;
          const my = data[o + 3]!;
          if (oriented ? mx * nx + my * ny < SAME_SURFACE : mx * rayX + my * rayY > -0.05) continue;
          const dx = data[o]! - x;
          const dy = data[o + 1]! - y;
          const square = dx * dx + dy * dy;
          if (square < bestSquare) {
            bestSquare = square;
            best = o;
          }
        }
      }
    }
    return best;
  }

  #add(x: number, y: number, nx: number, ny: number): void {
    const cell = cellAt(this.#layout, x, y);
    if (cell < 0) return;
    const data = this.#data;
    let held = 0;
    for (let id = this.#first[cell]!; id !== 0; id = this.#next[id - 1]!) {
      const o = (id - 1) * SURFEL_FLOATS;
      if (data[o + 2]! * nx + data[o + 3]! * ny >= SAME_SURFACE) {
        this.#refine(o, x, y, nx, ny);
        return;
      }
      held++;
    }
    if (held < PER_CELL_MAX) this.#make(cell, x, y, nx, ny);
  }

  #refine(o: number, x: number, y: number, nx: number, ny: number): void {
    const data = this.#data;
    const seen = data[o + 4]!;
    if (seen >= SETTLED_AFTER) return;
    const share = 1 / (seen + 1);
    data[o] = data[o]! + (x - data[o]!) * share;
    data[o + 1] = data[o + 1]! + (y - data[o + 1]!) * share;
    const mx = data[o + 2]! + (nx - data[o + 2]!) * share;
    const my = data[o + 3]! + (ny - data[o + 3]!) * share;
    const norm = Math.hypot(mx, my);
    data[o + 2] = mx / norm;
    data[o + 3] = my / norm;
    data[o + 4] = seen + 1;
  }

  #make(cell: number, x: number, y: number, nx: number, ny: number): void {
    if (this.#count === this.#next.length) {
      const next = new Int32Array(this.#next.length * 2);
      next.set(this.#next);
      this.#next = next;
      const data = new Float64Array(this.#data.length * 2);
      data.set(this.#data);
      this.#data = data;
    }
    const o = this.#count * SURFEL_FLOATS;
    this.#data[o] = x;
    this.#data[o + 1] = y;
    this.#data[o + 2] = nx;
    this.#data[o + 3] = ny;
    this.#data[o + 4] = 1;
    this.#next[this.#count] = this.#first[cell]!;
    this.#first[cell] = ++this.#count;
  }
}
