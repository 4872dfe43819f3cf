import type { Clock, Timer } from '../../../contract/core.ts';

/** A stop that was not accepted is sent again this often, milliseconds, and so many times. */
const AGAIN_MS = 50;
const AGAIN_TIMES = 20;

/** Speeds of zero at the end of a run: a joint keeps its last speed until it gets another one. */
export class StopSpeeds {
  readonly #clock: Clock;
  #again: Timer | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `send` is false when the stop was not taken. */
  stop(send: () => boolean): void {
    this.cancel();
    if (send()) return;
    let left = AGAIN_TIMES;
    this.#again = this.#clock.every(AGAIN_MS, () => {
      left--;
      if (send() || left === 0) this.cancel();
    });
  }

  cancel(): void {
    this.#again?.cancel();
    this.#again = undefined;
  }
}
