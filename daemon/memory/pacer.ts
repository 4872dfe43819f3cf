import type { Clock, Timer } from '../../contract/index.ts';

/** Between two rounds without a waiting caller: small appends become one batch, one commit, one snapshot. */
const GAP_MS = 500;

/** Decides when the next round is due. One waiter at a time. */
export class Pacer {
  readonly #clock: Clock;
  readonly #pollMs: number;
  #grew = false;
  #urgent = false;
  #lastMs: number;
  #wake: (() => void) | undefined;

  constructor(clock: Clock, pollMs: number) {
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#lastMs = -Infinity;
  }

  /** A log grew: a round is due when the gap has passed. */
  grew(): void {
    this.#grew = true;
    this.#wake?.();
  }

  /** Somebody waits: a round is due now. */
  hurry(): void {
    this.#urgent = true;
    this.#wake?.();
  }

  /** Resolves when a round is due; `backOffMs` after a failure delays everything but urgency. */
  async due(backOffMs = 0): Promise<void> {
    for (let wait = this.#wait(backOffMs); wait > 0; wait = this.#wait(backOffMs)) await this.#sleep(wait);
    this.#grew = false;
    this.#urgent = false;
  }

  /** A round has ended. */
  rested(): void {
    this.#lastMs = this.#clock.monotonicMs();
  }

  #wait(backOffMs: number): number {
    if (this.#urgent) return 0;
    const pause = backOffMs > 0 ? backOffMs : this.#grew ? GAP_MS : this.#pollMs;
    return this.#lastMs + pause - this.#clock.monotonicMs();
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer: Timer = this.#clock.after(ms, done);
      const wake = done;
      function done() {
        timer.cancel();
        resolve();
      }
      this.#wake = wake;
    });
  }
}
