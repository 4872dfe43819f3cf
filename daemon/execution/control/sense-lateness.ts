import type { Sample } from '../../../contract/core.ts';

/** Clocks that are further apart are not synchronised, milliseconds: no link is that late. */
const CLOCKS_AGREE_MS = 60_000;
/** The least difference of the two stamps is remembered for once to twice as long, milliseconds. */
const WINDOW_MS = 30_000;
/** Stamps below (the year 1973) count from zero, nanoseconds: the time of a simulation, not a clock. */
const CALENDAR_FROM_NS = 100_000_000_000_000_000n;

/**
 * How late samples come over their link, by the two stamps of each: when it was measured, and when it entered this
 * host. Clocks that are about the same are taken for synchronised, so that all of the difference counts, either way,
 * as it does for controllers. Clocks that are not, or are said not to be, have a difference of their own: what exceeds
 * the least of late counts. That is forgotten after a while, for a clock that was set or drifts must not stop the robot
 * for ever. Time that counts from zero is that of a simulation, whose rate is a little below that of our clock: its
 * samples would look later and later, so they are not late at all. A board that has no calendar also counts from zero;
 * the configuration distinguishes it from a simulation: it has a clock of its own.
 */
export class SenseLateness {
  readonly #ownClock: boolean;
  #least = Infinity;
  #former = Infinity;
  #sinceMs = -Infinity;
  #isOffset = false;

  constructor(ownClock: boolean) {
    this.#ownClock = ownClock;
  }

  /** Most of what was returned last was there all the while, as it is where clocks differ. */
  get isOffset(): boolean {
    return this.#isOffset;
  }

  /** Returns how late it came, milliseconds; `nowMs` is monotonic. */
  add({ stamp, received }: Pick<Sample, 'stamp' | 'received'>, nowMs: number): number {
    this.#isOffset = false;
    if (stamp < CALENDAR_FROM_NS && !this.#ownClock) return 0;
    const agoMs = nowMs - this.#sinceMs;
    if (agoMs > WINDOW_MS) {
      this.#former = agoMs > 2 * WINDOW_MS ? Infinity : this.#least;
      this.#least = Infinity;
      this.#sinceMs = nowMs;
    }
    const apart = Number(received - stamp) / 1e6;
    this.#least = Math.min(this.#least, apart);
    const least = Math.min(this.#least, this.#former);
    const excess = apart - least;
    if (this.#ownClock || Math.abs(least) > CLOCKS_AGREE_MS) return excess;
    this.#isOffset = excess < Math.abs(apart) / 2;
    return Math.max(excess, Math.abs(apart));
  }
}
