import { ALL_NAMES, GRIPPER_NAME, JOINT_ACCELERATION_MAX } from './arm-model.ts';

/** Share of the drives' limits: braking is planned with less, so that they can follow. */
const SHARE = 0.8;
const GRIPPER_DECELERATION = 0.8;
/**
 * If a set point is farther ahead of its joint than this, braking starts at the measured position, radians or metres.
 */
const AHEAD_MAX = 0.2;
const AHEAD_MAX_GRIPPER = 0.01;

/** From a motion to rest: every joint continues from its set point and loses its speed at a constant rate. */
export class BrakePath {
  readonly #from: Float64Array;
  readonly #speeds: Float64Array;

  /** Set points of the moment and their speeds per second, and where the joints are measured, all by `ALL_NAMES`. */
  constructor(setPoints: ArrayLike<number>, speeds: ArrayLike<number>, measured: ArrayLike<number>) {
    this.#from = Float64Array.from(measured, (at, i) => {
      const ahead = isGripper(i) ? AHEAD_MAX_GRIPPER : AHEAD_MAX;
      return Math.min(at + ahead, Math.max(at - ahead, setPoints[i]!));
    });
    this.#speeds = Float64Array.from(speeds);
  }

  at(ms: number): Float64Array {
    return this.#from.map((from, i) => {
      const speed = this.#speeds[i]!;
      const deceleration = isGripper(i) ? GRIPPER_DECELERATION : JOINT_ACCELERATION_MAX * SHARE;
      const seconds = Math.min(Math.max(0, ms) / 1000, Math.abs(speed) / deceleration);
      return from + speed * seconds - (Math.sign(speed) * deceleration * seconds * seconds) / 2;
    });
  }
}

function isGripper(i: number): boolean {
  return ALL_NAMES[i] === GRIPPER_NAME;
}
