import type { DriveLimits } from './drive-limits.ts';
import type { LocalObstacles } from './local-obstacles.ts';

/** How far ahead along the arc is looked, metres: more than the braking distance at full speed. */
const LOOK_M = 0.6;
const STEP_M = 0.02;

/**
 * Metres the base may move along the arc of (`linear`, `angular`) before its disc, grown by the margin,
 * touches a point; at most `LOOK_M`. A point already inside only counts while the motion brings it nearer, so
 * that a robot can always move away from what it touches. Turning on the spot moves no disc.
 */
export function freeDistance(
  obstacles: LocalObstacles,
  linear: number,
  angular: number,
  limits: DriveLimits,
): number {
  if (linear === 0) return LOOK_M;
  const reach = limits.radius + limits.margin;
  const relevant = LOOK_M + reach;
  const curvature = angular / Math.abs(linear);
  const direction = Math.sign(linear);
  let free = LOOK_M;
  for (let i = 0; i < obstacles.count; i++) {
    const x = obstacles.x[i]!;
    const y = obstacles.y[i]!;
    const now = Math.hypot(x, y);
    if (now > relevant) continue;
    let before = now;
    for (let s = STEP_M; s <= free + 1e-9; s += STEP_M) {
      const yaw = curvature * s;
      const px = Math.abs(yaw) < 1e-3 ? s : Math.sin(yaw) / curvature;
      const py = Math.abs(yaw) < 1e-3 ? (yaw * s) / 2 : (1 - Math.cos(yaw)) / curvature;
      // Driving backwards mirrors the arc about the wheel axis.
      const distance = Math.hypot(x - direction * px, y - direction * py);
      if (distance < reach && distance < before - 1e-6) {
        free = Math.max(0, s - STEP_M);
        break;
      }
      before = distance;
    }
    if (free === 0) return 0;
  }
  return free;
}

/** The speed from which the base still stops within `free` metres after one more control step. */
export function safeSpeed(free: number, decel: number, stepSeconds: number): number {
  // v·dt + v²/(2a) = free, solved for v.
  const a = decel * 0.7;
  const delay = a * stepSeconds;
  return Math.max(0, -delay + Math.sqrt(delay * delay + 2 * a * free));
}
