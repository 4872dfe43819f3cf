import type { MapSnapshot } from '../../../contract/core.ts';

/** Known cells and their share of the whole, for people who watch a map grow. */
export type Coverage = { readonly known: number; readonly total: number; readonly share: number };

/**
 * `area` is the floor to be mapped in square metres, where it is known (a generated maze says so). Without it
 * the total is estimated as the bounding box of what is known, which starts small: the share is then that of
 * the area seen so far.
 */
export function mapCoverage(map: MapSnapshot, area?: number): Coverage {
  let known = 0;
  let left = map.width;
  let right = -1;
  let bottom = map.height;
  let top = -1;
  for (let row = 0; row < map.height; row++) {
    for (let column = 0; column < map.width; column++) {
      if (map.cells[row * map.width + column] === -1) continue;
      known++;
      if (column < left) left = column;
      if (column > right) right = column;
      if (row < bottom) bottom = row;
      top = row;
    }
  }
  const box = right < 0 ? 0 : (right - left + 1) * (top - bottom + 1);
  const total = area === undefined ? box : Math.round(area / map.resolution ** 2);
  return { known, total, share: total === 0 ? 0 : Math.min(1, known / total) };
}
