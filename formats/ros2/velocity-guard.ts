/**
 * The stop is repeated at every tick for half a second: a best-effort listener may lose one, and one that is
 * just being discovered hears nothing before its side of the match is made as well.
 */
export const STOP_REPEATS = 20;

/**
 * Decides when the side nearest to the robot stops it: a moving command that was not renewed before it
 * expired, a lost adapter, and once after every start, because what drove the robot before may have died
 * without a word. Pure: time and listeners are told, sending is the caller's.
 */
export class VelocityGuard {
  readonly #expiryMs: number;
  #expiresAt: number | undefined;
  #stopsOwed: number;
  /** We stopped it, or never moved it: until told to move, who newly listens is told to stand still. */
  #stopping: boolean;
  #listeners = 0;

  /** A guard on standby owes no stop: its robot may be driven by the host in charge. */
  constructor(expiryMs: number, standby = false) {
    this.#expiryMs = expiryMs;
    this.#stopping = !standby;
    this.#stopsOwed = standby ? 0 : STOP_REPEATS;
  }

  get moving(): boolean {
    return this.#expiresAt !== undefined;
  }

  /** A command is about to be sent. A stop needs no watching; a motion does, and it settles what was owed. */
  command(stops: boolean, nowMs: number): void {
    this.#stopsOwed = 0;
    this.#stopping = false;
    this.#expiresAt = stops ? undefined : nowMs + this.#expiryMs;
  }

  /** The adapter is gone: whatever it asked for last no longer counts. */
  adapterLost(): void {
    if (this.#expiresAt !== undefined) this.halt();
  }

  /** Whatever moved the robot, here or in a host that died: it is stopped from now on. */
  halt(): void {
    this.#expiresAt = undefined;
    this.#stopping = true;
    this.#stopsOwed = STOP_REPEATS;
  }

  /** True when the stop message has to be sent now. Without listeners a stop stays owed. */
  tick(nowMs: number, listeners: number): { readonly stop: boolean; readonly expired: boolean } {
    const expired = this.#expiresAt !== undefined && nowMs >= this.#expiresAt;
    if (expired) this.adapterLost();
    // The first listener may be a recorder; the robot's base may be discovered after it.
    if (this.#stopping && listeners > this.#listeners) this.#stopsOwed = STOP_REPEATS;
    this.#listeners = listeners;
    if (this.#stopsOwed === 0 || listeners === 0) return { stop: false, expired };
    this.#stopsOwed -= 1;
    return { stop: true, expired };
  }
}
