import type { Pose2d } from '../../../contract/core.ts';
import { wrapAngle } from './geometry.ts';
import { cellAt } from './grid-layout.ts';
import type { OccupancyGrid } from './occupancy-grid.ts';
import { RAY_HIT, type ScanPoints } from './scan-points.ts';
import type { SurfelMap } from './surfel-map.ts';

/** How well odometry is believed for one step: standard deviations of the predicted pose. */
export type Prior = { readonly sigmaXy: number; readonly sigmaYaw: number };

export type Match = {
  readonly pose: Pose2d;
  /** Share of the matched points that lie on a known surface, 0 to 1. */
  readonly inliers: number;
  /** Points that found a surface. */
  readonly matched: number;
};

const ITERATIONS_MAX = 12;
/** Standard deviation given to one point; larger than lidar noise because neighbours share their errors. */
const POINT_SIGMA_M = 0.04;
/** Residual at which a point counts half (Cauchy weight). */
const ROBUST_M = 0.03;
const INLIER_M = 0.04;

/** What to match against. */
export type MatchTarget = { readonly surfels: SurfelMap; readonly grid: OccupancyGrid };

/**
 * Point-to-line alignment of a scan with the surfel map by Gauss-Newton, with the odometry prediction as a
 * prior: where the scan says nothing (along a bare corridor) odometry decides. Frames: scan in `base_link`,
 * result in `map`.
 */
export function matchScan(map: MatchTarget, points: ScanPoints, predicted: Pose2d, prior: Prior): Match {
  let x = predicted.x;
  let y = predicted.y;
  let yaw = predicted.yaw;
  const wXy = 1 / prior.sigmaXy ** 2;
  const wYaw = 1 / prior.sigmaYaw ** 2;
  let matched = 0;
  let inliers = 0;
  for (let iteration = 0; iteration < ITERATIONS_MAX; iteration++) {
    const c = Math.cos(yaw);
    const s = Math.sin(yaw);
    // Normal equations of the prior, then one row per point.
    let a00 = wXy;
    let a01 = 0;
    let a02 = 0;
    let a11 = wXy;
    let a12 = 0;
    let a22 = wYaw;
    let b0 = wXy * (predicted.x - x);
    let b1 = wXy * (predicted.y - y);
    let b2 = wYaw * wrapAngle(predicted.yaw - yaw);
    matched = 0;
    inliers = 0;
    const data = map.surfels.data;
    const radius = iteration < 3 ? 2 : 1;
    for (let i = 0; i < points.count; i++) {
      if (points.kind[i] !== RAY_HIT) continue;
      const lx = points.x[i]!;
      const ly = points.y[i]!;
      const rx = c * lx - s * ly;
      const ry = s * lx + c * ly;
      const nx = c * points.normalX[i]! - s * points.normalY[i]!;
      const ny = s * points.normalX[i]! + c * points.normalY[i]!;
      const length = points.range[i]!;
      const o = map.surfels.nearest(x + rx, y + ry, rx / length, ry / length, nx, ny, radius);
      if (o < 0) continue;
      matched++;
      const mx = data[o + 2]!;
      const my = data[o + 3]!;
      const residual = mx * (data[o]! - x - rx) + my * (data[o + 1]! - y - ry);
      if (Math.abs(residual) < INLIER_M) inliers++;
      const lever = my * rx - mx * ry;
      const w = 1 / (POINT_SIGMA_M ** 2 * (1 + (residual / ROBUST_M) ** 2));
      a00 += w * mx * mx;
      a01 += w * mx * my;
      a02 += w * mx * lever;
      a11 += w * my * my;
      a12 += w * my * lever;
      a22 += w * lever * lever;
      b0 += w * mx * residual;
      b1 += w * my * residual;
      b2 += w * lever * residual;
    }
    const c00 = a11 * a22 - a12 * a12;
    const c01 = a02 * a12 - a01 * a22;
    const c02 = a01 * a12 - a02 * a11;
    const determinant = a00 * c00 + a01 * c01 + a02 * c02;
    if (!(determinant > 0)) break;
    const dx = (c00 * b0 + c01 * b1 + c02 * b2) / determinant;
    const dy = (c01 * b0 + (a00 * a22 - a02 * a02) * b1 + (a01 * a02 - a00 * a12) * b2) / determinant;
    const dYaw = (c02 * b0 + (a01 * a02 - a00 * a12) * b1 + (a00 * a11 - a01 * a01) * b2) / determinant;
    x += dx;
    y += dy;
    yaw = wrapAngle(yaw + dYaw);
    if (Math.abs(dx) < 1e-4 && Math.abs(dy) < 1e-4 && Math.abs(dYaw) < 1e-4) break;
  }
  return { pose: { x, y, yaw }, matched, inliers: matched === 0 ? 0 : inliers / matched };
}

/** Share of the hits that contradict the map: they end where it is firmly free. 0 where nothing is known. */
export function conflict(map: MatchTarget, points: ScanPoints, pose: Pose2d): number {
  const c = Math.cos(pose.yaw);
  const s = Math.sin(pose.yaw);
  const at = map.grid.layout;
  let hits = 0;
  let against = 0;
  for (let i = 0; i < points.count; i += 2) {
    if (points.kind[i] !== RAY_HIT) continue;
    hits++;
    const x = pose.x + c * points.x[i]! - s * points.y[i]!;
    const y = pose.y + s * points.x[i]! + c * points.y[i]!;
    if (firmlyFree(map.grid, at, x, y)) against++;
  }
  return hits === 0 ? 0 : against / hits;
}

/** Free, and so are its neighbours: an end one cell off a wall is noise, not a contradiction. */
function firmlyFree(grid: OccupancyGrid, at: OccupancyGrid['layout'], x: number, y: number): boolean {
  const step = at.resolution;
  for (let dy = -1; dy <= 1; dy++) {
    for (let dx = -1; dx <= 1; dx++) {
      const cell = cellAt(at, x + dx * step, y + dy * step);
      if (cell < 0 || !grid.isFree(cell)) return false;
    }
  }
  return true;
}

/** Half widths and steps of the search after the robot was pushed or slipped. */
const SEARCH = { metres: 0.35, step: 0.05, radians: 0.45, turn: 0.03 } as const;

/**
 * The pose around `predicted` whose hits fall best on occupied cells: a full search, for when local alignment
 * contradicts the map. About 5 ms, so not for every scan.
 */
export function searchPose(map: MatchTarget, points: ScanPoints, predicted: Pose2d): Pose2d {
  const at = map.grid.layout;
  let best = predicted;
  let bestScore = -Infinity;
  const turns = Math.round(SEARCH.radians / SEARCH.turn);
  const steps = Math.round(SEARCH.metres / SEARCH.step);
  for (let t = -turns; t <= turns; t++) {
    const yaw = wrapAngle(predicted.yaw + t * SEARCH.turn);
    const c = Math.cos(yaw);
    const s = Math.sin(yaw);
    for (let j = -steps; j <= steps; j++) {
      for (let k = -steps; k <= steps; k++) {
        const x = predicted.x + k * SEARCH.step;
        const y = predicted.y + j * SEARCH.step;
        // A slight preference for the prediction decides between equals.
        let score = -0.02 * (Math.abs(t) + Math.abs(j) + Math.abs(k));
        for (let i = 0; i < points.count; i += 4) {
          if (points.kind[i] !== RAY_HIT) continue;
          const cell = cellAt(
            at,
            x + c * points.x[i]! - s * points.y[i]!,
            y + s * points.x[i]! + c * points.y[i]!,
          );
          if (cell < 0) continue;
          if (map.grid.isOccupied(cell)) score += 1;
          else if (map.grid.isFree(cell)) score -= 0.5;
        }
        if (score > bestScore) {
          bestScore = score;
          best = { x, y, yaw };
        }
      }
    }
  }
  return best;
}
