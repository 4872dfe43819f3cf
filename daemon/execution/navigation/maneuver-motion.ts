import type { Maneuver, Pose2d } from '../../../contract/core.ts';
import { between, wrapAngle } from './geometry.ts';
import { elapsedMs, ended, HALT, type Motion, type MotionInput, type MotionStep } from './motion.ts';

export type ManeuverOptions = {
  /** Metres per second and radians per second. */
  readonly speed: number;
  readonly turnRate: number;
  /** How hard it brakes into the end, m/s² and rad/s². */
  readonly decel: number;
  readonly turnDecel: number;
};

export const MANEUVER_DEFAULTS: ManeuverOptions = { speed: 0.15, turnRate: 1.0, decel: 0.3, turnDecel: 1.5 };

const DONE_M = 0.01;
const DONE_RAD = 0.03;
/** Slowest approach: below it a base does not turn its wheels. */
const CREEP_M_S = 0.02;
const CREEP_RAD_S = 0.08;
/** No progress for this long: something is in the way, milliseconds. */
const STALL_MS = 3_000;
const STALL_PROGRESS = 0.01;

/** A recovery motion measured by odometry: drives, spins or waits, and needs no map. */
export class ManeuverMotion implements Motion {
  readonly #step: Maneuver;
  readonly #options: ManeuverOptions;
  #started: bigint | undefined;
  #start: Pose2d | undefined;
  #last: Pose2d | undefined;
  /** Radians turned so far; unwrapped, so that a spin may be more than a full turn. */
  #turned = 0;
  #progress = { value: 0, at: 0n };

  constructor(step: Maneuver, options: ManeuverOptions = MANEUVER_DEFAULTS) {
    this.#step = step;
    this.#options = options;
  }

  step(input: MotionInput): MotionStep {
    this.#started ??= input.now;
    if (this.#step.kind === 'wait') {
      const waited = elapsedMs(this.#started, input.now);
      return waited >= this.#step.durationMs ? ended('reached', 'waited') : { drive: HALT };
    }
    const here = input.odometry;
    if (!here) {
      return elapsedMs(this.#started, input.now) > STALL_MS ? ended('stuck', 'no odometry') : { drive: HALT };
    }
    if (!this.#start) {
      this.#start = here;
      this.#progress = { value: 0, at: input.now };
    }
    this.#turned += this.#last ? wrapAngle(here.yaw - this.#last.yaw) : 0;
    this.#last = here;
    return this.#step.kind === 'drive'
      ? this.#drive(input, this.#step.distance, between(this.#start, here).x)
      : this.#spin(input, this.#step.angle);
  }

  #drive(input: MotionInput, distance: number, travelled: number): MotionStep {
    const left = distance - travelled;
    if (Math.abs(left) <= DONE_M || left * distance <= 0)
      return ended('reached', `drove ${travelled.toFixed(2)} m`);
    if (this.#stalled(input, Math.abs(travelled))) {
      return ended('stuck', `stopped after ${travelled.toFixed(2)} of ${distance.toFixed(2)} m`);
    }
    const o = this.#options;
    const speed = Math.max(CREEP_M_S, Math.min(o.speed, Math.sqrt(2 * o.decel * Math.abs(left))));
    return { drive: { kind: 'direct', twist: { linear: Math.sign(left) * speed, angular: 0 } } };
  }

  #spin(input: MotionInput, angle: number): MotionStep {
    const left = angle - this.#turned;
    if (Math.abs(left) <= DONE_RAD || left * angle <= 0)
      return ended('reached', `turned ${this.#turned.toFixed(2)} rad`);
    if (this.#stalled(input, Math.abs(this.#turned))) {
      return ended('stuck', `stopped after ${this.#turned.toFixed(2)} of ${angle.toFixed(2)} rad`);
    }
    const o = this.#options;
    const rate = Math.max(CREEP_RAD_S, Math.min(o.turnRate, Math.sqrt(2 * o.turnDecel * Math.abs(left))));
    return { drive: { kind: 'direct', twist: { linear: 0, angular: Math.sign(left) * rate } } };
  }

  #stalled(input: MotionInput, value: number): boolean {
    if (value > this.#progress.value + STALL_PROGRESS) this.#progress = { value, at: input.now };
    return elapsedMs(this.#progress.at, input.now) > STALL_MS;
  }
}
