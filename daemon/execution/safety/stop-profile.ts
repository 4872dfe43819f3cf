/**
 * The quickest way to rest within a limit of acceleration and one of jerk, from any velocity and acceleration.
 * Three phases: jerk against the motion, constant deceleration where its limit is reached, jerk back to zero. The
 * times of a double integrator with a bounded state (Kröger, On-Line Trajectory Generation, 2010), in closed form.
 * One object per joint, refilled by each call: nothing is allocated in a control step.
 */
export class StopProfile {
  /** Position at rest, and the least and the greatest on the way, all relative to where it starts. */
  end = 0;
  low = 0;
  high = 0;
  seconds = 0;
  #sign = 1;
  #jerk = 1;
  #t1 = 0;
  #t2 = 0;
  #t3 = 0;
  #v = 0;
  #a = 0;

  /** State after `advance`. */
  position = 0;
  velocity = 0;
  acceleration = 0;

  /** `v` and `a` of the moment; `aMax` and `jMax` positive. Units are those of the joint, per second. */
  from(v: number, a: number, aMax: number, jMax: number): void {
    // What the velocity becomes when nothing but the acceleration is taken back: its sign says what is to be undone.
    const sign = v + (a * Math.abs(a)) / (2 * jMax) < 0 ? -1 : 1;
    const v0 = sign * v;
    const a0 = sign * a;
    const peak = Math.max(Math.min(Math.sqrt(Math.max(0, jMax * v0 + (a0 * a0) / 2)), aMax), -a0, 0);
    const t1 = (a0 + peak) / jMax;
    const v1 = v0 + a0 * t1 - (jMax * t1 * t1) / 2;
    const cruise = peak >= aMax ? Math.max(0, (v1 - (peak * peak) / (2 * jMax)) / peak) : 0;
    const t3 = peak / jMax;
    const end =
      v0 * t1 +
      (a0 * t1 * t1) / 2 -
      (jMax * t1 * t1 * t1) / 6 +
      v1 * cruise -
      (peak * cruise * cruise) / 2 +
      (peak * peak * peak) / (6 * jMax * jMax);
    let back = 0;
    if (v0 < 0) {
      // It still moves the other way while it turns round.
      const t0 = (a0 - Math.sqrt(Math.max(0, a0 * a0 + 2 * jMax * v0))) / jMax;
      back = v0 * t0 + (a0 * t0 * t0) / 2 - (jMax * t0 * t0 * t0) / 6;
    }
    const least = Math.min(0, back, end);
    const most = Math.max(0, end);
    this.end = sign * end;
    this.low = sign > 0 ? least : -most;
    this.high = sign > 0 ? most : -least;
    this.seconds = t1 + cruise + t3;
    this.#sign = sign;
    this.#jerk = jMax;
    this.#t1 = t1;
    this.#t2 = cruise;
    this.#t3 = t3;
    this.#v = v0;
    this.#a = a0;
  }

  /** Where it is `seconds` later on that way, relative to where it started: `position`, `velocity`, `acceleration`. */
  advance(seconds: number): void {
    if (seconds >= this.seconds) {
      this.position = this.end;
      this.velocity = 0;
      this.acceleration = 0;
      return;
    }
    this.position = 0;
    this.velocity = this.#v;
    this.acceleration = this.#a;
    const first = Math.min(seconds, this.#t1);
    this.#phase(-this.#jerk, first);
    const second = Math.min(seconds - first, this.#t2);
    this.#phase(0, second);
    this.#phase(this.#jerk, Math.min(seconds - first - second, this.#t3));
    this.position *= this.#sign;
    this.velocity *= this.#sign;
    this.acceleration *= this.#sign;
  }

  #phase(jerk: number, t: number): void {
    const a = this.acceleration;
    this.position += this.velocity * t + (a * t * t) / 2 + (jerk * t * t * t) / 6;
    this.velocity += a * t + (jerk * t * t) / 2;
    this.acceleration = a + jerk * t;
  }
}
