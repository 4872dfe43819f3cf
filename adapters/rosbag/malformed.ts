import { EdgeError } from '../../contract/core.ts';

/** `bag.malformed` of a file; what is an EdgeError already stays as it is. */
export function malformed(path: string, fault: string, cause?: unknown): EdgeError {
  if (cause instanceof EdgeError) return cause;
  const why = cause instanceof Error && !fault.includes(cause.message) ? `${fault}: ${cause.message}` : fault;
  return new EdgeError('bag.malformed', { operation: 'read-bag', subject: path, message: why, cause });
}
