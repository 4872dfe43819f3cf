import { OccupancyGrid } from '../../daemon/execution/navigation/occupancy-grid.ts';
import { RAY_FREE, RAY_HIT, ScanPoints } from '../../daemon/execution/navigation/scan-points.ts';

const STEP = 0.05;

/** Centre of a painted cell, metres. */
export function at(cell: number): number {
  return (cell + 0.5) * STEP;
}

/** Makes one cell occupied or free, by `passes` scans as short as the cell. */
export function paint(grid: OccupancyGrid, column: number, row: number, what: '#' | '.', passes = 30): void {
  const points = new ScanPoints();
  points.fill(
    { stamp: 0n, angleMin: 0, angleIncrement: 0, rangeMin: 0, rangeMax: 1, ranges: [0.5] },
    { x: 0, y: 0, yaw: 0 },
  );
  points.kind[0] = what === '#' ? RAY_HIT : RAY_FREE;
  points.x[0] = what === '#' ? 0 : STEP;
  points.y[0] = 0;
  const pose = { x: at(column), y: at(row), yaw: 0 };
  // Unknown space is free after two passes; where something stood before it takes many.
  const times = what === '#' ? 4 : passes;
  for (let i = 0; i < times; i++) grid.integrate(points, pose);
}

/** A grid from a drawing: `#` occupied, `.` free, blank unknown; the last line is row 0, the first character column 0. */
export function paintedGrid(lines: readonly string[]): OccupancyGrid {
  const grid = new OccupancyGrid(STEP);
  lines.forEach((line, i) => {
    for (let column = 0; column < line.length; column++) {
      const what = line[column];
      if (what !== '#' && what !== '.') continue;
      paint(grid, column, lines.length - 1 - i, what, 2);
    }
  });
  return grid;
}
