import { LIMITS, msToNs, type Nanoseconds } from '../../contract/core.ts';
import {
  ALL_NAMES,
  ARM_JOINTS,
  ARM_STEP_NS,
  GRIPPER,
  JOINT_ACCELERATION_MAX,
  JOINT_SPEED_MAX,
} from './arm-model.ts';

const EXPIRY_NS = msToNs(LIMITS.COMMAND_EXPIRY_MS);
const STEP_S = Number(ARM_STEP_NS) / 1e9;
/** Acceleration of the opening, metres per second squared. */
const GRIPPER_ACCELERATION_MAX = 1;

/** Bounds of each value of a command, in the order of `ALL_NAMES`. */
const BOUNDS = [
  ...ARM_JOINTS.map(({ lower, upper }) => ({
    lower,
    upper,
    speed: JOINT_SPEED_MAX,
    acceleration: JOINT_ACCELERATION_MAX,
  })),
  { lower: 0, upper: GRIPPER.openingMax, speed: GRIPPER.speedMax, acceleration: GRIPPER_ACCELERATION_MAX },
];

/**
 * The drives' own controller: takes position commands, keeps speed and acceleration, and comes to rest where it is
 * when no command came for `LIMITS.COMMAND_EXPIRY_MS` of simulation time. A position beyond a joint's end is set to
 * its end, as drives do. A command with NaN or of another length is refused and renews nothing.
 */
export class ArmServo {
  readonly #points: Float64Array;
  readonly #speeds: Float64Array;
  readonly #goals: Float64Array;
  #commandedAt: Nanoseconds | undefined;

  constructor(start: ArrayLike<number>) {
    this.#points = Float64Array.from(start);
    this.#goals = Float64Array.from(start);
    this.#speeds = new Float64Array(this.#points.length);
  }

  /** Positions in the order of `ALL_NAMES`. Returns why they are refused; undefined when they were taken. */
  command(positions: ArrayLike<number>, now: Nanoseconds): string | undefined {
    if (positions.length !== BOUNDS.length) {
      return `${positions.length} positions for ${BOUNDS.length} joints: ${ALL_NAMES.join(', ')}`;
    }
    for (let i = 0; i < BOUNDS.length; i++) {
      if (!Number.isFinite(positions[i])) return `${ALL_NAMES[i]}: not finite: ${positions[i]}`;
    }
    for (let i = 0; i < BOUNDS.length; i++) {
      const { lower, upper } = BOUNDS[i]!;
      this.#goals[i] = Math.min(upper, Math.max(lower, positions[i]!));
    }
    this.#commandedAt = now;
    return undefined;
  }

  /** Comes to rest as fast as the drives can; the next command is obeyed again. */
  brake(): void {
    this.#commandedAt = undefined;
    for (let i = 0; i < BOUNDS.length; i++) {
      const speed = this.#speeds[i]!;
      const { lower, upper, acceleration } = BOUNDS[i]!;
      const rest = this.#points[i]! + (Math.sign(speed) * speed * speed) / (2 * acceleration);
      this.#goals[i] = Math.min(upper, Math.max(lower, rest));
    }
  }

  /** One physics step later: where the servos aim. Owned by the servo; read it, keep nothing. */
  step(now: Nanoseconds): Float64Array {
    if (this.#commandedAt !== undefined && now - this.#commandedAt >= EXPIRY_NS) this.brake();
    for (let i = 0; i < BOUNDS.length; i++) this.#approach(i);
    return this.#points;
  }

  #approach(i: number): void {
    const { lower, upper, speed: fastest, acceleration } = BOUNDS[i]!;
    const left = this.#goals[i]! - this.#points[i]!;
    // The speed from which this drive still stops at the goal.
    const wanted = Math.sign(left) * Math.min(fastest, Math.sqrt(2 * acceleration * Math.abs(left)));
    const change = acceleration * STEP_S;
    const speed = this.#speeds[i]! + Math.min(change, Math.max(-change, wanted - this.#speeds[i]!));
    const arrives = Math.abs(left) <= Math.abs(speed * STEP_S) && Math.abs(speed) <= 2 * change;
    const next = arrives ? this.#goals[i]! : this.#points[i]! + speed * STEP_S;
    // The speed of each step is one of many: it may end a hair beyond its goal, and never beyond the end of the joint.
    const isAtEnd = next < lower || next > upper;
    this.#points[i] = Math.min(upper, Math.max(lower, next));
    this.#speeds[i] = arrives || isAtEnd ? 0 : speed;
  }
}
