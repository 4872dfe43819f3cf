import { LIMITS } from '../contract/core.ts';

/**
 * Waiting times after failures: doubling from the first to the longest, half of each random, so that
 * a fleet does not reconnect at the same moment.
 */
export class Backoff {
  readonly #random: () => number;
  #failures = 0;
  #untilMs = 0;

  /** `random` gives numbers from 0 up to but not including 1. */
  constructor(random: () => number) {
    this.#random = random;
  }

  failed(nowMs: number): void {
    const cap = Math.min(
      LIMITS.LINK_RETRY_MAX_MS,
      LIMITS.LINK_RETRY_FIRST_MS * 2 ** Math.min(this.#failures, 20),
    );
    this.#failures += 1;
    this.#untilMs = nowMs + cap / 2 + (cap / 2) * this.#random();
  }

  succeeded(): void {
    this.#failures = 0;
    this.#untilMs = 0;
  }

  /** Milliseconds still to wait. */
  restMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs);
  }
}
