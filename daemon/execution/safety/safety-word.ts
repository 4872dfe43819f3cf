import type { Clock } from '../../../contract/core.ts';

/** Slots of the shared word. */
const STOP = 0;
const LEASE = 1;
const BEATS = 2;
const TTL_MS = 3;
const SLOTS = 4;

/**
 * What every control thread looks at in each step, in memory that they share with the main thread: whether
 * everything is to stand still, and whose the lease is. One writer, the main thread.
 */
export class SafetyWord {
  readonly buffer: SharedArrayBuffer;
  readonly #slots: Int32Array;

  constructor() {
    this.buffer = new SharedArrayBuffer(SLOTS * Int32Array.BYTES_PER_ELEMENT);
    this.#slots = new Int32Array(this.buffer);
  }

  /** Nothing moves while it is true, whatever anybody holds. */
  get stopped(): boolean {
    return Atomics.load(this.#slots, STOP) !== 0;
  }

  stop(stopped: boolean): void {
    Atomics.store(this.#slots, STOP, stopped ? 1 : 0);
  }

  /** Id of the lease that is held; 0: no lease. */
  get lease(): number {
    return Atomics.load(this.#slots, LEASE);
  }

  grant(lease: number, ttlMs: number): void {
    Atomics.store(this.#slots, TTL_MS, ttlMs);
    Atomics.add(this.#slots, BEATS, 1);
    Atomics.store(this.#slots, LEASE, lease);
  }

  /** The holder is alive. Threads stop on their own when they see none of this for as long as the lease lives. */
  renew(): void {
    Atomics.add(this.#slots, BEATS, 1);
  }

  revoke(): void {
    Atomics.store(this.#slots, LEASE, 0);
  }
}

export const EMERGENCY_STOP = 'emergency stop';
export type Forbidden = '' | typeof EMERGENCY_STOP | 'the lease was lost' | 'the lease was not renewed';

/**
 * The same seen from a control thread. Its own clock decides when a lease that is not renewed is over: the main thread
 * may hang. In lockstep the main thread asks for each step, so nothing moves while it hangs, and a host that stalled
 * must not decide how a simulation goes: only the loss of the lease counts. Nothing is allocated.
 */
export class SafetyWatch {
  readonly #slots: Int32Array;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #lockstep: boolean;
  #lease = 0;
  #beats = 0;
  #seenMs = 0;

  constructor(buffer: SharedArrayBuffer, clock: Pick<Clock, 'monotonicMs'>, lockstep = false) {
    this.#slots = new Int32Array(buffer);
    this.#lockstep = lockstep;
    this.#clock = clock;
  }

  /** Whether who has this lease may move something in this step. */
  mayMove(lease: number): boolean {
    return this.why(lease) === '';
  }

  /** Why not; empty: nothing is in the way. */
  why(lease: number): Forbidden {
    if (Atomics.load(this.#slots, STOP) !== 0) return EMERGENCY_STOP;
    if (lease === 0 || Atomics.load(this.#slots, LEASE) !== lease) return 'the lease was lost';
    if (this.#lockstep) return '';
    const beats = Atomics.load(this.#slots, BEATS);
    const nowMs = this.#clock.monotonicMs();
    if (beats !== this.#beats || lease !== this.#lease) {
      this.#beats = beats;
      this.#lease = lease;
      this.#seenMs = nowMs;
      return '';
    }
    return nowMs - this.#seenMs > Atomics.load(this.#slots, TTL_MS) ? 'the lease was not renewed' : '';
  }
}
