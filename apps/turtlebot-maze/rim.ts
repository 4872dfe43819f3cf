import type { MapSnapshot } from 'auraison-edge';
import type { Frontier, Survey } from './frontier.ts';
import { centreOf, clearance, PER_CELL } from './grid.ts';
import { standable } from './travel.ts';

/** Depth of the outermost strip on each side of the known floor, metres. */
const STRIP_M = 0.4;

/**
 * The outermost places of the known floor, one per side, narrowest strip first. When nothing unknown is left the
 * exit has been seen but not driven through: floor outside a maze sticks out beyond its outer wall, so it is the
 * outermost on its side, and narrower than a side of the maze. Pure; ties go to the lower cell.
 */
export function rimPlaces(map: MapSnapshot, seen: Survey): Frontier[] {
  const { travel } = seen;
  if (travel.start < 0) return [];
  const field = clearance(map);
  const cells: number[] = [];
  for (let cell = 0; cell < map.cells.length; cell++)
    if (standable(map, field, travel, cell)) cells.push(cell);
  if (cells.length === 0) return [];
  const column = (cell: number) => cell % map.width;
  const row = (cell: number) => Math.floor(cell / map.width);
  const sides = [
    { out: column, along: row },
    { out: (cell: number) => -column(cell), along: row },
    { out: row, along: column },
    { out: (cell: number) => -row(cell), along: column },
  ];
  return sides
    .map(({ out, along }) => {
      const outermost = cells.reduce((most, cell) => Math.max(most, out(cell)), Number.NEGATIVE_INFINITY);
      const strip = cells.filter((cell) => out(cell) > outermost - STRIP_M / map.resolution);
      const middle = strip.reduce((sum, cell) => sum + along(cell), 0) / strip.length;
      const away = (cell: number) => Math.abs(along(cell) - middle) - out(cell);
      const cell = strip.reduce((a, b) => (away(b) < away(a) ? b : a));
      return { cell, size: strip.length };
    })
    .sort((a, b) => a.size - b.size || a.cell - b.cell)
    .map(({ cell, size }) => ({
      cell,
      place: centreOf(map, cell),
      gain: 0,
      cost: (travel.cost[cell]! * map.resolution) / PER_CELL,
      size: size * map.resolution ** 2,
    }));
}
