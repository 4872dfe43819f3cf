import type { Twist2d } from '../../../contract/core.ts';
import { clamp } from '../navigation/geometry.ts';
import type { DriveLimits } from './drive-limits.ts';
import type { LocalObstacles } from './local-obstacles.ts';
import { freeDistance, safeSpeed, seesWay } from './proximity.ts';

export type GateVerdict = {
  /** What goes to the robot. Always finite and within the limits. */
  readonly applied: Twist2d;
  readonly verdict: 'passed' | 'limited' | 'refused';
  /** Which limit bit, for the record; empty when passed. */
  readonly reason: string;
};

/** Why the base does not drive where the lidar does not see. */
export const UNSEEN = 'unseen';

/**
 * The numeric gate before the actuators: whatever is asked, what comes out is finite, within speed and
 * acceleration limits and stops before contact. One gate per robot: it remembers what it let through.
 */
export class CommandGate {
  readonly #limits: DriveLimits;
  #linear = 0;
  #angular = 0;

  constructor(limits: DriveLimits) {
    this.#limits = limits;
  }

  get applied(): Twist2d {
    return { linear: this.#linear, angular: this.#angular };
  }

  /** The base stands, whatever was let through last: nothing was sent for longer than a command counts. */
  reset(): void {
    this.#linear = 0;
    this.#angular = 0;
  }

  /**
   * `stepSeconds` is the time since the last command; `obstacles` undefined means that nothing is known about
   * the surroundings, and then the base does not drive, it only turns or stands. `bumped`: not forwards.
   */
  apply(
    asked: Twist2d,
    stepSeconds: number,
    obstacles: LocalObstacles | undefined,
    bumped = false,
  ): GateVerdict {
    if (!Number.isFinite(asked.linear) || !Number.isFinite(asked.angular)) {
      const reason = `not a number: linear ${asked.linear}, angular ${asked.angular}`;
      this.#approach(0, 0, stepSeconds);
      return { applied: this.applied, verdict: 'refused', reason };
    }
    const o = this.#limits;
    let linear = clamp(asked.linear, -o.reverseMax, o.linearMax);
    const angular = clamp(asked.angular, -o.angularMax, o.angularMax);
    let reason = linear !== asked.linear || angular !== asked.angular ? 'speed' : '';
    const guarded = this.#guard(linear, angular, stepSeconds, obstacles, bumped);
    if (guarded !== linear) {
      reason = obstacles && !seesWay(obstacles, linear, angular, o) ? UNSEEN : 'proximity';
      linear = guarded;
    }
    this.#approach(linear, angular, stepSeconds);
    if (reason === '' && (this.#linear !== linear || this.#angular !== angular)) reason = 'acceleration';
    return { applied: this.applied, verdict: reason === '' ? 'passed' : 'limited', reason };
  }

  #guard(
    linear: number,
    angular: number,
    stepSeconds: number,
    obstacles: LocalObstacles | undefined,
    bumped: boolean,
  ): number {
    if (linear === 0) return 0;
    if (!obstacles) return 0;
    if (bumped && linear > 0) return 0;
    if (!seesWay(obstacles, linear, angular, this.#limits)) return 0;
    const free = freeDistance(obstacles, linear, angular, this.#limits);
    const speed = safeSpeed(free, this.#limits.linearDecel, stepSeconds);
    return Math.sign(linear) * Math.min(Math.abs(linear), speed);
  }

  /** Moves what is applied towards the target within the acceleration limits; braking may be harder. */
  #approach(linear: number, angular: number, stepSeconds: number): void {
    const o = this.#limits;
    const reverses = linear * this.#linear < 0;
    // Never through zero in one step: braking is steeper than gaining speed.
    const target = reverses ? 0 : linear;
    const slower = Math.abs(target) < Math.abs(this.#linear);
    const change = (slower ? o.linearDecel : o.linearAccel) * stepSeconds;
    this.#linear = snap(clamp(target, this.#linear - change, this.#linear + change));
    const turn = o.angularAccel * stepSeconds;
    this.#angular = snap(clamp(angular, this.#angular - turn, this.#angular + turn));
  }
}

/** Minus zero is zero on the wire. */
function snap(value: number): number {
  return value === 0 ? 0 : value;
}
