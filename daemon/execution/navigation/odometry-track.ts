import type { Pose2d, Twist2d } from '../../../contract/core.ts';
import { between, compose, wrapAngle } from './geometry.ts';

/** One odometry message: `base_link` in `odom`, and the measured twist. */
export type OdometrySample = { readonly stamp: bigint; readonly pose: Pose2d; readonly twist: Twist2d };

/** Two seconds at 50 Hz: a scan is never matched later than that. */
const HELD_MAX = 100;
/** Beyond this an odometry pose is not extrapolated, seconds. */
const EXTRAPOLATE_MAX_S = 0.2;

/** The newest odometry, for the pose at the moment of a scan and the distance driven. */
export class OdometryTrack {
  #held: OdometrySample[] = [];
  #distance = 0;

  get newest(): OdometrySample | undefined {
    return this.#held.at(-1);
  }

  /** Metres driven since the start, forwards and backwards. */
  get distance(): number {
    return this.#distance;
  }

  /** Samples that are not newer than the newest are ignored (a source that repeats or reorders). */
  add(sample: OdometrySample): boolean {
    const last = this.newest;
    if (last && sample.stamp <= last.stamp) return false;
    if (last) this.#distance += Math.hypot(sample.pose.x - last.pose.x, sample.pose.y - last.pose.y);
    this.#held.push(sample);
    if (this.#held.length > HELD_MAX) this.#held.splice(0, HELD_MAX / 2);
    return true;
  }

  /** Forgets the poses, not the distance: what follows is in another frame. */
  restart(): void {
    this.#held = [];
  }

  /**
   * `base_link` in `odom` at a time after the newest sample, if it has continued with `twist` since; for `seconds` at
   * most. Where a robot must be expected, not where it is matched with a map.
   */
  carriedOn(stamp: bigint, twist: Twist2d, seconds: number): Pose2d | undefined {
    const last = this.newest;
    if (!last || stamp <= last.stamp) return this.at(stamp);
    const dt = Math.min(Number(stamp - last.stamp) / 1e9, seconds);
    return compose(last.pose, advance(twist, dt));
  }

  /** `base_link` in `odom` at a time: interpolated, or carried on with the measured twist for a moment. */
  at(stamp: bigint): Pose2d | undefined {
    const last = this.newest;
    if (!last) return undefined;
    if (stamp >= last.stamp) {
      const dt = Math.min(Number(stamp - last.stamp) / 1e9, EXTRAPOLATE_MAX_S);
      return compose(last.pose, advance(last.twist, dt));
    }
    for (let i = this.#held.length - 2; i >= 0; i--) {
      const from = this.#held[i]!;
      if (from.stamp > stamp) continue;
      const to = this.#held[i + 1]!;
      const share = Number(stamp - from.stamp) / Number(to.stamp - from.stamp);
      const step = between(from.pose, to.pose);
      return compose(from.pose, { x: step.x * share, y: step.y * share, yaw: wrapAngle(step.yaw * share) });
    }
    return this.#held[0]!.pose;
  }
}

/** Where a constant twist leads in `dt` seconds, from the pose it starts at (chord of the arc). */
export function advance(twist: Twist2d, dt: number): Pose2d {
  const yaw = twist.angular * dt;
  const length = twist.linear * dt;
  return { x: length * Math.cos(yaw / 2), y: length * Math.sin(yaw / 2), yaw };
}
