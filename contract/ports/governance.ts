import type { BodyOf } from '../bodies/kit.ts';
import type * as runs from '../bodies/runs.ts';
import type { PolicyContext } from '../intent.ts';
import type { QuotaMetric, QuotaWindow } from '../quotas.ts';
import type { PolicyVerdict, PolicyView } from './policy-judge.ts';

/** One line of `[[quotas]]`. `*`: each tenant has this much. */
export type QuotaRule = {
  readonly tenant: string;
  readonly metric: QuotaMetric;
  readonly window: QuotaWindow;
  readonly limit: number;
};

export type QuotaView = QuotaRule & {
  readonly used: number;
  readonly left: number;
  /** Wire time at which the window ends; undefined for `total`. */
  readonly renews_ts: string | undefined;
};

/**
 * What a caller of models asks before a call and reports after it. `check` throws `quota.exceeded`, whose message says
 * what is left and when it renews. What was spent is folded from the log (`model.returned`): nothing has to be
 * reported.
 */
export interface Budget {
  check(tenant: string, metrics: readonly QuotaMetric[]): void;
  /**
   * A call of models starts: it counts from now on, before the log says so, until `endCall`, or until the log has
   * it. A caller that is lost holds it no longer than a minute beyond `withinMs`. Throws `quota.exceeded`.
   */
  beginCall(tenant: string, callId: string, withinMs: number): void;
  /** The call ended, or did not happen. An unknown id is no error. */
  endCall(callId: string): void;
  quotas(tenant?: string): readonly QuotaView[];
}

/** A lease of rights, as central or a person signed it. Times are wire times. */
export type Grant = BodyOf<typeof runs.Grant>;

/** `signature`: Ed25519 over the canonical JSON of `grant`, base64. */
export type SignedGrant = BodyOf<typeof runs.SignedGrant>;

export type GrantView = BodyOf<typeof runs.GrantView>;

/** Which decisions are judged again, and by which policies. */
export type RejudgeRequest = {
  /** Decisions since then, milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Cedar files; absent: those in force. */
  readonly policies?: readonly { readonly file: string; readonly text: string }[];
};

/** A decision that would now be different. */
export type Difference = {
  readonly event_id: string;
  readonly ts: string;
  readonly run_id: string | undefined;
  readonly point: string;
  readonly subject: string;
  readonly principal: string;
  readonly was: { readonly decision: string; readonly reason: string; readonly policy_sha256: string };
  readonly would: PolicyVerdict;
};

export type Rejudged = {
  readonly policy_sha256: string;
  readonly judged: number;
  readonly same: number;
  readonly different: number;
  /** Decisions whose question is not in the log: of other hooks, of older versions, too large to keep. */
  readonly not_judged: number;
  /** False if the time limit came before the end of the log. */
  readonly whole: boolean;
  readonly differences: readonly Difference[];
};

/** Policies, quotas and grants as the API and the command line use them. */
export interface GovernanceApi extends Budget {
  policy(): PolicyView;
  /** Reads the files again. A fault keeps what is in force and rejects with `policy.invalid`. */
  reload(): Promise<PolicyView>;
  /** The roles of a caller now, with those of the named grant; none of the grant's if it is not valid. */
  rolesOf(who: PolicyContext): readonly string[];
  /**
   * Judges past decisions again; changes nothing. One at a time (`cell.overloaded`), for 20 s at most.
   * Rejects with `policy.invalid`.
   */
  rejudge(request: RejudgeRequest): Promise<Rejudged>;
  grants(): readonly GrantView[];
  /**
   * Settles when durable. `schema.invalid`, `policy.denied` for a signature of no configured key, and for an expired
   * grant.
   */
  install(signed: unknown): Promise<GrantView>;
  /** `policy.denied` where this principal may not. */
  revoke(grantId: string, who: PolicyContext, reason: string): Promise<GrantView>;
}
