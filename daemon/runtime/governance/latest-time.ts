import { type Clock, type Nanoseconds, toMs } from '../../../contract/index.ts';

/**
 * The later of what the wall clock shows and what it must show since a moment that is known, by the clock that never
 * steps: setting the clock back gives nobody more time, setting it forward ends what would have ended then.
 */
export class LatestTime {
  readonly #clock: Clock;
  #floor: Nanoseconds;
  #at: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#floor = clock.now();
    this.#at = clock.monotonicMs();
  }

  /** A moment that has certainly passed: of the last event in the log. */
  notBefore(moment: Nanoseconds): void {
    if (moment <= this.now()) return;
    this.#floor = moment;
    this.#at = this.#clock.monotonicMs();
  }

  now(): Nanoseconds {
    const wall = this.#clock.now();
    const mono = this.#clock.monotonicMs();
    const least = this.#floor + BigInt(Math.floor((mono - this.#at) * 1e6));
    const now = wall > least ? wall : least;
    this.#floor = now;
    this.#at = mono;
    return now;
  }

  ms(): number {
    return toMs(this.now());
  }

  /** By the clock that never steps. */
  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }
}
