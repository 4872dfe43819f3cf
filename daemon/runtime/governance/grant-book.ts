import {
  type AgentEvent,
  type Clock,
  EdgeError,
  type EventReader,
  fromWireTime,
  type Grant,
  type GrantView,
  type NewEvent,
  type PolicyContext,
  type SignedGrant,
  type Timer,
  toMs,
} from '../../../contract/index.ts';
import { eachPage } from '../../../history/each-event.ts';
import { checkGrant, type GrantKeys } from './grant-signature.ts';
import type { LatestTime } from './latest-time.ts';

/** Grants that are remembered, live and over. */
const GRANTS_MAX = 1_000;
const SWEEP_MS = 1_000;

export type Standing =
  | { readonly ok: true; readonly roles: readonly string[]; readonly grant?: string }
  | { readonly ok: false; readonly reason: string };

export type GrantBookParts = {
  readonly robot: string;
  readonly clock: Clock;
  readonly time: LatestTime;
  readonly keys: () => GrantKeys;
  readonly report: (message: string, facts: Readonly<Record<string, unknown>>) => void;
};

type Held = { readonly signed: SignedGrant; readonly state: 'live' | 'expired' | 'revoked' };

/**
 * Rights on loan. Each grant is signed and ends at its time, whether or not central can be reached: what is not
 * renewed is over. Who acts under a grant has its roles while it lives, and nothing at all afterwards.
 */
export class GrantBook {
  readonly #parts: GrantBookParts;
  readonly #held = new Map<string, Held>();
  #append: ((events: readonly NewEvent[]) => Promise<void>) | undefined;
  #sweeper: Timer | undefined;

  constructor(parts: GrantBookParts) {
    this.#parts = parts;
  }

  /** Before `load`: how events become durable; they come back through `observe`. */
  attach(append: (events: readonly NewEvent[]) => Promise<void>): void {
    this.#append = append;
  }

  load(reader: EventReader): void {
    this.#parts.time.notBeforeLog(reader);
    for (const page of eachPage(reader, { kinds: ['grant.state'] })) this.observe(page);
    this.#sweep();
    this.#sweeper = this.#parts.clock.every(SWEEP_MS, () => this.#sweep());
  }

  stop(): void {
    this.#sweeper?.cancel();
  }

  observe(events: readonly AgentEvent[]): void {
    for (const event of events) if (event.kind === 'grant.state') this.#fold(event.payload);
  }

  /** Under which roles this context acts now. */
  standing({ lease, tenant, principal, roles }: PolicyContext): Standing {
    if (lease === undefined) return { ok: true, roles };
    const held = this.#held.get(lease);
    if (!held) return { ok: false, reason: 'the grant is not known here' };
    const { grant } = held.signed;
    if (grant.tenant !== tenant || grant.principal !== principal)
      return { ok: false, reason: 'the grant is for somebody else' };
    if (held.state === 'revoked') return { ok: false, reason: 'the grant was revoked' };
    // What was over once stays over, whatever the clock shows since.
    if (held.state === 'expired' || this.#leftMs(grant) <= 0)
      return { ok: false, reason: 'the grant is over' };
    return { ok: true, roles: [...roles, ...grant.roles], grant: lease };
  }

  views(): readonly GrantView[] {
    return [...this.#held.values()].map((held) => this.#view(held));
  }

  /** Settles when durable. The same grant again changes nothing; a later one of the same id renews it. */
  async install(value: unknown): Promise<GrantView> {
    const signed = checkGrant(value, this.#parts.keys());
    const { grant } = signed;
    const refuse = (message: string) =>
      new EdgeError('policy.denied', { operation: 'install grant', subject: grant.grant_id, message });
    if (grant.robots.length > 0 && !grant.robots.includes(this.#parts.robot))
      throw refuse('it is for other robots');
    if (fromWireTime(grant.issued_ts) >= fromWireTime(grant.expires_ts))
      throw refuse('it ends before it starts');
    if (this.#leftMs(grant) <= 0) throw refuse('it is over');
    const known = this.#held.get(grant.grant_id);
    if (known) {
      if (known.signed.signature === signed.signature && known.state === 'live') return this.#view(known);
      if (known.state === 'revoked') throw refuse('it was revoked; give a new one a new id');
      const before = known.signed.grant;
      if (before.tenant !== grant.tenant || before.principal !== grant.principal)
        throw refuse('its id is that of a grant for somebody else');
      if (fromWireTime(grant.issued_ts) <= fromWireTime(before.issued_ts))
        throw refuse('a later one of this id is here already');
    } else if (this.#held.size >= GRANTS_MAX && !this.#dropOldest())
      throw refuse(`${GRANTS_MAX} grants are held already`);
    await this.#write(signed, known ? 'renewed' : 'issued', `signed by ${signed.key_id}`);
    return this.#view(this.#held.get(grant.grant_id)!);
  }

  get(grantId: string): Grant | undefined {
    return this.#held.get(grantId)?.signed.grant;
  }

  async revoke(grantId: string, reason: string, before: readonly NewEvent[] = []): Promise<GrantView> {
    const held = this.#held.get(grantId);
    if (!held)
      throw new EdgeError('policy.denied', {
        operation: 'revoke grant',
        subject: grantId.slice(0, 128),
        message: 'no such grant',
      });
    if (held.state !== 'revoked') await this.#write(held.signed, 'revoked', reason, before);
    return this.#view(this.#held.get(grantId)!);
  }

  #fold({ grants, state }: AgentEvent<'grant.state'>['payload']): void {
    const signed = grants as unknown as SignedGrant;
    const before = this.#held.get(signed.grant.grant_id);
    if (before && state !== 'revoked' && isOvertaken(before, signed)) return;
    if (!before && this.#held.size >= GRANTS_MAX) this.#dropOldest();
    try {
      // A key that was taken away takes its grants along, also over a restart.
      if (state === 'issued' || state === 'renewed') checkGrant(signed, this.#parts.keys());
    } catch {
      this.#held.set(signed.grant.grant_id, { signed, state: 'revoked' });
      return;
    }
    const now = state === 'issued' || state === 'renewed' ? 'live' : state;
    this.#held.set(signed.grant.grant_id, { signed, state: now });
  }

  #sweep(): void {
    for (const { signed, state } of this.#held.values()) {
      if (state !== 'live' || this.#leftMs(signed.grant) > 0) continue;
      this.#held.set(signed.grant.grant_id, { signed, state: 'expired' });
      this.#write(signed, 'expired', 'its time is over').catch((thrown: unknown) =>
        this.#parts.report('the end of a grant could not be written', {
          grant: signed.grant.grant_id,
          error: String(thrown),
        }),
      );
    }
  }

  async #write(
    signed: SignedGrant,
    state: 'issued' | 'renewed' | 'expired' | 'revoked',
    reason: string,
    before: readonly NewEvent[] = [],
  ): Promise<void> {
    const { grant } = signed;
    await this.#append?.([
      ...before,
      {
        kind: 'grant.state',
        payload: {
          grant_id: grant.grant_id,
          principal: grant.principal,
          state,
          expires_ns: grant.expires_ts,
          grants: { ...signed },
          reason: reason.slice(0, 512),
        },
      },
    ]);
  }

  /** What is over: time never goes back, so it cannot be put in again. */
  #dropOldest(): boolean {
    const over = [...this.#held].find(
      ([, { signed, state }]) => state !== 'live' && this.#leftMs(signed.grant) <= 0,
    );
    return over !== undefined && this.#held.delete(over[0]);
  }

  #view({ signed: { grant }, state }: Held): GrantView {
    const left = this.#leftMs(grant);
    const now = state === 'live' && left <= 0 ? 'expired' : state;
    return { ...grant, state: now, left_ms: now === 'live' ? Math.round(left) : 0 };
  }

  #leftMs({ expires_ts }: Grant): number {
    return toMs(fromWireTime(expires_ts) - this.#parts.time.now());
  }
}

/** Written down after a later one, or after the end of all of this name. */
function isOvertaken({ signed: held, state }: Held, { grant }: SignedGrant): boolean {
  return state === 'revoked' || fromWireTime(grant.issued_ts) < fromWireTime(held.grant.issued_ts);
}
