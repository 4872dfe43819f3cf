import { clamp } from '../navigation/geometry.ts';
import type { DriveLimits } from './drive-limits.ts';

/** The layout of the drive policy, shared by the analytic expert and the networks trained from it. */
export const SECTORS = 72;
export const SECTOR_RAD = (2 * Math.PI) / SECTORS;
export const SCAN_CLIP_M = 3.5;
export const GOAL_CLIP_M = 2;
export const HORIZON = 8;
export const STEP_MS = 50;

/** Proportional steering towards the goal, 1/s. */
const STEER = 2.4;
/** Bearing up to which it drives at full speed, and from which on it turns on the spot, radians. */
const BEARING_FULL = 0.2;
const BEARING_SPOT = 1.0;
/** Surface gap beside the base below which it steers away, metres, and how much, rad/s per metre at full speed. */
const SIDE_GAP_M = 0.12;
const SIDE_GAIN = 14;
/** Braking that it plans with, m/s²: softer than what the gate may do. */
const PLANNED_DECEL = 0.5;
/** Gap that it keeps in front, metres. */
const FRONT_GAP_M = 0.06;

type Body = { x: number; y: number; yaw: number; linear: number; angular: number };
type Points = { count: number; x: Float64Array; y: Float64Array };

/**
 * The analytic driver: steers for a place near, slows for bearing, for what is in front and for narrow
 * places, and leans away from walls beside it. Frame `base_link`.
 *
 * `scan72`: least range per 5 degree sector, sector 0 centred straight ahead, counter-clockwise, metres,
 * clipped to 3.5. `goal3`: cosine and sine of the bearing, distance in metres clipped to 2. `twist2`: measured
 * m/s and rad/s. Returns eight pairs (m/s, rad/s), 50 ms apart, of the motion simulated ahead within `limits`.
 */
export function pursue(
  scan72: Float32Array,
  goal3: Float32Array,
  twist2: Float32Array,
  limits: DriveLimits,
): Float32Array<ArrayBuffer> {
  const out = new Float32Array(2 * HORIZON);
  const points = sectorPoints(scan72);
  const goalX = goal3[0]! * goal3[2]!;
  const goalY = goal3[1]! * goal3[2]!;
  const dt = STEP_MS / 1000;
  const body: Body = { x: 0, y: 0, yaw: 0, linear: twist2[0]!, angular: twist2[1]! };
  for (let k = 0; k < HORIZON; k++) {
    steer(body, points, goalX, goalY, limits, dt);
    out[2 * k] = body.linear;
    out[2 * k + 1] = body.angular;
    const middle = body.yaw + (body.angular * dt) / 2;
    body.x += body.linear * dt * Math.cos(middle);
    body.y += body.linear * dt * Math.sin(middle);
    body.yaw += body.angular * dt;
  }
  return out;
}

function sectorPoints(scan72: Float32Array): Points {
  const points = { count: 0, x: new Float64Array(SECTORS), y: new Float64Array(SECTORS) };
  for (let i = 0; i < SECTORS; i++) {
    const range = scan72[i]!;
    // Further than the horizon can reach.
    if (range > 1.2) continue;
    points.x[points.count] = range * Math.cos(i * SECTOR_RAD);
    points.y[points.count] = range * Math.sin(i * SECTOR_RAD);
    points.count++;
  }
  return points;
}

/** Sets the velocities of the next step. */
function steer(
  body: Body,
  points: Points,
  goalX: number,
  goalY: number,
  limits: DriveLimits,
  dt: number,
): void {
  const c = Math.cos(body.yaw);
  const s = Math.sin(body.yaw);
  const gx = c * (goalX - body.x) + s * (goalY - body.y);
  const gy = c * (goalY - body.y) - s * (goalX - body.x);
  const distance = Math.hypot(gx, gy);
  const bearing = distance < 0.02 ? 0 : Math.atan2(gy, gx);
  const room = look(body, points, c, s, limits);
  const turned = clamp((Math.abs(bearing) - BEARING_FULL) / (BEARING_SPOT - BEARING_FULL), 0, 1);
  let linear = limits.linearMax * (1 - turned * turned * (3 - 2 * turned));
  linear = Math.min(linear, Math.sqrt(2 * PLANNED_DECEL * distance));
  linear = Math.min(linear, Math.sqrt(2 * PLANNED_DECEL * Math.max(0, room.front - FRONT_GAP_M)));
  linear *= 0.35 + 0.65 * clamp(Math.min(room.left, room.right) / SIDE_GAP_M, 0, 1);
  const lean = Math.max(0, SIDE_GAP_M - room.right) - Math.max(0, SIDE_GAP_M - room.left);
  const angular = STEER * bearing + SIDE_GAIN * lean * (linear / limits.linearMax);
  const gain = limits.linearAccel * dt;
  const brake = limits.linearDecel * dt;
  const turn = limits.angularAccel * dt;
  body.linear = clamp(linear, body.linear - brake, body.linear + gain);
  body.angular = clamp(
    clamp(angular, -limits.angularMax, limits.angularMax),
    body.angular - turn,
    body.angular + turn,
  );
}

/** Gaps between the base and what is in front of it and beside it, metres. */
function look(
  body: Body,
  points: Points,
  c: number,
  s: number,
  limits: DriveLimits,
): { front: number; left: number; right: number } {
  let front = 3;
  let left = 3;
  let right = 3;
  const width = limits.radius + 0.02;
  for (let i = 0; i < points.count; i++) {
    const dx = points.x[i]! - body.x;
    const dy = points.y[i]! - body.y;
    const px = c * dx + s * dy;
    const py = c * dy - s * dx;
    if (px > 0 && Math.abs(py) < width) front = Math.min(front, px - Math.sqrt(width * width - py * py));
    if (px < -0.05 || px > 0.3) continue;
    const gap = Math.hypot(px, py) - limits.radius;
    if (py > 0.05) left = Math.min(left, gap);
    else if (py < -0.05) right = Math.min(right, gap);
  }
  return { front: Math.max(0, front), left: Math.max(0, left), right: Math.max(0, right) };
}
