import type { Pose2d, Twist2d } from '../contract/core.ts';
import type { Random } from './random.ts';
import { ODOMETRY_NOISE, ROBOT } from './robot-model.ts';

/** Errors of a run stay within this many deviations: a robot further off would be in repair. */
const DEVIATIONS_MAX = 2;

/**
 * Dead reckoning from wheel angles, as wrong as a real one: a scale error of distance and of turning that stay
 * for the run, and a heading that wanders with the way. Frame `odom`: where the robot stood at first.
 */
export class WheelOdometry {
  readonly #random: Random;
  readonly #distanceScale: number;
  readonly #turnScale: number;
  #pose: Pose2d = { x: 0, y: 0, yaw: 0 };
  #twist: Twist2d = { linear: 0, angular: 0 };
  #left: number | undefined;
  #right = 0;

  constructor(random: Random) {
    this.#random = random;
    this.#distanceScale = 1 + ODOMETRY_NOISE.distanceScale * bounded(random);
    this.#turnScale = 1 + ODOMETRY_NOISE.turnScale * bounded(random);
  }

  get pose(): Pose2d {
    return this.#pose;
  }
  /** Mean velocity of the last period, in `base_link`. */
  get twist(): Twist2d {
    return this.#twist;
  }

  /** Wheel angles in radians since the start, after a period of `seconds`. The first call sets the origin. */
  update(left: number, right: number, seconds: number): void {
    if (this.#left === undefined) {
      this.#left = left;
      this.#right = right;
      return;
    }
    const leftWay = (left - this.#left) * ROBOT.wheelRadius;
    const rightWay = (right - this.#right) * ROBOT.wheelRadius;
    this.#left = left;
    this.#right = right;
    const way = ((leftWay + rightWay) / 2) * this.#distanceScale;
    const turned = ((rightWay - leftWay) / ROBOT.wheelSeparation) * this.#turnScale;
    const wander = Math.sqrt(
      ODOMETRY_NOISE.headingPerMetre ** 2 * Math.abs(way) +
        ODOMETRY_NOISE.headingPerRadian ** 2 * Math.abs(turned),
    );
    const turn = turned + wander * this.#random.gaussian();
    const { x, y, yaw } = this.#pose;
    const middle = yaw + turn / 2;
    this.#pose = {
      x: x + way * Math.cos(middle),
      y: y + way * Math.sin(middle),
      yaw: normalise(yaw + turn),
    };
    this.#twist = { linear: way / seconds, angular: turn / seconds };
  }
}

function bounded(random: Random): number {
  return Math.max(-DEVIATIONS_MAX, Math.min(DEVIATIONS_MAX, random.gaussian()));
}

/** Into (-pi, pi]. */
export function normalise(angle: number): number {
  const turned = angle % (2 * Math.PI);
  return turned > Math.PI ? turned - 2 * Math.PI : turned <= -Math.PI ? turned + 2 * Math.PI : turned;
}
