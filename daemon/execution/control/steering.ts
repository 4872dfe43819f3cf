import { LIMITS, type Twist2d } from '../../../contract/core.ts';

const LASTS_MS = LIMITS.COMMAND_EXPIRY_MS;
const LASTS_NS = BigInt(LASTS_MS) * 1_000_000n;

/**
 * A person at the stick: the newest velocity that was asked for, for as long as a command counts, by robot time and by
 * the time of this host. Robot time may wait for samples that come late; a person who let go has let go.
 */
export class Steering {
  readonly #hostMs: () => number;
  #twist: Twist2d | undefined;
  #lease = 0;
  #from = 0n;
  #until = 0n;
  #untilMs = 0;

  /** `hostMs` is monotonic. Without it robot time alone counts: that of a world that waits for us. */
  constructor(hostMs: () => number = () => 0) {
    this.#hostMs = hostMs;
  }

  /** `now` is robot time, nanoseconds; `madeAtMs` when the person asked, by the clock of the host. */
  put(twist: Twist2d, lease: number, now: bigint, madeAtMs: number): void {
    this.#twist = twist;
    this.#lease = lease;
    this.#from = now;
    this.#until = now + LASTS_NS;
    this.#untilMs = madeAtMs + LASTS_MS;
  }

  clear(): void {
    this.#twist = undefined;
  }

  /** Undefined: no person steers, or may no longer steer. */
  at(now: bigint, mayMove: (lease: number) => boolean): Twist2d | undefined {
    // A clock that was set back would let it last until that time is there again.
    const over = now > this.#until || now < this.#from || this.#hostMs() > this.#untilMs;
    if (this.#twist && (over || !mayMove(this.#lease))) this.#twist = undefined;
    return this.#twist;
  }

  /** Under which the newest velocity was asked for. */
  get lease(): number {
    return this.#lease;
  }

  get isActive(): boolean {
    return this.#twist !== undefined;
  }
}
