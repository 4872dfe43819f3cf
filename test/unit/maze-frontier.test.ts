import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { MapSnapshot } from '../../contract/index.ts';
import {
  cellOf,
  chooseGoal,
  clearance,
  PER_CELL,
  pathTo,
  ROBOT_RADIUS_M,
  survey,
} from '../support/shipped-apps.ts';

const RESOLUTION = 0.1;

/** A map from text: `#` wall, `.` free, ` ` unknown; the first line is the highest row. */
function mapOf(lines: readonly string[], origin = { x: 0, y: 0 }): MapSnapshot {
  const width = Math.max(...lines.map((line) => line.length));
  const rows = [...lines].reverse();
  const cells = new Int8Array(width * rows.length).fill(-1);
  rows.forEach((row, y) => {
    [...row].forEach((char, x) => {
      cells[y * width + x] = char === '#' ? 100 : char === '.' ? 0 : -1;
    });
  });
  return { time: 0n, width, height: rows.length, resolution: RESOLUTION, origin, cells };
}

/** A corridor of 0.9 m with a known length to the left and right of the robot, open at both ends. */
function corridor(
  left: number,
  right: number,
): { map: MapSnapshot; pose: { x: number; y: number; yaw: number } } {
  const unknown = ' '.repeat(20);
  const wall = `${unknown}${'#'.repeat(left + right)}${unknown}`;
  const floor = `${unknown}${'.'.repeat(left + right)}${unknown}`;
  const map = mapOf([wall, ...Array<string>(9).fill(floor), wall]);
  return { map, pose: { x: (20 + left) * RESOLUTION, y: 0.55, yaw: 0 } };
}

describe('frontiers', () => {
  it('are the open ends of a corridor, and the nearer one is chosen', () => {
    const { map, pose } = corridor(12, 25);
    const seen = survey(map, pose);
    expect(seen.frontiers).toHaveLength(2);
    const choice = chooseGoal(map, seen, { target: null, avoid: [] })!;
    expect(choice.target.x).toBeLessThan(pose.x);
    // Its goal is on the centre line, at the end.
    expect(choice.target.y).toBeCloseTo(0.55, 1);
    expect(choice.target.x).toBeCloseTo(2.05, 1);
    expect(Math.abs(choice.leg.yaw)).toBeCloseTo(Math.PI, 1);
  });

  it('are avoided when told so, and a target under way is kept', () => {
    const { map, pose } = corridor(12, 13);
    const seen = survey(map, pose);
    const [left, right] = [...seen.frontiers].sort((a, b) => a.place.x - b.place.x);
    const chosen = (facts: Parameters<typeof chooseGoal>[2]) => chooseGoal(map, seen, facts)?.target.x;
    expect(chosen({ target: null, avoid: [left!.place] })).toBeCloseTo(right!.place.x);
    expect(chosen({ target: { ...right!.place, gain_m2: 1, cost_m: 1 }, avoid: [] })).toBeCloseTo(
      right!.place.x,
    );
    expect(chosen({ target: null, avoid: [left!.place, right!.place] })).toBeUndefined();
  });

  it('do not count where the robot does not fit: gaps in walls, slots, places behind walls', () => {
    const closed = ['############', ...Array<string>(9).fill('#..........#'), '############'];
    const gap = closed.map((line, i) => (i === 5 || i === 6 ? `${line.slice(0, -1)}.  ` : line));
    expect(survey(mapOf(closed), { x: 0.6, y: 0.55, yaw: 0 }).frontiers).toEqual([]);
    expect(survey(mapOf(gap), { x: 0.6, y: 0.55, yaw: 0 }).frontiers).toEqual([]);
    const behind = closed.map((line) => `${line}....    `);
    expect(survey(mapOf(behind), { x: 0.6, y: 0.55, yaw: 0 }).frontiers).toEqual([]);
  });

  it('are none for a robot outside of its map', () => {
    const { map } = corridor(10, 10);
    expect(survey(map, { x: -5, y: 0, yaw: 0 }).frontiers).toEqual([]);
  });

  it('drives are cut into stretches', () => {
    const { map, pose } = corridor(5, 80);
    const seen = survey(map, pose);
    const near = seen.frontiers.find(({ place }) => place.x < pose.x)!;
    const { leg, target } = chooseGoal(map, seen, { target: null, avoid: [near.place] })!;
    expect(target.x - pose.x).toBeGreaterThan(7);
    expect(leg.x - pose.x).toBeCloseTo(2.5, 0);
    expect(leg.length_m).toBeCloseTo(2.5, 0);
    expect(leg.yaw).toBeCloseTo(0, 1);
  });
});

/** Random rooms: walls and unknown patches on free floor. */
const rooms = fc.record({
  seed: fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 600, maxLength: 600 }),
  column: fc.integer({ min: 2, max: 27 }),
  row: fc.integer({ min: 2, max: 17 }),
});

function room(seed: readonly number[], origin: { x: number; y: number }): MapSnapshot {
  const cells = Int8Array.from(seed, (value) => (value === 0 ? 100 : value > 7 ? -1 : 0));
  return { time: 0n, width: 30, height: 20, resolution: RESOLUTION, origin, cells };
}

describe('on any map', () => {
  it('goals can be reached: the way is connected, free, and wide enough beyond the first steps', () => {
    fc.assert(
      fc.property(rooms, ({ seed, column, row }) => {
        const map = room(seed, { x: 0, y: 0 });
        const pose = { x: (column + 0.5) * RESOLUTION, y: (row + 0.5) * RESOLUTION, yaw: 0 };
        const field = clearance(map);
        const { frontiers, travel } = survey(map, pose);
        for (const { cell, cost } of frontiers) {
          const path = pathTo(travel, cell);
          expect(path[0]).toBe(cellOf(map, pose.x, pose.y));
          expect(path.at(-1)).toBe(cell);
          expect(cost).toBeGreaterThanOrEqual(0);
          for (const [i, step] of path.entries()) {
            if (i === 0) continue;
            expect(map.cells[step]).toBe(0);
            const dx = Math.abs((step % 30) - (path[i - 1]! % 30));
            const dy = Math.abs(Math.floor(step / 30) - Math.floor(path[i - 1]! / 30));
            expect(Math.max(dx, dy)).toBe(1);
          }
          expect((field[cell]! * RESOLUTION) / PER_CELL).toBeGreaterThanOrEqual(ROBOT_RADIUS_M);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('the choice does not depend on where the map begins', () => {
    fc.assert(
      fc.property(rooms, ({ seed, column, row }) => {
        const at = (origin: { x: number; y: number }) => {
          const map = room(seed, origin);
          const pose = {
            x: origin.x + (column + 0.5) * RESOLUTION,
            y: origin.y + (row + 0.5) * RESOLUTION,
            yaw: 0,
          };
          return chooseGoal(map, survey(map, pose), { target: null, avoid: [] });
        };
        const here = at({ x: 0, y: 0 });
        const there = at({ x: -8, y: 4 });
        expect(there === undefined).toBe(here === undefined);
        if (!here || !there) return;
        expect(there.target.x - here.target.x).toBeCloseTo(-8, 3);
        expect(there.target.y - here.target.y).toBeCloseTo(4, 3);
      }),
      { numRuns: 100 },
    );
  });

  it('distance to walls is within 9 % of the Euclidean one', () => {
    fc.assert(
      fc.property(rooms, ({ seed }) => {
        const map = room(seed, { x: 0, y: 0 });
        const walls = [...map.cells.keys()].filter((cell) => map.cells[cell] === 100);
        const field = clearance(map);
        for (let cell = 0; cell < field.length; cell += 7) {
          const true_ = Math.min(
            ...walls.map((w) =>
              Math.hypot((w % 30) - (cell % 30), Math.floor(w / 30) - Math.floor(cell / 30)),
            ),
          );
          if (Number.isFinite(true_))
            expect(Math.abs(field[cell]! / PER_CELL - true_)).toBeLessThanOrEqual(0.09 * true_ + 1e-9);
        }
      }),
      { numRuns: 50 },
    );
  });
});
