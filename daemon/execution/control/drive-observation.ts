import type { Observation, Twist2d } from '../../../contract/core.ts';
import type { LocalGoal } from '../navigation/path-follower.ts';
import type { LocalObstacles } from './local-obstacles.ts';
import { GOAL_CLIP_M, SCAN_CLIP_M, SECTOR_RAD, SECTORS } from './pursuit.ts';

/** Least range per sector around the base, metres; sector 0 is centred straight ahead, counter-clockwise. */
export function sectorRanges(obstacles: LocalObstacles): Float32Array<ArrayBuffer> {
  const scan = new Float32Array(SECTORS).fill(SCAN_CLIP_M);
  for (let i = 0; i < obstacles.count; i++) {
    const x = obstacles.x[i]!;
    const y = obstacles.y[i]!;
    const sector = (Math.round(Math.atan2(y, x) / SECTOR_RAD) + SECTORS) % SECTORS;
    const range = Math.hypot(x, y);
    if (range < scan[sector]!) scan[sector] = range;
  }
  return scan;
}

/** The inputs of the drive policy: `scan` [1,72], `goal` [1,3], `twist` [1,2], all in `base_link`. */
export function driveObservation(
  stamp: bigint,
  obstacles: LocalObstacles,
  goal: LocalGoal,
  twist: Twist2d,
): Observation {
  const near = Math.min(goal.distance, GOAL_CLIP_M);
  return {
    stamp,
    tensors: {
      scan: { shape: [1, SECTORS], data: sectorRanges(obstacles) },
      goal: { shape: [1, 3], data: Float32Array.of(Math.cos(goal.bearing), Math.sin(goal.bearing), near) },
      twist: { shape: [1, 2], data: Float32Array.of(twist.linear, twist.angular) },
    },
  };
}
