import type { BodyOf } from '../bodies/kit.ts';
import type * as runs from '../bodies/runs.ts';
import type { PolicyContext } from '../intent.ts';

/**
 * A question to a person. Durable: after a restart it still waits, with the time that is left. Times are wire times.
 */
export type Approval = BodyOf<typeof runs.Approval>;

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
