/** A full disk, a cell that starts: tried again after this pause, milliseconds. */
export const RETRY_MS = 3_000;
/** Where no policy answered: the longest pause, milliseconds, and how often it is tried (about 7 minutes in all). */
const LONGEST_MS = 60_000;
export const UNANSWERED_TRIES_MAX = 10;

/** Tries of one intent that no policy answered in time, and the pause before the next: 3 s, doubling to 60 s. */
export class UnansweredTries {
  #failed = 0;

  get failed(): number {
    return this.#failed;
  }

  get isOver(): boolean {
    return this.#failed >= UNANSWERED_TRIES_MAX;
  }

  /** One more has failed. Returns milliseconds until the next. */
  fail(): number {
    const pauseMs = Math.min(LONGEST_MS, RETRY_MS * 2 ** Math.min(this.#failed, 10));
    this.#failed += 1;
    return pauseMs;
  }

  reset(): void {
    this.#failed = 0;
  }
}
