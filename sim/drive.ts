import { LIMITS, msToNs, type Nanoseconds, type Twist2d } from '../contract/core.ts';
import { ROBOT, STEP_S } from './robot-model.ts';

const STILL: Twist2d = { linear: 0, angular: 0 };
const EXPIRY_NS = msToNs(LIMITS.COMMAND_EXPIRY_MS);
/** Commands at the limit exactly may have come through float32. */
const TOLERANCE = 1e-6;

/**
 * The base's own controller: takes velocity commands, keeps acceleration limits, and brakes to rest on its own
 * when no command came for `LIMITS.COMMAND_EXPIRY_MS` of simulation time. A command that is refused does not
 * renew anything.
 */
export class Drive {
  #wanted: Twist2d = STILL;
  #wantedAt: Nanoseconds | undefined;
  #linear = 0;
  #angular = 0;

  /** Why the command is refused; undefined when it was taken. */
  command(twist: Twist2d, now: Nanoseconds): string | undefined {
    const { linear, angular } = twist;
    if (!Number.isFinite(linear) || !Number.isFinite(angular))
      return `not finite: ${linear} m/s, ${angular} rad/s`;
    if (Math.abs(linear) > ROBOT.linearMax + TOLERANCE)
      return `${linear} m/s is above ${ROBOT.linearMax} m/s`;
    if (Math.abs(angular) > ROBOT.angularMax + TOLERANCE)
      return `${angular} rad/s is above ${ROBOT.angularMax} rad/s`;
    this.#wanted = twist;
    this.#wantedAt = now;
    return undefined;
  }

  /** Brakes now; the next command is obeyed again. */
  brake(): void {
    this.#wanted = STILL;
    this.#wantedAt = undefined;
  }

  /** One physics step later: wheel speeds to aim at, radians per second. */
  step(now: Nanoseconds): { left: number; right: number } {
    if (this.#wantedAt !== undefined && now - this.#wantedAt >= EXPIRY_NS) this.brake();
    this.#linear = approach(this.#linear, this.#wanted.linear, ROBOT.linearAcceleration, ROBOT.linearBraking);
    const { angularAcceleration } = ROBOT;
    this.#angular = approach(this.#angular, this.#wanted.angular, angularAcceleration, angularAcceleration);
    const turn = (this.#angular * ROBOT.wheelSeparation) / 2;
    return {
      left: (this.#linear - turn) / ROBOT.wheelRadius,
      right: (this.#linear + turn) / ROBOT.wheelRadius,
    };
  }
}

/** From `value` towards `goal`; `braking` is the rate towards zero. Never through zero in one step. */
function approach(value: number, goal: number, acceleration: number, braking: number): number {
  const slowing = value !== 0 && (Math.sign(goal) !== Math.sign(value) || Math.abs(goal) < Math.abs(value));
  const step = (slowing ? braking : acceleration) * STEP_S;
  const target = slowing && Math.sign(goal) !== Math.sign(value) ? 0 : goal;
  return Math.abs(target - value) <= step ? target : value + Math.sign(target - value) * step;
}
