import { type Clock, EdgeError, hasExpired, LIMITS } from '../../contract/core.ts';
import type { ApiCaller } from './api-caller.ts';

export type Velocity = { readonly linear: number; readonly angular: number };

/** The lease is renewed with commands, at most this often, milliseconds. */
const RENEW_MS = 500;

type LeaseAnswer = { readonly lease_id?: number };

/**
 * One client steers the base by hand: every velocity is a command of `POST /v1/teleop` under the lease that the client
 * holds. The newest velocity waits while one is on its way; the older ones are left out. A velocity that waited longer
 * than a command counts is not sent.
 */
export class Steering {
  readonly #api: Pick<ApiCaller, 'get' | 'post'>;
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #lease: number | undefined;
  /** The lease was taken here, so it ends with the connection. */
  #isOwn = false;
  #renewedMs = -Infinity;
  #isSending = false;
  #next: { readonly velocity: Velocity; readonly expiresAtMs: number } | undefined;

  constructor(api: Pick<ApiCaller, 'get' | 'post'>, clock: Pick<Clock, 'monotonicMs'>) {
    this.#api = api;
    this.#clock = clock;
  }

  /** Takes the lease in the name of the client. Policies judge it. */
  async take(): Promise<void> {
    const { lease_id } = await this.#api.post<LeaseAnswer>('/v1/lease', { role: 'teleoperation' });
    this.#lease = lease_id;
    this.#isOwn = true;
    this.#renewedMs = this.#clock.monotonicMs();
  }

  /** Gives the lease back. The robot stops first. */
  async release(): Promise<void> {
    this.#next = undefined;
    const lease = this.#lease;
    this.#lease = undefined;
    this.#isOwn = false;
    await this.#api.post('/v1/lease/return', lease === undefined ? {} : { lease_id: lease });
  }

  /** The client is gone: what was taken for it is given back. */
  async close(): Promise<void> {
    this.#next = undefined;
    if (this.#isOwn) await this.release();
  }

  /**
   * m/s forward and rad/s counter-clockwise. Rejects with what the API says: `lease.lost` where this client holds no
   * lease, `policy.denied` where the lease is of another, `estop.engaged`, `command.expired`.
   */
  async steer(velocity: Velocity): Promise<void> {
    this.#next = { velocity, expiresAtMs: this.#clock.monotonicMs() + LIMITS.COMMAND_EXPIRY_MS };
    if (this.#isSending) return;
    this.#isSending = true;
    try {
      for (let next = this.#take(); next; next = this.#take()) {
        if (!hasExpired(next.expiresAtMs, this.#clock.monotonicMs())) await this.#send(next.velocity);
      }
    } finally {
      this.#isSending = false;
    }
  }

  #take(): { readonly velocity: Velocity; readonly expiresAtMs: number } | undefined {
    const next = this.#next;
    this.#next = undefined;
    return next;
  }

  async #send(twist: Velocity): Promise<void> {
    const lease = this.#lease ?? (await this.#held());
    try {
      await this.#api.post('/v1/teleop', { lease_id: lease, twist }, LIMITS.COMMAND_EXPIRY_MS * 4);
      const nowMs = this.#clock.monotonicMs();
      if (nowMs - this.#renewedMs < RENEW_MS) return;
      this.#renewedMs = nowMs;
      await this.#api.post('/v1/lease/renew', { lease_id: lease });
    } catch (thrown) {
      const error = EdgeError.from(thrown, 'internal.fault', 'steer', 'robot');
      if (error.code === 'lease.lost' || error.code === 'policy.denied') this.#lease = undefined;
      throw error;
    }
  }

  /** The lease may have been taken elsewhere in the name of this client: the API judges whose it is. */
  async #held(): Promise<number> {
    const { lease_id } = await this.#api.get<LeaseAnswer>('/v1/lease');
    if (lease_id === undefined) {
      throw new EdgeError('lease.lost', {
        operation: 'steer',
        subject: 'robot',
        message: 'this client holds no actuation lease',
        hint: 'call the service /auraison/take_lease first, or take the lease with the same token elsewhere',
      });
    }
    this.#lease = lease_id;
    return lease_id;
  }
}
