import type { Clock, Timer } from '../../../contract/core.ts';

/** First pause after a failure, doubling up to the next, milliseconds. What ran for the longest pause starts with the first again. */
const FIRST_MS = 500;
const PAUSE_MS_MAX = 30_000;

export type RestartPauseParts = {
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
  /** Whether it is still needed when the pause is over. */
  readonly isWanted: () => boolean;
  readonly start: () => void;
};

/** When a thread that ended is started again: at once where it ended on request, after growing pauses where it failed. */
export class RestartPause {
  readonly #parts: RestartPauseParts;
  #failures = 0;
  #startedMs = 0;
  #pause: Timer | undefined;

  constructor(parts: RestartPauseParts) {
    this.#parts = parts;
  }

  /** True: it is not started now, even on request. */
  get isPausing(): boolean {
    return this.#pause !== undefined;
  }

  started(): void {
    this.#startedMs = this.#parts.clock.monotonicMs();
  }

  ended(isFault: boolean): void {
    const { clock, isWanted, start } = this.#parts;
    const served = clock.monotonicMs() - this.#startedMs >= PAUSE_MS_MAX;
    this.#failures = isFault && !served ? this.#failures + 1 : Number(isFault);
    if (!isFault) {
      if (isWanted()) start();
      return;
    }
    const pauseMs = Math.min(PAUSE_MS_MAX, FIRST_MS * 2 ** Math.min(this.#failures - 1, 16));
    this.#pause = clock.after(pauseMs, () => {
      this.#pause = undefined;
      if (isWanted()) start();
    });
  }

  close(): void {
    this.#pause?.cancel();
    this.#pause = undefined;
  }
}
