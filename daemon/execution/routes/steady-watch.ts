import { LIMITS } from '../../../contract/core.ts';

/** Samples from which a pace is known. */
const SAMPLES_MIN = 10;
/** A topic slower than this may pause as it likes, milliseconds between samples. */
const PERIOD_MAX_MS = 1_000;
/** Of the period: what the gaps may deviate on average for the pace to count as steady. */
const DEVIATION_MAX = 0.5;
const SMOOTHING = 0.1;

/** Knows the pace of one topic, and when a steady one stands still. Pure; times are monotonic milliseconds. */
export class SteadyWatch {
  #samples = 0;
  #lastMs = 0;
  #periodMs = 0;
  #deviationMs = 0;
  #isGivenUp = false;

  count(nowMs: number): void {
    this.#samples += 1;
    this.#isGivenUp = false;
    if (this.#samples > 1) {
      const gap = nowMs - this.#lastMs;
      // One pause is no new pace.
      const known = this.#samples > SAMPLES_MIN ? Math.min(gap, this.#periodMs * 4) : gap;
      const weight = this.#samples === 2 ? 1 : SMOOTHING;
      this.#deviationMs += SMOOTHING * (Math.abs(known - this.#periodMs) - this.#deviationMs);
      this.#periodMs += weight * (known - this.#periodMs);
      if (this.#samples === 2) this.#deviationMs = 0;
    }
    this.#lastMs = nowMs;
  }

  /** Milliseconds since the last sample of a topic that came steadily and should have come; else undefined. */
  silentMs(nowMs: number): number | undefined {
    if (this.#isGivenUp || this.#samples < SAMPLES_MIN || this.#periodMs > PERIOD_MAX_MS) return undefined;
    if (this.#deviationMs > DEVIATION_MAX * this.#periodMs) return undefined;
    const silence = nowMs - this.#lastMs;
    return silence > Math.max(LIMITS.ROUTE_SILENT_MS, 4 * this.#periodMs) ? silence : undefined;
  }

  /** Everything was tried: it counts as stopped on purpose, until its next sample. */
  giveUp(): void {
    this.#isGivenUp = true;
  }

  get isGivenUp(): boolean {
    return this.#isGivenUp;
  }

  get hz(): number {
    return this.#periodMs > 0 ? 1_000 / this.#periodMs : 0;
  }

  /** Time in which this process did not run does not count as silence. */
  forgive(ms: number): void {
    this.#lastMs += ms;
  }
}
