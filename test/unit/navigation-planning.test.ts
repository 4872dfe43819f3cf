import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CellHeap } from '../../daemon/execution/navigation/cell-heap.ts';
import { CLEARANCE_CELLS_MAX, ClearanceField } from '../../daemon/execution/navigation/clearance-field.ts';
import { cellAt } from '../../daemon/execution/navigation/grid-layout.ts';
import type { OccupancyGrid } from '../../daemon/execution/navigation/occupancy-grid.ts';
import { lineIsClear } from '../../daemon/execution/navigation/path.ts';
import { PathFollower } from '../../daemon/execution/navigation/path-follower.ts';
import { PathPlanner, PLANNER_DEFAULTS } from '../../daemon/execution/navigation/path-planner.ts';
import { at, paint, paintedGrid } from '../fakes/painted-grid.ts';

const SIDE = 40;

/** A room of 2 m with blocks of 2x2 cells in it; the corner with the robot stays free. */
const rooms = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 18 }), fc.integer({ min: 1, max: 18 })), { maxLength: 12 })
  .map((blocks) => {
    const cells = Array.from({ length: SIDE }, (_, row) =>
      Array.from({ length: SIDE }, (_, column) =>
        row === 0 || column === 0 || row === SIDE - 1 || column === SIDE - 1 ? '#' : '.',
      ),
    );
    for (const [x, y] of blocks) {
      if (x < 7 && y < 7) continue;
      for (const [dx, dy] of [
        [0, 0],
        [1, 0],
        [0, 1],
        [1, 1],
      ] as const) {
        cells[2 * y + dy]![2 * x + dx] = '#';
      }
    }
    return cells.map((row) => row.join('')).reverse();
  });

function make(lines: readonly string[]): {
  grid: OccupancyGrid;
  field: ClearanceField;
  planner: PathPlanner;
} {
  const grid = paintedGrid(lines);
  const field = new ClearanceField(grid);
  return { grid, field, planner: new PathPlanner(grid, field) };
}

/** What `ClearanceField` should say, the slow way. */
function bruteClearance(grid: OccupancyGrid, column: number, row: number): number {
  const { width, height, resolution } = grid.layout;
  let best = CLEARANCE_CELLS_MAX ** 2;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (grid.isOccupied(y * width + x)) best = Math.min(best, (x - column) ** 2 + (y - row) ** 2);
    }
  }
  return Math.sqrt(best) * resolution;
}

describe('clearance field', () => {
  it('is the exact distance to the nearest obstacle, however cells came and went', () => {
    const changes = fc.array(fc.tuple(fc.constantFrom(0, 3, 19), fc.constantFrom(0, 2, 17), fc.boolean()), {
      maxLength: 30,
    });
    fc.assert(
      fc.property(changes, (list) => {
        const grid = paintedGrid(['.']);
        const field = new ClearanceField(grid);
        for (const [column, row, occupied] of list) {
          // Each scan is followed by an update, as in `Slam`.
          const scans = { integrate: grid.integrate.bind(grid) };
          grid.integrate = (points, pose) => {
            scans.integrate(points, pose);
            field.update();
          };
          paint(grid, column, row, occupied ? '#' : '.');
          grid.integrate = scans.integrate;
        }
        const { width, height } = grid.layout;
        for (let row = 60; row < Math.min(height, 110); row += 3) {
          for (let column = 60; column < Math.min(width, 110); column += 3) {
            expect(field.clearance(row * width + column)).toBe(bruteClearance(grid, column, row));
          }
        }
      }),
      { numRuns: 25 },
    );
  });
});

describe('path planner', () => {
  it('finds paths of adjacent cells that keep clear of obstacles, end near the goal and cut no corner', () => {
    fc.assert(
      fc.property(
        rooms,
        fc.integer({ min: 4, max: 35 }),
        fc.integer({ min: 4, max: 35 }),
        (lines, gx, gy) => {
          const { grid, field, planner } = make(lines);
          const path = planner.plan(at(8), at(8), at(gx), at(gy), 0.3);
          if (!path) return;
          expect(Math.hypot(path.goal.x - at(gx), path.goal.y - at(gy))).toBeLessThanOrEqual(0.3);
          for (let i = 1; i < path.x.length; i++) {
            const cell = cellAt(grid.layout, path.x[i]!, path.y[i]!);
            expect(field.clearance(cell)).toBeGreaterThanOrEqual(PLANNER_DEFAULTS.lethal);
            const dx = Math.abs(path.x[i]! - path.x[i - 1]!);
            const dy = Math.abs(path.y[i]! - path.y[i - 1]!);
            expect(Math.max(dx, dy)).toBeCloseTo(0.05, 6);
            if (dx > 0.01 && dy > 0.01) {
              expect(planner.factor(cellAt(grid.layout, path.x[i]!, path.y[i - 1]!))).toBeLessThan(Infinity);
              expect(planner.factor(cellAt(grid.layout, path.x[i - 1]!, path.y[i]!))).toBeLessThan(Infinity);
            }
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('finds a path exactly when one exists', () => {
    fc.assert(
      fc.property(rooms, (lines) => {
        const { grid, field, planner } = make(lines);
        const goal = { column: 34, row: 34 };
        const reachable = flood(grid, field).has(cellAt(grid.layout, at(goal.column), at(goal.row)));
        expect(planner.plan(at(8), at(8), at(goal.column), at(goal.row), 0) !== undefined).toBe(reachable);
      }),
      { numRuns: 40 },
    );
  });

  it('plans the same path again from the same map', () => {
    const { planner } = make(openRoom());
    const first = planner.plan(at(8), at(8), at(30), at(20), 0.1)!;
    expect(planner.plan(at(8), at(8), at(30), at(20), 0.1)).toEqual(first);
  });

  it('takes the middle of a corridor', () => {
    const { planner } = make([
      '#'.repeat(40),
      ...Array.from({ length: 15 }, () => '.'.repeat(40)),
      '#'.repeat(40),
    ]);
    const path = planner.plan(at(2), at(5), at(37), at(5), 0.1)!;
    const middle = path.y[Math.floor(path.y.length / 2)]!;
    expect(Math.abs(middle - at(8))).toBeLessThanOrEqual(0.05);
  });

  it('moves a goal inside a wall to the nearest free place, and refuses one that is too deep', () => {
    const { planner } = make(openRoom());
    const path = planner.plan(at(8), at(8), at(39), at(20), 0.4)!;
    expect(path.moved).toBe(true);
    expect(Math.hypot(path.goal.x - at(39), path.goal.y - at(20))).toBeLessThanOrEqual(0.4);
    expect(planner.plan(at(8), at(8), at(39), at(20), 0.1)).toBeUndefined();
  });

  it('leads a robot out of a place that is too near to a wall', () => {
    const { planner } = make(openRoom());
    const path = planner.plan(at(3), at(20), at(20), at(20), 0.1);
    expect(path?.goal).toEqual({ x: at(20), y: at(20) });
  });

  it('goes through the unknown only where it must', () => {
    const lines = openRoom().map((line, i) =>
      i === 19 || i === 20 ? line : line.replace(/(.{18})..../, '$1    '),
    );
    const { planner } = make(lines);
    const path = planner.plan(at(8), at(30), at(32), at(30), 0.1)!;
    const crossing = [...path.x].findIndex((x) => x > at(20));
    expect(Math.abs(path.y[crossing]! - at(19.5))).toBeLessThan(0.1);
  });
});

describe('path follower', () => {
  it('aims ahead on the path, in the frame of the robot, and knows what is left', () => {
    const { field, planner } = make(openRoom());
    const path = planner.plan(at(8), at(20), at(34), at(20), 0.1)!;
    const follower = new PathFollower(path, field);
    const state = follower.update({ x: at(8), y: at(20), yaw: Math.PI / 2 });
    expect(state.goal.bearing).toBeCloseTo(-Math.PI / 2, 1);
    expect(state.goal.distance).toBeGreaterThan(0.4);
    expect(state.goal.distance).toBeLessThanOrEqual(0.61);
    expect(state.remaining).toBeCloseTo(1.3, 1);
    expect(follower.update({ x: at(20), y: at(20), yaw: 0 }).remaining).toBeLessThan(0.75);
  });

  it('never aims through a corner', () => {
    const lines = openRoom().map((line, i) => (i > 15 ? `${line.slice(0, 20)}##${line.slice(22)}` : line));
    const { field, planner } = make(lines);
    const path = planner.plan(at(13), at(8), at(30), at(8), 0.1)!;
    const follower = new PathFollower(path, field);
    for (let i = 0; i < path.x.length; i++) {
      const pose = { x: path.x[i]!, y: path.y[i]!, yaw: 0 };
      const { bearing, distance } = follower.update(pose).goal;
      if (distance < 0.2) continue;
      const [x, y] = [pose.x + distance * Math.cos(bearing), pose.y + distance * Math.sin(bearing)];
      expect(lineIsClear(field, pose.x, pose.y, x, y, 0.19)).toBe(true);
    }
  });

  it('says blocked once a wall stands across the path', () => {
    const { grid, field, planner } = make(openRoom());
    const follower = new PathFollower(planner.plan(at(8), at(20), at(34), at(20), 0.1)!, field);
    expect(follower.blocked()).toBe(false);
    paint(grid, 24, 20, '#');
    const fresh = new ClearanceField(grid);
    const again = new PathFollower(planner.plan(at(8), at(20), at(12), at(20), 0.1)!, fresh);
    expect(again.blocked()).toBe(false);
    expect(new PathFollower(follower.path, fresh).blocked()).toBe(true);
  });
});

describe('cell heap', () => {
  it('gives cells in order of priority, equal ones in order of cell', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(5000), fc.integer({ min: 0, max: 20 })), { maxLength: 300 }),
        (items) => {
          const heap = new CellHeap();
          for (const [cell, priority] of items) heap.push(cell, priority);
          const sorted = [...items].sort((a, b) => a[1] - b[1] || a[0] - b[0]).map(([cell]) => cell);
          const popped = [];
          while (heap.size > 0) popped.push(heap.pop());
          expect(popped).toEqual(sorted);
          expect(heap.pop()).toBe(-1);
        },
      ),
    );
  });
});

function openRoom(): string[] {
  return [
    '#'.repeat(SIDE),
    ...Array.from({ length: SIDE - 2 }, () => `#${'.'.repeat(SIDE - 2)}#`),
    '#'.repeat(SIDE),
  ];
}

/** Cells reachable from the robot's corner over cells with clearance, four-connected. */
function flood(grid: OccupancyGrid, field: ClearanceField): Set<number> {
  const { width } = grid.layout;
  const start = cellAt(grid.layout, at(8), at(8));
  const seen = new Set([start]);
  const queue = [start];
  for (let head = 0; head < queue.length; head++) {
    for (const n of [1, -1, width, -width]) {
      const next = queue[head]! + n;
      if (seen.has(next) || field.clearance(next) < PLANNER_DEFAULTS.lethal) continue;
      if (next < 0 || next >= width * grid.layout.height) continue;
      seen.add(next);
      queue.push(next);
    }
  }
  return seen;
}
