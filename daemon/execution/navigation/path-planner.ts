import { CellHeap } from './cell-heap.ts';
import type { ClearanceField } from './clearance-field.ts';
import { cellAt, centreX, centreY } from './grid-layout.ts';
import type { OccupancyGrid } from './occupancy-grid.ts';

export type PlannerOptions = {
  /** A cell nearer than this to an occupied one is forbidden, metres: robot radius and a margin. */
  readonly lethal: number;
  /** Clearance that a place to stop at should have, metres, where there is a choice. */
  readonly roomy: number;
  /** Clearance beyond which more is not better, metres. */
  readonly comfortable: number;
  /** Cost factor at the lethal radius, falling to 1 at the comfortable one. */
  readonly nearFactor: number;
  /** Cost factor of unknown cells; Infinity forbids them. */
  readonly unknownFactor: number;
  /** A robot that stands inside forbidden cells may leave through them, this far, metres. */
  readonly escape: number;
};

export const PLANNER_DEFAULTS: PlannerOptions = {
  lethal: 0.2,
  roomy: 0.28,
  comfortable: 0.4,
  nearFactor: 5,
  unknownFactor: 4,
  escape: 0.3,
};

/** A way through the map: cell centres from start to goal, metres in `map`. */
export type Path = {
  readonly x: Float64Array;
  readonly y: Float64Array;
  /** The last point, which may differ from the goal asked for by up to its tolerance. */
  readonly goal: { readonly x: number; readonly y: number };
  /** True when the goal asked for was not free and the nearest reachable place was taken. */
  readonly moved: boolean;
  readonly cost: number;
};

const ESCAPE_FACTOR = 30;

/** Eight neighbours, in an order that never changes. */
const STEPS = [
  [1, 0],
  [0, 1],
  [-1, 0],
  [0, -1],
  [1, 1],
  [-1, 1],
  [-1, -1],
  [1, -1],
] as const;

/**
 * A* on the grid, 8-connected, with a cost that rises near obstacles so that paths keep to the middle of
 * corridors. Never cuts a corner: a diagonal step needs both its neighbours passable.
 */
export class PathPlanner {
  readonly #grid: OccupancyGrid;
  readonly #field: ClearanceField;
  readonly #options: PlannerOptions;
  readonly #heap = new CellHeap();
  #cost = new Float64Array(0);
  #from = new Int32Array(0);
  #state = new Uint8Array(0);
  #reached = new Uint8Array(0);
  #queue = new Int32Array(0);
  #startX = 0;
  #startY = 0;
  #escaping = false;

  constructor(grid: OccupancyGrid, field: ClearanceField, options: PlannerOptions = PLANNER_DEFAULTS) {
    this.#grid = grid;
    this.#field = field;
    this.#options = options;
  }

  /** Metres in `map`; undefined when no reachable free place lies within `tolerance` of the goal. */
  plan(fromX: number, fromY: number, goalX: number, goalY: number, tolerance: number): Path | undefined {
    const at = this.#grid.layout;
    const start = cellAt(at, fromX, fromY);
    if (start < 0) return undefined;
    this.#startX = fromX;
    this.#startY = fromY;
    this.#escaping = this.#field.clearance(start) < this.#options.lethal;
    this.#prepare(at.width * at.height);
    this.#flood(start);
    const goal = this.#chooseGoal(goalX, goalY, tolerance);
    if (goal < 0) return undefined;
    if (!this.#search(start, goal)) return undefined;
    return this.#trace(start, goal, cellAt(at, goalX, goalY));
  }

  /** What one metre through a cell costs; Infinity where the robot may not be. */
  factor(cell: number): number {
    const o = this.#options;
    if (this.#grid.isOccupied(cell)) return Infinity;
    const clearance = this.#field.clearance(cell);
    if (clearance < o.lethal) return this.#mayEscape(cell) ? ESCAPE_FACTOR : Infinity;
    const near = Math.max(0, (o.comfortable - clearance) / (o.comfortable - o.lethal));
    const base = 1 + (o.nearFactor - 1) * near * near;
    return this.#grid.isFree(cell) ? base : base * o.unknownFactor;
  }

  #mayEscape(cell: number): boolean {
    if (!this.#escaping) return false;
    const at = this.#grid.layout;
    return (
      Math.hypot(centreX(at, cell) - this.#startX, centreY(at, cell) - this.#startY) < this.#options.escape
    );
  }

  #prepare(cells: number): void {
    if (this.#cost.length !== cells) {
      this.#cost = new Float64Array(cells);
      this.#from = new Int32Array(cells);
      this.#state = new Uint8Array(cells);
      this.#reached = new Uint8Array(cells);
      this.#queue = new Int32Array(cells);
    }
  }

  /** Marks every cell the robot can get to. */
  #flood(start: number): void {
    const reached = this.#reached.fill(0);
    const { width, height } = this.#grid.layout;
    const queue = this.#queue;
    let head = 0;
    let tail = 0;
    queue[tail++] = start;
    reached[start] = 1;
    while (head < tail) {
      const cell = queue[head++]!;
      const column = cell % width;
      const row = (cell - column) / width;
      for (let k = 0; k < 4; k++) {
        const x = column + STEPS[k]![0];
        const y = row + STEPS[k]![1];
        if (x < 0 || y < 0 || x >= width || y >= height) continue;
        const next = y * width + x;
        if (reached[next] !== 0 || this.factor(next) === Infinity) continue;
        reached[next] = 1;
        queue[tail++] = next;
      }
    }
  }

  /** The goal's own cell when it is known free and reachable, else the nearest such cell, else an unknown one. */
  #chooseGoal(goalX: number, goalY: number, tolerance: number): number {
    const at = this.#grid.layout;
    const exact = cellAt(at, goalX, goalY);
    if (exact >= 0 && this.#usable(exact) && this.#grid.isFree(exact)) return exact;
    // The robot comes to rest within a cell of the place chosen: that cell is part of the tolerance.
    const reach = Math.max(at.resolution, tolerance - at.resolution);
    const cells = Math.ceil(reach / at.resolution) + 1;
    let best = -1;
    let bestRank = Infinity;
    for (let dy = -cells; dy <= cells; dy++) {
      for (let dx = -cells; dx <= cells; dx++) {
        const cell = cellAt(at, goalX + dx * at.resolution, goalY + dy * at.resolution);
        if (cell < 0 || !this.#usable(cell)) continue;
        const far = Math.hypot(centreX(at, cell) - goalX, centreY(at, cell) - goalY);
        if (far > reach) continue;
        // A driver keeps some air in front of it: a place hard by a wall is hard to come to rest at.
        const tight = 2 * Math.max(0, this.#options.roomy - this.#field.clearance(cell));
        const rank = far + tight + (this.#grid.isFree(cell) ? 0 : 1000);
        if (rank < bestRank) {
          bestRank = rank;
          best = cell;
        }
      }
    }
    return best;
  }

  #usable(cell: number): boolean {
    return this.#reached[cell] !== 0 && this.#field.clearance(cell) >= this.#options.lethal;
  }

  #search(start: number, goal: number): boolean {
    const at = this.#grid.layout;
    const { width, height } = at;
    const cost = this.#cost.fill(Infinity);
    const state = this.#state.fill(0);
    const goalColumn = goal % width;
    const goalRow = (goal - goalColumn) / width;
    this.#heap.clear();
    cost[start] = 0;
    this.#from[start] = start;
    this.#heap.push(start, 0);
    while (this.#heap.size > 0) {
      const cell = this.#heap.pop();
      if (state[cell] !== 0) continue;
      state[cell] = 1;
      if (cell === goal) return true;
      const column = cell % width;
      const row = (cell - column) / width;
      for (let k = 0; k < 8; k++) {
        const dx = STEPS[k]![0];
        const dy = STEPS[k]![1];
        const x = column + dx;
        const y = row + dy;
        if (x < 0 || y < 0 || x >= width || y >= height) continue;
        const next = y * width + x;
        if (state[next] !== 0) continue;
        const factor = this.factor(next);
        if (factor === Infinity) continue;
        if (k >= 4 && (this.factor(cell + dx) === Infinity || this.factor(cell + dy * width) === Infinity))
          continue;
        const through = cost[cell]! + (k < 4 ? 1 : Math.SQRT2) * factor;
        if (through >= cost[next]!) continue;
        cost[next] = through;
        this.#from[next] = cell;
        const ax = Math.abs(x - goalColumn);
        const ay = Math.abs(y - goalRow);
        this.#heap.push(next, through + Math.max(ax, ay) + (Math.SQRT2 - 1) * Math.min(ax, ay));
      }
    }
    return false;
  }

  #trace(start: number, goal: number, asked: number): Path {
    const at = this.#grid.layout;
    let count = 1;
    for (let cell = goal; cell !== start; cell = this.#from[cell]!) count++;
    const x = new Float64Array(count);
    const y = new Float64Array(count);
    let cell = goal;
    for (let i = count - 1; i >= 0; i--) {
      x[i] = centreX(at, cell);
      y[i] = centreY(at, cell);
      cell = this.#from[cell]!;
    }
    return {
      x,
      y,
      goal: { x: x[count - 1]!, y: y[count - 1]! },
      moved: goal !== asked,
      cost: this.#cost[goal]!,
    };
  }
}
