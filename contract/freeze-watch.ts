import { LIMITS } from './limits.ts';
import type { Clock, Timer } from './ports/clock.ts';

/** How often the watch looks at the clock, milliseconds: far below `LIMITS.FROZEN_MS`. */
export const FREEZE_LOOK_MS = 100;

/**
 * Notices that this thread was frozen (SIGSTOP, a suspended host, a long block): its own timer comes late. A socket may
 * be read before that timer fires, so a guard of incoming requests calls `look` first.
 */
export class FreezeWatch {
  readonly #clock: Clock;
  readonly #onThaw: (frozenMs: number) => void;
  readonly #thresholdMs: number;
  #timer: Timer | undefined;
  #lookedMs = 0;

  /** A freeze counts when it is measured as longer than `thresholdMs`. The measurement may be short by one look. */
  constructor(clock: Clock, onThaw: (frozenMs: number) => void, thresholdMs: number = LIMITS.FROZEN_MS) {
    this.#clock = clock;
    this.#onThaw = onThaw;
    this.#thresholdMs = thresholdMs;
  }

  start(): void {
    this.#lookedMs = this.#clock.monotonicMs();
    this.#timer = this.#clock.every(FREEZE_LOOK_MS, () => this.look());
  }

  /** Also called by a thread that has a timer of its own. */
  look(): void {
    const nowMs = this.#clock.monotonicMs();
    const frozenMs = nowMs - this.#lookedMs - FREEZE_LOOK_MS;
    this.#lookedMs = nowMs;
    if (frozenMs > this.#thresholdMs) this.#onThaw(Math.round(frozenMs));
  }

  close(): void {
    this.#timer?.cancel();
  }
}
