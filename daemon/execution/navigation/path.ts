import type { ClearanceField } from './clearance-field.ts';
import { cellAt } from './grid-layout.ts';
import type { Path } from './path-planner.ts';

/** Metres along a path from a point of it to its end. */
export function remainingLength(path: Path, from: number): number {
  let length = 0;
  for (let i = from + 1; i < path.x.length; i++) {
    length += Math.hypot(path.x[i]! - path.x[i - 1]!, path.y[i]! - path.y[i - 1]!);
  }
  return length;
}

/** True when a robot that needs `clearance` metres around its centre can drive the straight line. */
export function lineIsClear(
  field: ClearanceField,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
  clearance: number,
): boolean {
  const at = field.layout;
  const length = Math.hypot(toX - fromX, toY - fromY);
  const steps = Math.max(1, Math.ceil(length / (at.resolution / 2)));
  for (let i = 1; i <= steps; i++) {
    const share = i / steps;
    const cell = cellAt(at, fromX + (toX - fromX) * share, fromY + (toY - fromY) * share);
    if (cell < 0 || field.clearance(cell) < clearance) return false;
  }
  return true;
}
