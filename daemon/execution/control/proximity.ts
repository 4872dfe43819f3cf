import type { DriveLimits } from './drive-limits.ts';
import type { LocalObstacles } from './local-obstacles.ts';

/** How far ahead along the arc is looked, metres: more than the braking distance at full speed. */
const LOOK_M = 0.6;
const STEP_M = 0.02;
/** Of the deceleration that the base is allowed; the rest is the reserve of what is planned with. */
const BRAKING_SHARE = 0.7;
const STEPS = Math.round(LOOK_M / STEP_M);
const ARC_X = new Float64Array(STEPS + 1);
const ARC_Y = new Float64Array(STEPS + 1);

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
  const direction = Math.sign(linear);
  trace(angular / Math.abs(linear), direction);
  let steps = STEPS;
  for (let i = 0; i < obstacles.count && steps > 0; i++) {
    const x = obstacles.x[i]!;
    const y = obstacles.y[i]!;
    let before = Math.hypot(x, y);
    // Whatever the arc, it comes no nearer than this.
    if (before > reach + steps * STEP_M) continue;
    for (let k = 1; k <= steps; k++) {
      const distance = Math.hypot(x - ARC_X[k]!, y - ARC_Y[k]!);
      if (distance < reach && distance < before - 1e-6) {
        steps = k - 1;
        break;
      }
      before = distance;
    }
  }
  return steps * STEP_M;
}

/**
 * Whether the base may drive along (`linear`, `angular`) by what is seen: what is not seen counts as occupied. Looked at
 * are the directions in which something just beyond the margin would be touched by driving straight on, and on the side
 * that it turns to those that it faces before it can stand. Turning on the spot needs no sight.
 */
export function seesWay(
  { unseen }: LocalObstacles,
  linear: number,
  angular: number,
  limits: DriveLimits,
): boolean {
  if (linear === 0 || unseen.count === 0) return true;
  const half = Math.asin(limits.radius / (limits.radius + limits.margin));
  const ahead = linear > 0 ? 0 : Math.PI;
  const turned = (angular * Math.abs(linear)) / (limits.linearDecel * BRAKING_SHARE);
  return !unseen.touches(ahead - half + Math.min(0, turned), 2 * half + Math.abs(turned));
}

/** Where the centre is after each step; driving backwards mirrors the arc about the wheel axis. */
function trace(curvature: number, direction: number): void {
  for (let k = 1; k <= STEPS; k++) {
    const s = k * STEP_M;
    const yaw = curvature * s;
    const straight = Math.abs(yaw) < 1e-3;
    ARC_X[k] = direction * (straight ? s : Math.sin(yaw) / curvature);
    ARC_Y[k] = direction * (straight ? (yaw * s) / 2 : (1 - Math.cos(yaw)) / curvature);
  }
}

/** The speed from which the base still stops within `free` metres after one more control step. */
export function safeSpeed(free: number, decel: number, stepSeconds: number): number {
  // v·dt + v²/(2a) = free, solved for v.
  const a = decel * BRAKING_SHARE;
  const delay = a * stepSeconds;
  return Math.max(0, -delay + Math.sqrt(delay * delay + 2 * a * free));
}
