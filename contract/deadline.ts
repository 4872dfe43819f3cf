import { EdgeError, wordsOf } from './edge-error.ts';
import type { Clock } from './ports/clock.ts';

/**
 * Settles by `ms`, whatever `work` does: with its result, or with `deadline.exceeded`. The late result of
 * `work` is dropped; a caller that holds a resource passes an AbortSignal as well. `work` may never answer.
 */
export function withDeadline<T>(
  clock: Clock,
  ms: number,
  work: Promise<T>,
  operation: string,
  subject: string,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = clock.after(ms, () => {
      reject(
        new EdgeError('deadline.exceeded', { operation, subject, message: `no answer within ${ms} ms` }),
      );
    });
    work.then(
      (value) => {
        timer.cancel();
        resolve(value);
      },
      (error: unknown) => {
        timer.cancel();
        reject(error instanceof Error ? error : new Error(wordsOf(error)));
      },
    );
  });
}

/** Waits; ends early, without error, when `signal` aborts. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = clock.after(ms, done);
    function done() {
      signal?.removeEventListener('abort', done);
      timer.cancel();
      resolve();
    }
    signal?.addEventListener('abort', done, { once: true });
  });
}

/** Waits for `work`, but no longer than `ms`, whatever comes of it; never rejects. */
export async function settledWithin(clock: Clock, ms: number, work: Promise<unknown>): Promise<void> {
  const done = new AbortController();
  const settled = work.then(
    () => done.abort(),
    () => done.abort(),
  );
  await Promise.race([settled, pause(clock, ms, done.signal)]);
}

/** The part of Node's socket that is used here. */
type Lingering = {
  destroySoon(): void;
  end(): unknown;
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
};

/**
 * Before the last answer of a connection whose client is still sending. If it were closed with unread data, the kernel
 * would reset it and the client might lose the answer. So incoming data is discarded for `ms`, or until the client has
 * closed.
 */
export function linger(socket: Lingering, clock: Clock, ms: number): void {
  // The way Node closes a connection after its last answer.
  socket.destroySoon = () => {
    socket.end();
    const cut = clock.after(ms, () => socket.destroy());
    socket.once('close', () => cut.cancel());
  };
}
