import type { JointLimits } from './gate-spec.ts';
import { StopProfile } from './stop-profile.ts';

/** Halvings of the range of jerk: what is left is a four-billionth of it. */
const HALVINGS = 32;
/** Rounding that a limit may be missed by, as a part of it. */
const ROUNDING = 1e-9;
/** A joint counts as where it was asked to be when it is this near: what it travels in a millisecond at most. */
const NEAR_SECONDS = 0.001;

/** How far behind a command it may be and still be on its way there: what it travels in this time, seconds. */
const BEHIND_SECONDS = 0.2;

/**
 * One joint of the gate: a continuous reference within limits of position, velocity, acceleration and jerk. The
 * promise that carries over from step to step: from where it is, the quickest way to rest stays within all limits.
 * A step is taken only if that still holds after it; else the joint continues along its way to rest, for which it
 * holds in any case. So the promise does not depend on what is asked, nor on how regular the steps are.
 */
export class JointAxis {
  readonly limits: JointLimits;
  readonly near: number;
  position = 0;
  velocity = 0;
  acceleration = 0;
  /** Of the step that was thought out last and is not taken yet. */
  nextPosition = 0;
  nextVelocity = 0;
  nextAcceleration = 0;
  /** Where it may be: wider than the limits only where it started outside of them, and then no further out. */
  #lower: number;
  #upper: number;
  #target = Number.NaN;
  /** The way to rest, and the same seen by somebody who moves along with the target. */
  readonly #stop = new StopProfile();
  readonly #chase = new StopProfile();

  constructor(limits: JointLimits) {
    this.limits = limits;
    this.near = limits.velocity * NEAR_SECONDS;
    this.#lower = limits.lower;
    this.#upper = limits.upper;
  }

  get atRest(): boolean {
    return this.velocity === 0 && this.acceleration === 0;
  }

  /** Stands at a measured position, which may be out of limits: from there it only comes back. */
  begin(position: number): void {
    this.position = position;
    this.velocity = 0;
    this.acceleration = 0;
    this.#target = Number.NaN;
    this.#lower = Math.min(this.limits.lower, position);
    this.#upper = Math.max(this.limits.upper, position);
  }

  clamped(position: number): number {
    return Math.min(this.limits.upper, Math.max(this.limits.lower, position));
  }

  /** Thinks out a step of `dt` seconds towards `asked`, which moved there from what was asked for at the last step. */
  aim(asked: number, dt: number): void {
    const target = this.clamped(asked);
    const drift = this.#drift(target, dt);
    if (this.#ride(target, drift, dt)) return;
    const jerk = this.#choose(target, drift, dt);
    this.#leap(jerk, dt);
    if (!this.#keepsSpeed(jerk) || !this.#holds()) this.brake(dt);
  }

  /** Thinks out a step of `dt` seconds on the quickest way to rest. */
  brake(dt: number): void {
    const { acceleration, jerk } = this.limits;
    const stop = this.#stop;
    stop.from(this.velocity, this.acceleration, acceleration, jerk);
    stop.advance(dt);
    this.nextPosition = this.position + stop.position;
    this.nextVelocity = stop.velocity;
    this.nextAcceleration = stop.acceleration;
  }

  /** Seconds from the end of the step that was thought out to rest. */
  restSeconds(): number {
    const { acceleration, jerk } = this.limits;
    this.#stop.from(this.nextVelocity, this.nextAcceleration, acceleration, jerk);
    return this.#stop.seconds;
  }

  /** Where it is `seconds` after that step if it then goes to rest. Only after `restSeconds`. */
  restPosition(seconds: number): number {
    this.#stop.advance(seconds);
    return this.nextPosition + this.#stop.position;
  }

  /** Takes the step that was thought out. */
  take(): void {
    this.position = Math.min(this.#upper, Math.max(this.#lower, this.nextPosition));
    this.velocity = this.nextVelocity;
    this.acceleration = this.nextAcceleration;
    const { lower, upper, acceleration, jerk } = this.limits;
    if (this.#lower === lower && this.#upper === upper) return;
    this.#stop.from(this.velocity, this.acceleration, acceleration, jerk);
    this.#lower = Math.min(lower, Math.max(this.#lower, this.position + this.#stop.low));
    this.#upper = Math.max(upper, Math.min(this.#upper, this.position + this.#stop.high));
  }

  /** What is asked for is faster than this joint, or further off than it could be behind. */
  leaps(asked: number, dt: number): boolean {
    const { velocity } = this.limits;
    // Not a number before there was a target: then only the distance counts.
    if (Math.abs(asked - this.#target) > velocity * dt + this.near) return true;
    return Math.abs(asked - this.position) > velocity * (BEHIND_SECONDS + dt);
  }

  /** Nothing is commanded: the next target is taken as it comes, without a velocity. */
  forget(): void {
    this.#target = Number.NaN;
  }

  /** Velocity of the target, as far as this joint can have it. */
  #drift(target: number, dt: number): number {
    const moved = Number.isNaN(this.#target) ? 0 : (target - this.#target) / dt;
    this.#target = target;
    const { velocity } = this.limits;
    return Math.min(velocity, Math.max(-velocity, moved));
  }

  /** Once its way to rest meets the target as that moves, it is followed as it is, and ends exactly there. */
  #ride(target: number, drift: number, dt: number): boolean {
    const { acceleration, jerk } = this.limits;
    const chase = this.#chase;
    chase.from(this.velocity - drift, this.acceleration, acceleration, jerk);
    const miss = this.position + chase.end - (target - drift * dt);
    if (Math.abs(miss) > this.near * 1e-6) return false;
    chase.advance(dt);
    this.nextPosition = this.position + drift * dt + chase.position;
    this.nextVelocity = drift + chase.velocity;
    this.nextAcceleration = chase.acceleration;
    return this.#holds();
  }

  /** The greatest jerk after which it can still come to rest beside the target, within limits. */
  #choose(target: number, drift: number, dt: number): number {
    const { acceleration, jerk } = this.limits;
    const least = Math.max(-jerk, (-acceleration - this.acceleration) / dt);
    const most = Math.min(jerk, (acceleration - this.acceleration) / dt);
    return Math.max(this.#most(least, most, target, drift, dt), this.#least(least, most, dt));
  }

  /** The greatest jerk that stays below the target and the upper limits; `least` where none does. */
  #most(least: number, most: number, target: number, drift: number, dt: number): number {
    if (this.#below(most, target, drift, dt)) return most;
    let good = least;
    let bad = most;
    for (let i = 0; i < HALVINGS; i++) {
      const middle = (good + bad) / 2;
      if (this.#below(middle, target, drift, dt)) good = middle;
      else bad = middle;
    }
    return good;
  }

  /** The least jerk that stays above the lower limits; `most` where none does. */
  #least(least: number, most: number, dt: number): number {
    if (this.#above(least, dt)) return least;
    let good = most;
    let bad = least;
    for (let i = 0; i < HALVINGS; i++) {
      const middle = (good + bad) / 2;
      if (this.#above(middle, dt)) good = middle;
      else bad = middle;
    }
    return good;
  }

  #below(j: number, target: number, drift: number, dt: number): boolean {
    const { velocity: vMax, acceleration, jerk } = this.limits;
    this.#leap(j, dt);
    const { nextPosition: p, nextVelocity: v, nextAcceleration: a } = this;
    if (v + (a > 0 ? (a * a) / (2 * jerk) : 0) > vMax) return false;
    const was = this.acceleration;
    // Its velocity has its peak within the step.
    if (was > 0 && a < 0 && this.velocity - (was * was) / (2 * j) > vMax) return false;
    this.#chase.from(v - drift, a, acceleration, jerk);
    if (p + this.#chase.end > target) return false;
    this.#stop.from(v, a, acceleration, jerk);
    return p + this.#stop.high <= this.#upper;
  }

  #above(j: number, dt: number): boolean {
    const { velocity: vMax, acceleration, jerk } = this.limits;
    this.#leap(j, dt);
    const { nextPosition: p, nextVelocity: v, nextAcceleration: a } = this;
    if (v - (a < 0 ? (a * a) / (2 * jerk) : 0) < -vMax) return false;
    const was = this.acceleration;
    if (was < 0 && a > 0 && this.velocity - (was * was) / (2 * j) < -vMax) return false;
    this.#stop.from(v, a, acceleration, jerk);
    return p + this.#stop.low >= this.#lower;
  }

  /** A velocity that has its peak within the step keeps its limit there too; only at its ends it is looked at else. */
  #keepsSpeed(j: number): boolean {
    const a = this.acceleration;
    if (a * this.nextAcceleration >= 0) return true;
    return Math.abs(this.velocity - (a * a) / (2 * j)) <= this.limits.velocity * (1 + ROUNDING);
  }

  /** The state after `dt` seconds of one jerk. */
  #leap(j: number, dt: number): void {
    const a = this.acceleration;
    this.nextAcceleration = a + j * dt;
    this.nextVelocity = this.velocity + a * dt + (j * dt * dt) / 2;
    this.nextPosition = this.position + this.velocity * dt + (a * dt * dt) / 2 + (j * dt * dt * dt) / 6;
  }

  /** From the state that was thought out the quickest way to rest is within all limits. */
  #holds(): boolean {
    const { velocity: vMax, acceleration: aMax, jerk } = this.limits;
    const { nextPosition: p, nextVelocity: v, nextAcceleration: a } = this;
    const fastest = vMax * (1 + ROUNDING);
    if (Math.abs(a) > aMax * (1 + ROUNDING) || Math.abs(v) > fastest) return false;
    if (Math.abs(v + (a * Math.abs(a)) / (2 * jerk)) > fastest) return false;
    this.#stop.from(v, a, aMax, jerk);
    const rounding = vMax * ROUNDING;
    return p + this.#stop.low >= this.#lower - rounding && p + this.#stop.high <= this.#upper + rounding;
  }
}
