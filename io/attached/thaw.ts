import { type Clock, FREEZE_LOOK_MS, FreezeWatch, LIMITS } from '../../contract/core.ts';

/** How long commands are refused after a freeze, milliseconds: what waited in sockets is read within it. */
const REFUSE_MS = 200;

/**
 * Commands that lay in a socket while this process stood still look like new ones: they carry no time. They are refused
 * for a moment after each freeze that is longer than a command counts.
 */
export class Thaw {
  readonly #clock: Clock;
  readonly #freeze: FreezeWatch;
  #thawedAtMs = -Infinity;

  constructor(clock: Clock) {
    this.#clock = clock;
    const thawed = () => {
      this.#thawedAtMs = clock.monotonicMs();
    };
    this.#freeze = new FreezeWatch(clock, thawed, LIMITS.COMMAND_EXPIRY_MS - FREEZE_LOOK_MS);
  }

  start(): void {
    this.#freeze.start();
  }

  close(): void {
    this.#freeze.close();
  }

  /** What was read just now may be old. */
  isRecent(): boolean {
    this.#freeze.look();
    return this.#clock.monotonicMs() - this.#thawedAtMs < REFUSE_MS;
  }
}
