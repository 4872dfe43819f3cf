/** What becomes of a sample at the limiter: it passes, it goes, or it may pass at a later time (milliseconds). */
export type Verdict = 'pass' | 'decimated' | 'rate_limited' | { readonly at: number };

/**
 * Decimation, then rate, of one topic. Pure: the time comes with the sample, by a monotonic clock in
 * milliseconds. The rate is kept by due times and not by counting in windows: over any stretch of `t` seconds at
 * most `rate · t + 2` samples pass, and a source that keeps to the rate loses none by jitter below one period.
 */
export class Limiter {
  readonly #periodMs: number;
  readonly #keepEvery: number;
  readonly #holds: boolean;
  #seen = 0;
  /** When the next sample is due by the rate alone. */
  #due = -Infinity;

  constructor(options: {
    readonly rateHz: number;
    readonly mode: 'newest' | 'spread';
    readonly keepEvery: number;
  }) {
    this.#periodMs = options.rateHz > 0 ? 1_000 / options.rateHz : 0;
    this.#keepEvery = options.keepEvery;
    this.#holds = options.mode === 'newest';
  }

  offer(nowMs: number): Verdict {
    if (!this.keeps()) return 'decimated';
    if (this.#periodMs === 0) return 'pass';
    // One period of tolerance: a sample that is early by jitter has not come too often.
    const slack = this.#holds ? 0 : this.#periodMs;
    if (nowMs + slack >= this.#due) {
      this.#took(nowMs);
      return 'pass';
    }
    return this.#holds ? { at: this.#due } : 'rate_limited';
  }

  /** The decimation alone: for a sample that takes the place of one that is held already. */
  keeps(): boolean {
    const turn = this.#seen;
    this.#seen = (turn + 1) % this.#keepEvery;
    return turn === 0;
  }

  /** A sample that was held goes now. */
  release(nowMs: number): void {
    this.#took(nowMs);
  }

  #took(nowMs: number): void {
    // From the due time and not from now, so that a late timer does not slow the rate; after a pause, from now.
    this.#due = nowMs - this.#due >= this.#periodMs ? nowMs + this.#periodMs : this.#due + this.#periodMs;
  }
}
