import { describe, expect, it } from 'vitest';
import type { MapSnapshot } from '../../contract/index.ts';
import { chooseGoal, chooseRim, survey } from '../support/shipped-apps.ts';

const RESOLUTION = 0.1;

/** Walls everywhere, then floor in the given rectangles, in metres from the lower left corner. */
function mapOf(
  width: number,
  height: number,
  floors: readonly (readonly [number, number, number, number])[],
): MapSnapshot {
  const columns = Math.round(width / RESOLUTION);
  const rows = Math.round(height / RESOLUTION);
  const cells = new Int8Array(columns * rows).fill(100);
  for (const [x0, y0, x1, y1] of floors) {
    for (let y = Math.round(y0 / RESOLUTION); y < Math.round(y1 / RESOLUTION); y++) {
      for (let x = Math.round(x0 / RESOLUTION); x < Math.round(x1 / RESOLUTION); x++)
        cells[y * columns + x] = 0;
    }
  }
  return { time: 0n, width: columns, height: rows, resolution: RESOLUTION, origin: { x: 0, y: 0 }, cells };
}

/** A hall of 6 by 6 metres; a door of 1 m in its east wall leads to a court of 2 by 2. All of it has been seen. */
const HALL = mapOf(11, 8, [
  [1, 1, 7, 7],
  [7, 3.5, 7.5, 4.5],
  [7.5, 3, 9.5, 5],
]);
const inHall = { x: 3, y: 3, yaw: 0 };

describe('a maze that is wholly known before its exit was driven through', () => {
  it('has no frontier, so that exploring alone would end here', () => {
    expect(chooseGoal(HALL, survey(HALL, inHall), { target: null, avoid: [] })).toBeUndefined();
  });

  it('is left by the floor that sticks out', () => {
    const { choice, been } = chooseRim(HALL, survey(HALL, inHall), inHall, []);
    expect(been).toEqual([]);
    expect(choice!.target.x).toBeGreaterThan(8.5);
    expect(choice!.target.y).toBeGreaterThan(3);
    expect(choice!.target.y).toBeLessThan(5);
  });

  it('is searched on every side in turn, then there is nothing left', () => {
    let pose = { x: inHall.x, y: inHall.y };
    let avoid: readonly { x: number; y: number }[] = [];
    const visited: string[] = [];
    for (let i = 0; i < 10; i++) {
      const { choice, been } = chooseRim(HALL, survey(HALL, { ...pose, yaw: 0 }), pose, avoid);
      avoid = [...avoid, ...been];
      if (!choice) break;
      pose = { x: choice.target.x, y: choice.target.y };
      visited.push(`${Math.round(pose.x)},${Math.round(pose.y)}`);
    }
    expect(visited).toHaveLength(4);
    expect(new Set(visited).size).toBe(4);
  });

  it('gives the same answer for the same map', () => {
    const ask = () => chooseRim(HALL, survey(HALL, inHall), inHall, []);
    expect(ask()).toEqual(ask());
  });
});
