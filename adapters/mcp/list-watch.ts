import type { Clock, Timer } from '../../contract/index.ts';

/** Between two listings that a server asked for: doubles from the first to the longest, milliseconds. */
const FIRST_MS = 500;
const LONGEST_MS = 60_000;

/**
 * A server that says that its tools changed is asked for them at once. The delay grows with each such message, so
 * that endless messages fill neither the log nor the disk. After a quiet minute the delay is reset.
 */
export class ListWatch {
  readonly #clock: Clock;
  readonly #list: () => void;
  #times = 0;
  #askedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | undefined;

  constructor(clock: Clock, list: () => void) {
    this.#clock = clock;
    this.#list = list;
  }

  changed(): void {
    if (this.#timer) return;
    const now = this.#clock.monotonicMs();
    if (now - this.#askedMs > LONGEST_MS) this.#times = 0;
    const gap = this.#times === 0 ? 0 : Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#times, 10));
    this.#times++;
    this.#timer = this.#clock.after(Math.max(0, this.#askedMs + gap - now), () => {
      this.#timer = undefined;
      this.#askedMs = this.#clock.monotonicMs();
      this.#list();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}
