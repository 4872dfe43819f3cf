/** Standing still: no measured value moves further than this, metres or radians, ... */
const STILL = 0.004;
/** ... for this long, milliseconds: an arm that swings back passes a speed of zero on the way. */
const STILL_MS = 100;
/** Measurements that it takes at least. */
const SAMPLES_MIN = 3;

/** Whether joints, or the place of a base, stand still by what is measured. Times are monotonic milliseconds. */
export class RestWatch {
  #from = new Float64Array(0);
  #sinceMs = Infinity;
  #newestMs = -Infinity;
  #samples = 0;

  /** Nothing that was measured before counts. */
  begin(): void {
    this.#samples = 0;
    this.#sinceMs = Infinity;
    this.#newestMs = -Infinity;
  }

  observe(values: ArrayLike<number>, nowMs: number): void {
    this.#newestMs = nowMs;
    let moved = this.#samples === 0 || values.length !== this.#from.length;
    for (let i = 0; i < values.length && !moved; i++)
      moved = !(Math.abs(values[i]! - this.#from[i]!) <= STILL);
    if (moved) {
      this.#from = Float64Array.from(values);
      this.#sinceMs = nowMs;
      this.#samples = 0;
    }
    this.#samples++;
  }

  /** By the newest measurement. */
  get rests(): boolean {
    return this.#samples >= SAMPLES_MIN && this.#newestMs - this.#sinceMs >= STILL_MS;
  }
}
