import { EdgeError } from '../../../contract/core.ts';
import type { ActuationLease, Lease } from '../lease.ts';

/**
 * The number of a lease is no secret: a caller (`by` of the body, where it is given) uses its own alone, or that of
 * one of its programs. Throws `policy.denied`. For a lease that is not held it throws nothing: other code reports
 * that.
 */
export function checkOwner(lease: Pick<ActuationLease, 'current'>, id: number, body: unknown): void {
  const { by } = (body ?? {}) as Record<string, unknown>;
  const { current } = lease;
  if (by === undefined || current?.id !== id) return;
  if (isOwner(current, by)) return;
  throw new EdgeError('policy.denied', {
    operation: 'use the lease',
    subject: String(id),
    message: `the lease belongs to ${current.holder}`,
    hint: 'take the lease yourself: POST /v1/lease, or auraison teleop',
  });
}

/** Whether the lease is held by this caller or by one of its programs. */
export function isOwner({ holder }: Pick<Lease, 'holder'>, by: unknown): boolean {
  return typeof by === 'string' && (holder === by || holder.startsWith(`${by}/`));
}
