/** Standing still: no measured value moves further than this, metres or radians, ... */
const STILL = 0.004;
/** ... for this long, milliseconds: what creeps at 0.01 per second leaves it. */
const STILL_MS = 400;
/** Sooner where speeds are measured too, and all of them stay below this, metres or radians per second, ... */
const SLOW = 0.01;
/** ... for this long, milliseconds: an arm that swings back passes a speed of zero on the way. */
const SLOW_MS = 100;
/** Measurements that it takes at least. */
const SAMPLES_MIN = 3;

/** Whether joints, or the place of a base, stand still by what is measured. Times are monotonic milliseconds. */
export class RestWatch {
  #from = new Float64Array(0);
  #sinceMs = Infinity;
  #slowSinceMs = Infinity;
  #newestMs = -Infinity;
  #samples = 0;

  /** Nothing that was measured before counts. */
  begin(): void {
    this.#samples = 0;
    this.#sinceMs = Infinity;
    this.#slowSinceMs = Infinity;
    this.#newestMs = -Infinity;
  }

  /** `speeds`: how fast all of that was measured to move; empty or NaN where that was not measured. */
  observe(values: ArrayLike<number>, nowMs: number, speeds: readonly number[] = []): void {
    this.#newestMs = nowMs;
    let moved = this.#samples === 0 || values.length !== this.#from.length;
    for (let i = 0; i < values.length && !moved; i++)
      moved = !(Math.abs(values[i]! - this.#from[i]!) <= STILL);
    if (moved) {
      this.#from = Float64Array.from(values);
      this.#sinceMs = nowMs;
      this.#samples = 0;
    }
    const isSlow = speeds.length > 0 && speeds.every((speed) => Math.abs(speed) < SLOW);
    this.#slowSinceMs = isSlow ? Math.min(this.#slowSinceMs, nowMs) : Infinity;
    this.#samples++;
  }

  /** By the newest measurement. */
  get rests(): boolean {
    if (this.#samples < SAMPLES_MIN) return false;
    const slowMs = this.#newestMs - Math.max(this.#sinceMs, this.#slowSinceMs);
    return this.#newestMs - this.#sinceMs >= STILL_MS || slowMs >= SLOW_MS;
  }
}
