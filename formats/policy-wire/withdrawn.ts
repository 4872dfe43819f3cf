import { EdgeError } from '../../contract/core.ts';

/** Settles when `signal` aborts, with `model.failed`; the work itself continues and its result is dropped. */
export function untilWithdrawn<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
  subject: string,
): Promise<T> {
  if (!signal) return work;
  return new Promise<T>((resolve, reject) => {
    const withdrawn = () =>
      reject(
        new EdgeError('model.failed', { operation: 'infer', subject, message: 'the request was withdrawn' }),
      );
    if (signal.aborted) withdrawn();
    signal.addEventListener('abort', withdrawn, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', withdrawn));
  });
}
