import { type DropReason, EdgeError } from '../../../contract/core.ts';

/** Why the recorder thread cannot write, and since when it waits, milliseconds of the monotonic clock. */
export type Failure = { readonly reason: DropReason; readonly message: string; readonly sinceMs: number };

/** `reason`: what samples that come meanwhile are counted as. */
export function failureOf(error: unknown, sinceMs: number): Failure {
  const { code, message } = error as { code?: string; message: string };
  return { reason: code === 'ENOSPC' || code === 'EDQUOT' ? 'disk_full' : 'write_failed', message, sinceMs };
}

/** A caller that seals the recording takes the sealed part for all of it: this error says that a segment is left. */
export function unsealed(bag: string, failure: Failure | undefined): EdgeError {
  const message = `a segment is not sealed yet: ${failure?.message ?? ''}`;
  return new EdgeError('recorder.failed', { operation: 'seal', subject: bag, message });
}
