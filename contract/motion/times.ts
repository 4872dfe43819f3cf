import type { GoalOf, MotionKind } from './goals.ts';
import { MOTION_DEFAULTS } from './limits.ts';

/** The slowest a base is expected to drive or turn while it still makes progress. */
const SLOWEST_M_PER_S = 0.03;
const SLOWEST_RAD_PER_S = 0.1;
/** A trajectory may take this many times its own length: controllers wait for joints that lag. */
const TRAJECTORY_FACTOR = 2;

const TIMES: { readonly [K in MotionKind]: (goal: GoalOf<K>) => number } = {
  navigate: ({ timeoutMs }) => timeoutMs,
  maneuver: maneuverTimeMs,
  follow: ({ points }) => TRAJECTORY_FACTOR * (points.at(-1)?.timeFromStartMs ?? 0),
  gripper: () => MOTION_DEFAULTS.GRIPPER_MS,
};

/** Robot time that a motion may take, milliseconds. */
export function motionTimeMs<K extends MotionKind>(kind: K, goal: GoalOf<K>): number {
  return TIMES[kind](goal);
}

/** Robot time that a manoeuvre may take, milliseconds. */
export function maneuverTimeMs(step: GoalOf<'maneuver'>): number {
  switch (step.kind) {
    case 'drive':
      return 2_000 + (Math.abs(step.distance) / SLOWEST_M_PER_S) * 1000;
    case 'spin':
      return 2_000 + (Math.abs(step.angle) / SLOWEST_RAD_PER_S) * 1000;
    case 'wait':
      return 1_000 + step.durationMs;
  }
}

/**
 * Wall time after which a motion counts as unresponsive, milliseconds. Robot time may run slower than wall time: a
 * simulation on a busy host reaches a quarter of real time.
 */
export function motionDeadlineMs(robotTimeMs: number): number {
  return Math.ceil(robotTimeMs * 4 + 5_000);
}
