import type { Twist2d } from '../../contract/index.ts';
import type { PlanarOdometry } from './messages.ts';

/** Speeds of recovery motions: slow enough to be safe without a map. Metres and radians per second. */
const DRIVE_SPEED = 0.15;
const SPIN_SPEED = 0.6;
/** What counts as there, metres and radians. */
const DRIVE_TOLERANCE = 0.01;
const SPIN_TOLERANCE = 0.03;
/** Speed per remaining distance near the end, 1/s: it arrives without overshoot. */
const APPROACH_GAIN = 2;
/** Below this a base does not move at all. */
const SPEED_MIN_FACTOR = 0.2;

/** What a motion wants now: a command, or the end. */
export type MotionStep = { readonly done: boolean; readonly command: Twist2d; readonly progress: number };

const STILL: Twist2d = { linear: 0, angular: 0 };

/** Straight on by `distance` metres (negative is backwards), measured along the first heading in odom. */
export function driveStep(start: PlanarOdometry, now: PlanarOdometry, distance: number): MotionStep {
  const along = (now.x - start.x) * Math.cos(start.yaw) + (now.y - start.y) * Math.sin(start.yaw);
  const remaining = distance - along;
  const done = Math.abs(remaining) < DRIVE_TOLERANCE || Math.sign(remaining) !== Math.sign(distance);
  const command = { linear: approach(remaining, DRIVE_SPEED), angular: 0 };
  return { done, command: done ? STILL : command, progress: Math.abs(along) };
}

/** Turning by `angle` radians; `turned` is the sum so far, since a heading alone does not show full turns. */
export function spinStep(turned: number, angle: number): MotionStep {
  const remaining = angle - turned;
  const done = Math.abs(remaining) < SPIN_TOLERANCE || Math.sign(remaining) !== Math.sign(angle);
  const command = { linear: 0, angular: approach(remaining, SPIN_SPEED) };
  return { done, command: done ? STILL : command, progress: Math.abs(turned) };
}

function approach(remaining: number, speed: number): number {
  const wanted = Math.max(SPEED_MIN_FACTOR * speed, Math.min(speed, APPROACH_GAIN * Math.abs(remaining)));
  return Math.sign(remaining) * wanted;
}

/** The difference of two headings, within ±π. */
export function turnBetween(from: number, to: number): number {
  return Math.atan2(Math.sin(to - from), Math.cos(to - from));
}
