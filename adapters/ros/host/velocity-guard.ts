/** The stop is repeated: one message may be lost by a best-effort listener. */
const STOP_REPEATS = 3;

/**
 * Decides when the side nearest to the robot stops it: a moving command that was not renewed before it
 * expired, a lost adapter, and once after every start, because what drove the robot before may have died
 * without a word. Pure: time and listeners are told, sending is the caller's.
 */
export class VelocityGuard {
  readonly #expiryMs: number;
  #expiresAt: number | undefined;
  #stopsOwed = STOP_REPEATS;

  constructor(expiryMs: number) {
    this.#expiryMs = expiryMs;
  }

  get moving(): boolean {
    return this.#expiresAt !== undefined;
  }

  /** A command is about to be sent. A stop needs no watching; a motion does, and it settles what was owed. */
  command(stops: boolean, nowMs: number): void {
    this.#stopsOwed = 0;
    this.#expiresAt = stops ? undefined : nowMs + this.#expiryMs;
  }

  /** The adapter is gone: whatever it asked for last no longer counts. */
  adapterLost(): void {
    if (this.#expiresAt === undefined) return;
    this.#expiresAt = undefined;
    this.#stopsOwed = STOP_REPEATS;
  }

  /** True when the stop message has to be sent now. Without listeners a stop stays owed. */
  tick(nowMs: number, listeners: number): { readonly stop: boolean; readonly expired: boolean } {
    const expired = this.#expiresAt !== undefined && nowMs >= this.#expiresAt;
    if (expired) this.adapterLost();
    if (this.#stopsOwed === 0 || listeners === 0) return { stop: false, expired };
    this.#stopsOwed -= 1;
    return { stop: true, expired };
  }
}
