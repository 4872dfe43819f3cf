import type { Clock, LeaseRole, Timer } from '../../contract/core.ts';
import { type ActuationLease, LEASE_PRIORITIES, type Lease } from './lease.ts';

/** In whose name something moves. Motions of one holder share its lease. */
export type Mandate = { readonly role: LeaseRole; readonly holder: string };

type Held = { readonly lease: Lease; readonly renewal: Timer };

/**
 * Leases of motions: taken with the first motion of a holder, renewed while one is running, given back with the last.
 */
export class MotionLeases {
  readonly #lease: ActuationLease;
  readonly #clock: Clock;
  readonly #ttlMs: number;
  /** By holder; at most one of them is the current lease. */
  readonly #held = new Map<string, Held>();
  readonly #taking = new Map<string, Promise<Lease>>();

  constructor(lease: ActuationLease, clock: Clock, ttlMs: number) {
    this.#lease = lease;
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  /** The current lease is one of these. */
  get holdsCurrent(): boolean {
    return [...this.#held.values()].some(({ lease }) => this.#lease.holds(lease.id));
  }

  /** Motions of one holder that start at the same time take one lease. Rejects as `ActuationLease.acquire`. */
  take(mandate: Mandate): Promise<Lease> {
    const { holder } = mandate;
    const held = this.#held.get(holder);
    if (held && this.#lease.holds(held.lease.id)) return Promise.resolve(held.lease);
    let taking = this.#taking.get(holder);
    if (!taking) {
      taking = this.#acquire(mandate).finally(() => this.#taking.delete(holder));
      this.#taking.set(holder, taking);
    }
    return taking;
  }

  giveBack(holder: string): void {
    const held = this.#held.get(holder);
    this.#held.delete(holder);
    held?.renewal.cancel();
    if (held) this.#lease.release(held.lease.id);
  }

  /** Renews nothing from now on. */
  close(): void {
    for (const { renewal } of this.#held.values()) renewal.cancel();
  }

  async #acquire({ role, holder }: Mandate): Promise<Lease> {
    const ttlMs = this.#ttlMs;
    const lease = await this.#lease.acquire(holder, LEASE_PRIORITIES[role], ttlMs);
    this.#held.get(holder)?.renewal.cancel();
    const renewal = this.#clock.every(ttlMs / 3, () => {
      if (this.#lease.holds(lease.id)) this.#lease.renew(lease.id);
    });
    this.#held.set(holder, { lease, renewal });
    return lease;
  }
}
