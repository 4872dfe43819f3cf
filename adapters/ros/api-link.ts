import { type Clock, EdgeError, withDeadline } from '../../contract/core.ts';
import type { ApiCall, ApiNews, ApiWord } from './api-wire.ts';
import type { HostProcess } from './host-process.ts';

/** The host's own deadline comes first, so that its better message arrives; this one is for a deaf host. */
const GRACE_MS = 1_000;

export type ApiListener = {
  /** A host is there: what was served is served again. Rejecting ends this host. */
  onHost(host: HostProcess): Promise<void>;
  onHostGone(reason: string): void;
  onNews(news: ApiNews): void;
};

/**
 * The way of API calls to whatever host runs now. A call made while none does waits for the next one until its
 * deadline; one that was under way when its host died is refused with `ros.failed`: it may have had its effect.
 */
export class ApiLink {
  readonly #clock: Clock;
  readonly #listeners: ApiListener[] = [];
  #host: HostProcess | undefined;
  #next = Promise.withResolvers<HostProcess>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  listen(listener: ApiListener): void {
    this.#listeners.push(listener);
  }

  async attach(host: HostProcess): Promise<void> {
    for (const listener of this.#listeners) await listener.onHost(host);
    this.#host = host;
    this.#next.resolve(host);
  }

  detach(host: HostProcess, reason: string): void {
    const hadIt = this.#host === host;
    if (hadIt) {
      this.#host = undefined;
      this.#next = Promise.withResolvers<HostProcess>();
    }
    if (hadIt) for (const listener of this.#listeners) listener.onHostGone(reason);
  }

  news(news: ApiNews): void {
    for (const listener of this.#listeners) listener.onNews(news);
  }

  /** Rejects with the host's error, `ros.failed` when the host died, `deadline.exceeded`. */
  async call<T>(
    call: ApiCall,
    timeoutMs: number,
    operation: string,
    subject: string,
    signal?: AbortSignal,
  ): Promise<T> {
    const untilMs = this.#clock.monotonicMs() + timeoutMs;
    const aborted = abortedBy(signal, operation, subject);
    try {
      const waiting = withDeadline(this.#clock, timeoutMs, this.#ready(), operation, subject);
      const host = await Promise.race([waiting, aborted.promise]);
      const leftMs = Math.max(1, untilMs - this.#clock.monotonicMs());
      const timed = 'timeoutMs' in call ? { ...call, timeoutMs: leftMs } : call;
      const { answer, abort } = host.apiCall(timed);
      const late = withDeadline(this.#clock, leftMs + GRACE_MS, answer, operation, subject);
      try {
        return (await Promise.race([late, aborted.promise])) as T;
      } catch (error) {
        abort();
        throw error;
      }
    } finally {
      aborted.forget();
    }
  }

  word(word: ApiWord): void {
    this.#host?.apiWord(word);
  }

  get attached(): boolean {
    return this.#host !== undefined;
  }

  #ready(): Promise<HostProcess> {
    return this.#host ? Promise.resolve(this.#host) : this.#next.promise;
  }
}

function abortedBy(
  signal: AbortSignal | undefined,
  operation: string,
  subject: string,
): { promise: Promise<never>; forget(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const onAbort = () =>
    reject(new EdgeError('deadline.exceeded', { operation, subject, message: 'given up by its caller' }));
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return { promise, forget: () => signal?.removeEventListener('abort', onAbort) };
}
