import {
  type Clock,
  EdgeError,
  type LeaseEnd,
  type LeaseRole,
  type LeaseView,
  type Takeover,
  type Timer,
  takenOverBy,
  toWireTime,
} from '../../contract/core.ts';
import { endsLease } from './safety/lease-rules.ts';
import type { SafetyWord } from './safety/safety-word.ts';

/** Ranks of those who may command actuators, lowest first. A person at the robot outranks every program. */
export const LEASE_PRIORITIES = {
  policy: 10,
  agent: 20,
  autonomy: 30,
  central: 40,
  teleoperation: 50,
} as const satisfies Readonly<Record<LeaseRole, number>>;
export const LEASE_ROLES = Object.keys(LEASE_PRIORITIES) as LeaseRole[];
export type { LeaseEnd, LeaseRole };

export type Lease = {
  readonly id: number;
  /** A name for people and the audit, for example `agent`. */
  readonly holder: string;
  readonly priority: number;
  readonly ttlMs: number;
};

export type LeaseDeps = {
  readonly clock: Clock;
  /** Brings the actuators to their safe state; the next holder waits for it. Must settle by its own deadline. */
  safeStop(reason: string): Promise<void>;
  /** True when something moves without a lease that must not move while a holder of this priority commands. */
  contested?(priority: number): boolean;
  /** Called when a holder above the rank of an agent gets the lease next, before any motion is ended. */
  onTakeover?(takeover: Takeover): void;
  onGranted(lease: Lease): void;
  onEnded(lease: Lease, how: LeaseEnd): void;
  /** Updated in the same turn, so that control threads see the change in their next step. */
  readonly word?: Pick<SafetyWord, 'grant' | 'renew' | 'revoke'>;
};

/**
 * - `free`: no holder. - `held`: one holder commands. - `stopping`: the lease was lost and the robot is being
 * stopped. No holder commands then, and requests are refused. The request that took the lease over is granted after
 * the stop.
 */
export type LeaseState = 'free' | 'held' | 'stopping';

/**
 * The exclusive right to command actuators, which expires. It has one holder. When it is lost, the robot is stopped.
 */
export class ActuationLease {
  readonly #deps: LeaseDeps;
  #state: LeaseState = 'free';
  #lease: Lease | undefined;
  #timer: Timer | undefined;
  #endsMs = 0;
  #ids = 0;
  #takeover: Takeover | undefined;

  constructor(deps: LeaseDeps) {
    this.#deps = deps;
  }

  get state(): LeaseState {
    return this.#state;
  }

  get current(): Lease | undefined {
    return this.#lease;
  }

  view(): LeaseView {
    const lease = this.#lease;
    const takeover = this.#takeover ? { takeover: this.#takeover } : {};
    if (!lease) return { state: this.#state, ...takeover };
    const { id, holder, priority } = lease;
    const role = roleOf(priority);
    return {
      state: this.#state,
      lease_id: id,
      holder,
      ...(role ? { role } : {}),
      priority,
      remaining_ms: Math.max(0, Math.round(this.#endsMs - this.#deps.clock.monotonicMs())),
      ...takeover,
    };
  }

  /**
   * Grants, or rejects with `lease.held` when the holder's priority is not lower, or while the robot is being
   * stopped. The same holder asking again gets a new lease at once, without a stop.
   */
  async acquire(holder: string, priority: number, ttlMs: number): Promise<Lease> {
    if (this.#state === 'stopping') throw held(holder, 'the robot is being stopped');
    const current = this.#lease;
    if (current && current.holder === holder && current.priority === priority) {
      this.#end('returned');
    } else if (current) {
      const asker = { rank: priority, isHolder: false };
      if (!endsLease('take', asker, current.priority)) throw held(holder, `${current.holder} has it`);
      const why = this.#announce(holder, priority);
      await this.#lose('taken', why ?? `${holder} takes the lease from ${current.holder}`);
      // The lease was free for a moment, so another holder may have taken it.
      this.#checkFree(holder);
    } else {
      const why = this.#announce(holder, priority);
      if (this.#deps.contested?.(priority)) {
        await this.#stand(why ?? `${holder} takes the lease`);
        this.#checkFree(holder);
      }
    }
    return this.#grant(holder, priority, ttlMs);
  }

  /** The message to runs when a holder above their rank takes the robot. Undefined: the holder is not above them. */
  #announce(holder: string, priority: number): string | undefined {
    const role = roleOf(priority);
    if (priority <= LEASE_PRIORITIES.agent || role === undefined) return undefined;
    this.#takeover = { holder, role, since_ns: toWireTime(this.#deps.clock.now()) };
    this.#deps.onTakeover?.(this.#takeover);
    return takenOverBy({ holder, role });
  }

  #checkFree(holder: string): void {
    if (this.#state !== 'free') throw held(holder, 'another client took it at the same moment');
  }

  /** Rejects with `lease.lost` when the lease is no longer the current one. */
  renew(id: number): void {
    const lease = this.#lease;
    if (!lease || lease.id !== id) {
      throw new EdgeError('lease.lost', { operation: 'renew-lease', subject: String(id) });
    }
    this.#deps.word?.renew();
    this.#watch(lease);
  }

  holds(id: number): boolean {
    return this.#lease?.id === id;
  }

  /**
   * Gives the lease back. The holder has stopped its motions before. A lease that is no longer held changes nothing.
   */
  release(id: number): void {
    if (this.#lease?.id !== id) return;
    this.#end('returned');
  }

  /** The same for a holder whose motions may still be running: settles when they stand. */
  async surrender(id: number): Promise<void> {
    if (this.#lease?.id !== id) return;
    await this.#lose('returned', `${this.#lease.holder} released the lease`);
  }

  /** Ends the lease without a stop of its own: the caller stops everything. */
  drop(): void {
    if (this.#lease) this.#end('stopped');
  }

  close(): void {
    this.#timer?.cancel();
    this.#deps.word?.revoke();
  }

  #grant(holder: string, priority: number, ttlMs: number): Lease {
    const lease = { id: ++this.#ids, holder, priority, ttlMs };
    this.#lease = lease;
    this.#state = 'held';
    this.#deps.word?.grant(lease.id, ttlMs);
    this.#watch(lease);
    this.#deps.onGranted(lease);
    return lease;
  }

  #watch(lease: Lease): void {
    this.#timer?.cancel();
    this.#endsMs = this.#deps.clock.monotonicMs() + lease.ttlMs;
    this.#timer = this.#deps.clock.after(lease.ttlMs, () => {
      void this.#lose('expired', `the lease of ${lease.holder} expired`);
    });
  }

  #end(how: LeaseEnd): void {
    const lease = this.#lease!;
    this.#timer?.cancel();
    this.#lease = undefined;
    this.#state = 'free';
    this.#deps.word?.revoke();
    if (this.#takeover?.holder === lease.holder) this.#takeover = { ...this.#takeover, end: how };
    this.#deps.onEnded(lease, how);
  }

  async #lose(how: LeaseEnd, reason: string): Promise<void> {
    this.#end(how);
    await this.#stand(reason);
  }

  async #stand(reason: string): Promise<void> {
    this.#state = 'stopping';
    try {
      await this.#deps.safeStop(reason);
    } catch {
      // The watchdog of the base stops it when no commands come. The lease becomes free even so.
    } finally {
      this.#state = 'free';
    }
  }
}

export function roleOf(priority: number): LeaseRole | undefined {
  return LEASE_ROLES.find((role) => LEASE_PRIORITIES[role] === priority);
}

function held(holder: string, message: string): EdgeError {
  return new EdgeError('lease.held', { operation: 'acquire-lease', subject: holder, message });
}
