import { LIMITS, type Twist2d } from '../../../contract/core.ts';

const LASTS_NS = BigInt(LIMITS.COMMAND_EXPIRY_MS) * 1_000_000n;

/** A person at the stick: the newest velocity that was asked for, for as long as a command counts. */
export class Steering {
  #twist: Twist2d | undefined;
  #lease = 0;
  #from = 0n;
  #until = 0n;

  /** `now` is robot time, nanoseconds. */
  put(twist: Twist2d, lease: number, now: bigint): void {
    this.#twist = twist;
    this.#lease = lease;
    this.#from = now;
    this.#until = now + LASTS_NS;
  }

  clear(): void {
    this.#twist = undefined;
  }

  /** Undefined: nobody steers, or may not any more. */
  at(now: bigint, mayMove: (lease: number) => boolean): Twist2d | undefined {
    // A clock that was set back would let it last until that time is there again.
    const over = now > this.#until || now < this.#from;
    if (this.#twist && (over || !mayMove(this.#lease))) this.#twist = undefined;
    return this.#twist;
  }

  get isActive(): boolean {
    return this.#twist !== undefined;
  }
}
