import type { Clock, Timer } from '../../contract/core.ts';

/** Fires when nothing was heard for `ms` between `start` and `stop`. */
export class SilenceWatch {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #silent: () => void;
  #timer: Timer | undefined;
  #on = false;

  constructor(clock: Clock, ms: number, silent: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#silent = silent;
  }

  start(): void {
    this.#on = true;
    this.heard();
  }

  stop(): void {
    this.#on = false;
    this.#timer?.cancel();
  }

  heard(): void {
    if (!this.#on) return;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(this.#ms, this.#silent);
  }
}
