import type { Clock, Nanoseconds } from '../../contract/core.ts';

/**
 * The position of a playback in the time of the bag, and when a message is due: linear from an anchor, set again by
 * each pause, seek and change of rate. Rate 0 is as fast as the receiver takes it; then the last message gives the
 * time.
 */
export class PlayPace {
  readonly #clock: Clock;
  #rate: number;
  #anchorNs: Nanoseconds;
  #anchorMs: number;
  #isPaused = false;

  constructor(clock: Clock, rate: number, startNs: Nanoseconds) {
    this.#clock = clock;
    this.#rate = rate;
    this.#anchorNs = startNs;
    this.#anchorMs = clock.monotonicMs();
  }

  get rate(): number {
    return this.#rate;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Bag time now; at most `untilNs`, the next message's, since nothing is played ahead of its turn. */
  positionNs(untilNs: Nanoseconds): Nanoseconds {
    if (this.#isPaused || this.#rate === 0) return this.#anchorNs;
    const passedMs = (this.#clock.monotonicMs() - this.#anchorMs) * this.#rate;
    const reached = this.#anchorNs + BigInt(Math.round(passedMs * 1e6));
    return reached < untilNs ? reached : untilNs;
  }

  /** Milliseconds until a message of `time` is due; negative for one that is late. */
  waitMs(time: Nanoseconds): number {
    if (this.#rate === 0) return 0;
    return this.#anchorMs + Number(time - this.#anchorNs) / 1e6 / this.#rate - this.#clock.monotonicMs();
  }

  /** A message was played: without a rate this is where the playback is. */
  played(time: Nanoseconds): void {
    if (this.#rate === 0) this.#anchorNs = time;
  }

  moveTo(time: Nanoseconds): void {
    this.#anchorNs = time;
    this.#anchorMs = this.#clock.monotonicMs();
  }

  pause(atNs: Nanoseconds): void {
    this.moveTo(atNs);
    this.#isPaused = true;
  }

  resume(): void {
    this.#anchorMs = this.#clock.monotonicMs();
    this.#isPaused = false;
  }

  setRate(rate: number, atNs: Nanoseconds): void {
    this.moveTo(atNs);
    this.#rate = rate;
  }
}
