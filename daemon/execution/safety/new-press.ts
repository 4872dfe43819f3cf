import { type Clock, LIMITS } from '../../../contract/core.ts';

/** What one person did since the last stop, monotonic milliseconds. */
type Hand = {
  /** The last command that was to move the robot. */
  movedMs: number;
  /** The last command to stand, or the last one that was let through. */
  freeMs: number;
};

/** Persons who steered lately; the one who steered longest ago is forgotten. */
const HANDS_MAX = 64;

/**
 * After a stop the robot is not moved by a key that was already down: a command counts again after a command to
 * stand, or after `LIMITS.NEW_PRESS_MS` without a command. It is counted for each person, so the key of one does not keep
 * another from steering.
 */
export class NewPress {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #hands = new Map<string, Hand>();
  #stoppedMs = -Infinity;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** The robot was stopped, or the emergency stop was released. */
  stopped(): void {
    this.#stoppedMs = this.#clock.monotonicMs();
  }

  /** `who` lets go: a command to stand, made at `madeAtMs`. */
  letGo(who: string, madeAtMs: number): void {
    this.#handOf(who).freeMs = madeAtMs;
  }

  /** `who` asks for motion. False: by a key that was already down when the robot was stopped. */
  presses(who: string, madeAtMs: number): boolean {
    const hand = this.#handOf(who);
    const quietMs = madeAtMs - Math.max(hand.movedMs, this.#stoppedMs);
    hand.movedMs = Math.max(hand.movedMs, madeAtMs);
    if (hand.freeMs <= this.#stoppedMs && quietMs < LIMITS.NEW_PRESS_MS) return false;
    hand.freeMs = Math.max(hand.freeMs, madeAtMs);
    return true;
  }

  #handOf(who: string): Hand {
    const known = this.#hands.get(who) ?? { movedMs: -Infinity, freeMs: -Infinity };
    this.#hands.delete(who);
    this.#hands.set(who, known);
    if (this.#hands.size > HANDS_MAX) this.#hands.delete(this.#hands.keys().next().value!);
    return known;
  }
}
