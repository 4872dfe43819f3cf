import type { Clock } from '../../contract/core.ts';

/**
 * Keeps the event loop from falling asleep while an answer is expected at once.
 *
 * A thread that sleeps takes 50 us and more to wake up. Where answers have lately come within `WINDOW_MS` the loop
 * spins until the next is there, at most that long; all other work that is due runs in each turn.
 * Two answers in a row that do not come in time end it, until answers are that soon again.
 */

/** How soon an answer has to come to count as expected, and how long the loop spins for one. */
const WINDOW_MS = 1;
/** Answers in time, in a row, before the loop spins for an answer. */
const SURE = 3;
const SCORE_MAX = 6;

export type EagerLoopOptions = {
  /** Looks for the expected answer for some microseconds, yielding to other threads. */
  readonly look: () => void;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  /** Calls back in the next round of the event loop. */
  readonly next?: (turn: () => void) => void;
};

export class EagerLoop {
  readonly #look: () => void;
  readonly #clock: EagerLoopOptions['clock'];
  readonly #next: (turn: () => void) => void;
  #score = 0;
  /** Number of open questions. */
  #open = 0;
  #until = 0;
  #round = false;

  constructor({ look, clock, next = setImmediate }: EagerLoopOptions) {
    this.#look = look;
    this.#clock = clock;
    this.#next = next;
  }

  /** A question goes out. Returns the argument for `over`. */
  begin(): number {
    const now = this.#clock.monotonicMs();
    this.#open += 1;
    if (this.#score < SURE) return now;
    this.#until = now + WINDOW_MS;
    if (!this.#round) {
      this.#round = true;
      this.#next(this.#turn);
    }
    return now;
  }

  /** Its answer is there, or no caller waits for it. */
  over(begun: number): void {
    this.#open -= 1;
    const soon = this.#clock.monotonicMs() - begun <= WINDOW_MS;
    this.#score = soon ? Math.min(this.#score + 1, SCORE_MAX) : this.#score >> 1;
  }

  readonly #turn = (): void => {
    if (this.#open > 0) this.#look();
    this.#round = this.#open > 0 && this.#clock.monotonicMs() < this.#until;
    if (this.#round) this.#next(this.#turn);
  };
}
