import type { NavigateGoal, Pose2d } from '../../../contract/core.ts';
import { clamp, wrapAngle } from './geometry.ts';
import { elapsedMs, ended, HALT, type Motion, type MotionInput, type MotionStep } from './motion.ts';
import { PathFollower } from './path-follower.ts';
import type { PathPlanner } from './path-planner.ts';
import type { Slam } from './slam.ts';

/** The robot is stuck when it stayed within this circle for this long, or its way got no shorter for longer. */
const ANCHOR_M = 0.12;
const ANCHOR_MS = 8_000;
const PROGRESS_M = 0.08;
const PROGRESS_MS = 20_000;
/** A touch that lasts means that the way ahead is not what the lidar sees. */
const BUMPED_MS = 500;
/** Without an action to execute for this long the motion fails; the robot stands already. */
const STARVED_MS = 1_500;
/** Metres off the path, for example after being pushed, that call for a new one. */
const OFF_PATH_M = 0.35;
/** A lost path is planned for again this often, this many times: walls seen wrongly fade. */
const REPLAN_MS = 400;
const REPLANS_MAX = 5;
const ALIGN_RAD = 0.1;
const ALIGN_RATE_MAX = 0.8;

/**
 * Drives to a place in the map: plans, follows, plans again when the way closes, and fails when the place cannot be
 * reached.
 */
export class NavigateMotion implements Motion {
  readonly #goal: NavigateGoal;
  readonly #slam: Slam;
  readonly #planner: PathPlanner;
  #started: bigint | undefined;
  #follower: PathFollower | undefined;
  #checkedVersion = -1;
  #anchor: { x: number; y: number; at: bigint } | undefined;
  #best: { remaining: number; at: bigint } | undefined;
  #bumpedSince: bigint | undefined;
  #failedPlans = 0;
  #nextPlanAt = 0n;
  #aligning = false;
  #plans = 0;

  constructor(goal: NavigateGoal, slam: Slam, planner: PathPlanner) {
    this.#goal = goal;
    this.#slam = slam;
    this.#planner = planner;
  }

  step(input: MotionInput): MotionStep {
    this.#started ??= input.now;
    const pose = input.pose;
    if (elapsedMs(this.#started, input.now) > this.#goal.timeoutMs) {
      return ended('timeout', `not reached within ${this.#goal.timeoutMs} ms of robot time`);
    }
    if (input.starvedMs > STARVED_MS)
      return ended('starved', `no unexpired action for ${input.starvedMs} ms`);
    if (!pose) return { drive: HALT };
    if (this.#aligning || this.#arrived(pose)) return this.#align(pose);
    return this.#givesUp(input, pose) ?? this.#follow(input, pose);
  }

  #arrived(pose: Pose2d): boolean {
    const goal = this.#goal;
    if (Math.hypot(goal.pose.x - pose.x, goal.pose.y - pose.y) <= goal.tolerance) return true;
    const place = this.#follower?.path;
    if (!place?.moved) return false;
    return Math.hypot(place.goal.x - pose.x, place.goal.y - pose.y) <= this.#slam.grid.layout.resolution;
  }

  #align(pose: Pose2d): MotionStep {
    this.#aligning = true;
    const error = wrapAngle(this.#goal.pose.yaw - pose.yaw);
    if (this.#goal.alignYaw !== true || Math.abs(error) <= ALIGN_RAD) {
      const off = Math.hypot(this.#goal.pose.x - pose.x, this.#goal.pose.y - pose.y);
      return ended('reached', `${off.toFixed(2)} m from the goal, planned ${this.#plans} times`);
    }
    const angular = clamp(2 * error, -ALIGN_RATE_MAX, ALIGN_RATE_MAX);
    return { drive: { kind: 'direct', twist: { linear: 0, angular } } };
  }

  #givesUp(input: MotionInput, pose: Pose2d): MotionStep | undefined {
    this.#bumpedSince = input.bumped ? (this.#bumpedSince ?? input.now) : undefined;
    if (this.#bumpedSince !== undefined && elapsedMs(this.#bumpedSince, input.now) > BUMPED_MS) {
      return ended('stuck', 'the bumper is pressed');
    }
    if (!this.#anchor || Math.hypot(pose.x - this.#anchor.x, pose.y - this.#anchor.y) > ANCHOR_M) {
      this.#anchor = { x: pose.x, y: pose.y, at: input.now };
    } else if (elapsedMs(this.#anchor.at, input.now) > ANCHOR_MS) {
      return ended('stuck', `stayed within ${ANCHOR_M} m for ${ANCHOR_MS} ms`);
    }
    if (this.#best && elapsedMs(this.#best.at, input.now) > PROGRESS_MS) {
      return ended('stuck', `the path to the goal got no shorter for ${PROGRESS_MS} ms`);
    }
    return undefined;
  }

  #follow(input: MotionInput, pose: Pose2d): MotionStep {
    const version = this.#slam.field.version;
    if (this.#follower && version !== this.#checkedVersion) {
      this.#checkedVersion = version;
      if (this.#follower.blocked()) this.#follower = undefined;
    }
    if (!this.#follower) {
      const waits = this.#plan(input, pose);
      if (waits) return waits;
    }
    let state = this.#follower!.update(pose);
    if (state.offPath > OFF_PATH_M) {
      const waits = this.#plan(input, pose);
      if (waits) return waits;
      state = this.#follower!.update(pose);
    }
    if (!this.#best || state.remaining < this.#best.remaining - PROGRESS_M) {
      this.#best = { remaining: state.remaining, at: input.now };
    }
    return { drive: { kind: 'goal', goal: state.goal } };
  }

  /** Plans; returns what to do instead when there is no path. */
  #plan(input: MotionInput, pose: Pose2d): MotionStep | undefined {
    if (input.now < this.#nextPlanAt) return { drive: HALT };
    const { pose: goal, tolerance } = this.#goal;
    const path = this.#planner.plan(pose.x, pose.y, goal.x, goal.y, tolerance);
    if (path) {
      this.#plans++;
      this.#failedPlans = 0;
      this.#follower = new PathFollower(path, this.#slam.field);
      this.#checkedVersion = this.#slam.field.version;
      // A new way may be longer; the time without progress keeps counting.
      this.#best = this.#best && { remaining: Infinity, at: this.#best.at };
      return undefined;
    }
    this.#follower = undefined;
    this.#failedPlans++;
    if (this.#plans === 0 || this.#failedPlans >= REPLANS_MAX) {
      return ended(
        'no_path',
        `no free path to within ${tolerance} m of (${goal.x.toFixed(2)}, ${goal.y.toFixed(2)})`,
      );
    }
    this.#nextPlanAt = input.now + BigInt(REPLAN_MS) * 1_000_000n;
    return { drive: HALT };
  }
}
