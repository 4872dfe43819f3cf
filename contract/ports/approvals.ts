import type { PolicyContext } from '../intent.ts';
import type { HookPoint } from './policy-hook.ts';

/**
 * A question to a person. Durable: after a restart it still waits, with the time that is left. Times are wire times.
 */
export type Approval = {
  readonly approval_id: string;
  readonly run_id: string | undefined;
  readonly point: HookPoint;
  readonly subject: string;
  readonly reason: string;
  readonly facts: Readonly<Record<string, unknown>>;
  readonly tenant: string;
  readonly principal: string;
  readonly asked_ts: string;
  /** Nobody answered by then: denied. */
  readonly expires_ts: string;
  readonly state: 'waiting' | 'allowed' | 'denied' | 'expired';
  readonly by: string | undefined;
  /** Roles of which the answering person needs one; empty: policies decide. */
  readonly roles: readonly string[];
};

/** Approvals as the API, the command line and central use them. */
export interface ApprovalApi {
  /** Waiting approvals, the oldest first; with `all` also the answered ones that are remembered, newest first. */
  approvals(filter?: { readonly all?: boolean }): readonly Approval[];
  /**
   * Settles when the answer is durable. `approval.not_found`, `approval.answered` (another answer stands),
   * `policy.denied` (this principal may not).
   */
  answer(
    approvalId: string,
    decision: 'allow' | 'deny',
    who: PolicyContext,
    reason: string,
  ): Promise<Approval>;
}
