import type { MotionResult, Pose2d, Twist2d } from '../../../contract/core.ts';
import type { LocalGoal } from './path-follower.ts';

/** What the robot measures at one control step; times and durations are robot time. */
export type MotionInput = {
  /** Nanoseconds. */
  readonly now: bigint;
  /** `base_link` in `map`; undefined until localised. */
  readonly pose: Pose2d | undefined;
  /** `base_link` in `odom`: continuous, so short motions are measured in it. */
  readonly odometry: Pose2d | undefined;
  readonly twist: Twist2d;
  /** When the twist was measured, nanoseconds; absent: in this step. */
  readonly measuredAt?: bigint | undefined;
  /** The last command to the base was to stand. Absent: the command follows as soon as a motion ends. */
  readonly isHalted?: boolean;
  /** Metres driven since the start, by odometry. */
  readonly distance: number;
  readonly bumped: boolean;
  /** How long the control loop has had nothing to execute, milliseconds. */
  readonly starvedMs: number;
};

/** What a motion wants done: let the policy drive to a place near, apply a velocity, or stand still. */
export type Drive =
  | { readonly kind: 'goal'; readonly goal: LocalGoal }
  | { readonly kind: 'direct'; readonly twist: Twist2d }
  | { readonly kind: 'halt' };

export const HALT: Drive = { kind: 'halt' };

export type MotionEnd = { readonly outcome: MotionResult['outcome']; readonly message: string };

/** One step of a motion: something to do, or its end. */
export type MotionStep = { readonly drive: Drive; readonly end?: MotionEnd };

/** A running motion. `step` is called once per control step until it returns an end; it must not throw. */
export interface Motion {
  step(input: MotionInput): MotionStep;
}

export function ended(outcome: MotionResult['outcome'], message: string): MotionStep {
  return { drive: HALT, end: { outcome, message } };
}

export function elapsedMs(since: bigint, now: bigint): number {
  return Number(now - since) / 1e6;
}
