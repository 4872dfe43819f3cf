/**
 * The stop is repeated at every tick for half a second: a best-effort listener may lose one, and one that is
 * just being discovered hears nothing before its side of the match is made as well.
 */
export const STOP_REPEATS = 20;
/** A listener that is discovered later than this after the start of a bounded stop is not the robot, milliseconds. */
export const STOP_BOUND_MS = 5_000;
/**
 * A bounded stop ends this long after it was first heard, also where fewer listen than heard the motion, milliseconds:
 * a missing listener may have left for good, and the stop would stay pending forever.
 */
export const STOP_END_MS = 60_000;

export type GuardOptions = {
  /** A guard on standby owes no stop: its robot may be driven by the host in charge. */
  readonly standby?: boolean;
  /**
   * Joints: other programs drive them by the same topic, and a new subscriber (a recorder, a person) must
   * not halt them. A stop that was heard is over soon; a base gets the command to stand until it is to move.
   */
  readonly bounded?: boolean;
};

/**
 * Decides when the side nearest to the robot stops it: a moving command that was not renewed before it
 * expired, a lost adapter, and once after every start, because the former controller of the robot may have
 * died. Pure: the caller passes in time and listeners, and does the sending.
 */
export class VelocityGuard {
  readonly #expiryMs: number;
  readonly #isBounded: boolean;
  #expiresAt: number | undefined;
  #stopsOwed: number;
  /**
   * We stopped it, or never moved it: until a command to move, or the end of the bound, new listeners get a command to
   * stand.
   */
  #stopping: boolean;
  /** When the stop first had a listener. */
  #heardAt: number | undefined;
  #listeners = 0;
  /** The most that heard our motion: as long as fewer hear the stop, the robot itself may be the one missing. */
  #drove = 0;

  constructor(expiryMs: number, { standby = false, bounded = false }: GuardOptions = {}) {
    this.#expiryMs = expiryMs;
    this.#isBounded = bounded;
    this.#stopping = !standby;
    this.#stopsOwed = standby ? 0 : STOP_REPEATS;
  }

  get moving(): boolean {
    return this.#expiresAt !== undefined;
  }

  /** A command is about to be sent. A stop needs no watching; a motion does, and it replaces a pending stop. */
  command(stops: boolean, nowMs: number): void {
    this.#stopsOwed = 0;
    this.#stopping = false;
    if (!stops && !this.moving) this.#drove = this.#listeners;
    this.#expiresAt = stops ? undefined : nowMs + this.#expiryMs;
  }

  /** The adapter is gone: its last command no longer counts. */
  adapterLost(): void {
    if (this.#expiresAt !== undefined) this.halt();
  }

  /** From now on the robot is stopped, whatever moved it before. */
  halt(): void {
    this.#expiresAt = undefined;
    this.#stopping = true;
    this.#stopsOwed = STOP_REPEATS;
    this.#heardAt = undefined;
  }

  /** True when the stop message has to be sent now. Without listeners a stop stays pending. */
  tick(nowMs: number, listeners: number): { readonly stop: boolean; readonly expired: boolean } {
    if (this.moving) this.#drove = Math.max(this.#drove, listeners);
    const expired = this.#expiresAt !== undefined && nowMs >= this.#expiresAt;
    if (expired) this.adapterLost();
    // The first listener may be a recorder; the robot's base may be discovered after it.
    if (this.#stopping && listeners > this.#listeners) this.#stopsOwed = STOP_REPEATS;
    this.#listeners = listeners;
    if (this.#stopsOwed === 0 || listeners === 0) {
      this.#settle(nowMs);
      return { stop: false, expired };
    }
    this.#heardAt ??= nowMs;
    this.#stopsOwed -= 1;
    return { stop: true, expired };
  }

  /**
   * A bounded stop is over once it was heard by as many as heard the motion, and no other listener can still be
   * connecting; in the end it is over with fewer of them.
   */
  #settle(nowMs: number): void {
    if (!this.#isBounded || this.#stopsOwed > 0 || this.#heardAt === undefined) return;
    const heardMs = nowMs - this.#heardAt;
    const isComplete = this.#listeners >= this.#drove && heardMs >= STOP_BOUND_MS;
    if (isComplete || (this.#listeners > 0 && heardMs >= STOP_END_MS)) this.#stopping = false;
  }
}
