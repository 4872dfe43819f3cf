import { describe, expect, it } from 'vitest';
import { summarizeMap } from '../../daemon/runtime/tools/map-summary.ts';

describe('robot.map', () => {
  it('lists the frontiers that free floor leads to, the nearest first', async () => {
    // 0 free, 1 wall, ? unknown. The pocket on the right is free and cut off.
    const rows = ['111111111', '1000010??', '10000100?', '1000010??', '100????11', '111111111'];
    const cells = Int8Array.from(rows.reverse().join(''), (c) => (c === '?' ? -1 : c === '1' ? 100 : 0));
    const map = { time: 0n, width: 9, height: 6, resolution: 0.5, origin: { x: -1, y: -1 }, cells };
    const told = await summarizeMap(map, { x: 0, y: 0.8, yaw: 0 });
    expect(told.frontiers).toHaveLength(1);
    const { x, y, length_m } = told.frontiers[0]!;
    // The edge runs from the cell beside the unknown to the row above it.
    expect(length_m).toBeGreaterThanOrEqual(1);
    expect([x > -0.5 && x < 1.5, y > -1 && y < 0.5]).toEqual([true, true]);
    expect(told).toMatchObject({ resolution_m: 0.5, bounds: { x_min: -1, x_max: 3.5, y_min: -1, y_max: 2 } });
    expect(told.free_m2).toBe(18 * 0.25);
    expect((await summarizeMap(map, undefined)).frontiers).toEqual([]);
    expect((await summarizeMap(map, { x: 99, y: 99, yaw: 0 })).frontiers).toEqual([]);
    const nothing = { ...map, cells: new Int8Array(54).fill(-1) };
    expect(await summarizeMap(nothing, { x: 0, y: 0, yaw: 0 })).toMatchObject({
      bounds: null,
      known_share: 0,
      frontiers: [],
    });
  });

  it('lets others have their turn while it reads a large map', async () => {
    const side = 2_000;
    const cells = new Int8Array(side * side);
    for (let cell = 0; cell < cells.length; cell += 7) cells[cell] = cell % 3 === 0 ? -1 : 100;
    const map = { time: 0n, width: side, height: side, resolution: 0.05, origin: { x: 0, y: 0 }, cells };
    let turns = 0;
    let over = false;
    const count = () => {
      turns++;
      if (!over) setImmediate(count);
    };
    setImmediate(count);
    const told = await summarizeMap(map, { x: 50, y: 50, yaw: 0 });
    over = true;
    expect(told.frontiers_left_out).toBeGreaterThan(0);
    expect(turns).toBeGreaterThan(30);
  });
});
