import { type CallOptions, type Clock, EdgeError, withDeadline } from '../../../contract/core.ts';

/** Ends by `options.timeoutMs` or when its signal aborts, whatever `work` does: both with `deadline.exceeded`. */
export async function settle<T>(
  clock: Clock,
  { timeoutMs, signal }: CallOptions,
  operation: string,
  subject: string,
  work: Promise<T>,
): Promise<T> {
  const given = Promise.withResolvers<never>();
  given.promise.catch(() => {});
  const onAbort = () => given.reject(gone(operation, subject));
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  try {
    // A result that no caller waits for is dropped, its failure too.
    work.catch(() => {});
    return await withDeadline(clock, timeoutMs, Promise.race([work, given.promise]), operation, subject);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function gone(operation: string, subject: string): EdgeError {
  return new EdgeError('deadline.exceeded', { operation, subject, message: 'cancelled by its caller' });
}
