import type { Pose2d } from '../../../contract/core.ts';
import type { ClearanceField } from './clearance-field.ts';
import { cellAt } from './grid-layout.ts';
import { lineIsClear, remainingLength } from './path.ts';
import type { Path } from './path-planner.ts';

export type FollowerOptions = {
  /** Metres ahead on the path that the robot aims for. */
  readonly lookahead: number;
  /** The straight line to that point keeps this clearance, metres; else a nearer point is taken. */
  readonly clearance: number;
  /** A path point nearer than this to an obstacle blocks the path, metres. */
  readonly blocked: number;
};

export const FOLLOWER_DEFAULTS: FollowerOptions = { lookahead: 0.6, clearance: 0.2, blocked: 0.17 };

/** The point to drive to now, in `base_link`: bearing counter-clockwise in radians, distance in metres. */
export type LocalGoal = { readonly bearing: number; readonly distance: number };

export type FollowState = {
  readonly goal: LocalGoal;
  /** Metres of path still to go. */
  readonly remaining: number;
  /** Metres between the robot and the path. */
  readonly offPath: number;
};

/** How far ahead of the last place on the path the robot is looked for, metres. */
const SEARCH_AHEAD_M = 1;
/** The first stretch may lead out of a tight place and is not judged as blocked, metres. */
const BLOCKED_FROM_M = 0.3;

/** Walks along one path: where the robot is on it, what to aim for, whether it is still open. */
export class PathFollower {
  readonly #field: ClearanceField;
  readonly #options: FollowerOptions;
  readonly #path: Path;
  #at = 0;

  constructor(path: Path, field: ClearanceField, options: FollowerOptions = FOLLOWER_DEFAULTS) {
    this.#path = path;
    this.#field = field;
    this.#options = options;
  }

  get path(): Path {
    return this.#path;
  }

  update(pose: Pose2d): FollowState {
    const path = this.#path;
    const offPath = this.#advance(pose);
    const last = path.x.length - 1;
    let target = Math.min(this.#at + 1, last);
    let along = 0;
    for (let i = this.#at + 1; i <= last; i++) {
      along += Math.hypot(path.x[i]! - path.x[i - 1]!, path.y[i]! - path.y[i - 1]!);
      if (along > this.#options.lookahead) break;
      if (
        along > 0.15 &&
        !lineIsClear(this.#field, pose.x, pose.y, path.x[i]!, path.y[i]!, this.#options.clearance)
      ) {
        break;
      }
      target = i;
    }
    const dx = path.x[target]! - pose.x;
    const dy = path.y[target]! - pose.y;
    const bearing = Math.atan2(
      Math.cos(pose.yaw) * dy - Math.sin(pose.yaw) * dx,
      Math.cos(pose.yaw) * dx + Math.sin(pose.yaw) * dy,
    );
    return {
      goal: { bearing, distance: Math.hypot(dx, dy) },
      remaining: remainingLength(path, this.#at),
      offPath,
    };
  }

  /** True when what was mapped since the path was planned closes it. */
  blocked(): boolean {
    const path = this.#path;
    const at = this.#field.layout;
    let along = 0;
    for (let i = this.#at + 1; i < path.x.length; i++) {
      along += Math.hypot(path.x[i]! - path.x[i - 1]!, path.y[i]! - path.y[i - 1]!);
      const cell = cellAt(at, path.x[i]!, path.y[i]!);
      if (cell < 0) return true;
      if (along > BLOCKED_FROM_M && this.#field.clearance(cell) < this.#options.blocked) return true;
    }
    return false;
  }

  /** Moves on to the nearest point of the next stretch, never back; returns the distance to it. */
  #advance(pose: Pose2d): number {
    const path = this.#path;
    let best = this.#at;
    let bestDistance = Math.hypot(path.x[best]! - pose.x, path.y[best]! - pose.y);
    let along = 0;
    for (let i = this.#at + 1; i < path.x.length && along < SEARCH_AHEAD_M; i++) {
      along += Math.hypot(path.x[i]! - path.x[i - 1]!, path.y[i]! - path.y[i - 1]!);
      const distance = Math.hypot(path.x[i]! - pose.x, path.y[i]! - pose.y);
      if (distance <= bestDistance) {
        bestDistance = distance;
        best = i;
      }
    }
    this.#at = best;
    return bestDistance;
  }
}
