import { type Clock, EdgeError, withDeadline } from '../../contract/core.ts';
import type { ApiCall, ApiNews, ApiWord } from './api-wire.ts';
import type { HostProcess } from './host-process.ts';

/**
 * The host's own deadline comes first, so that its better message arrives; this one is for a host that does not answer.
 */
const GRACE_MS = 1_000;

export type ApiListener = {
  /** A host is there: what was served is served again. Rejecting ends this host. */
  onHost(host: HostProcess): Promise<void>;
  /** `attached`: calls went to it; else it ended while what was served was being served again. */
  onHostGone(host: HostProcess, reason: string, attached: boolean): void;
  /**
   * Sent by `host`, also one to which no call goes yet. What is said to that goes back to `host`, never to the one
   * after it: its numbers are those of one life of a host.
   */
  onNews(news: ApiNews, host: HostProcess): void;
};

/**
 * The way of API calls to whatever host runs now. A call made while none does waits for the next one until its
 * deadline; one that was running when its host died is refused with `ros.failed`: it may have had its effect.
 */
export class ApiLink {
  readonly #clock: Clock;
  readonly #listeners: ApiListener[] = [];
  #host: HostProcess | undefined;
  /** It has been started, and is given what was served. */
  #coming: HostProcess | undefined;
  #next = Promise.withResolvers<HostProcess>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  listen(listener: ApiListener): void {
    this.#listeners.push(listener);
  }

  /** Rejects where something could not be served because the host ended meanwhile. */
  async attach(host: HostProcess): Promise<void> {
    this.#coming = host;
    for (const listener of this.#listeners) await listener.onHost(host);
    if (this.#coming !== host) throw ended();
    this.#coming = undefined;
    this.#host = host;
    this.#next.resolve(host);
  }

  detach(host: HostProcess, reason: string): void {
    const attached = this.#host === host;
    if (!attached && this.#coming !== host) return;
    if (attached) {
      this.#host = undefined;
      this.#next = Promise.withResolvers<HostProcess>();
    } else this.#coming = undefined;
    for (const listener of this.#listeners) listener.onHostGone(host, reason, attached);
  }

  news(host: HostProcess, news: ApiNews): void {
    for (const listener of this.#listeners) listener.onNews(news, host);
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

  /** To whatever host runs. */
  word(word: ApiWord): void {
    this.host?.apiWord(word);
  }

  /** The one that runs, also while it is still given what was served. */
  get host(): HostProcess | undefined {
    return this.#host ?? this.#coming;
  }

  #ready(): Promise<HostProcess> {
    return this.#host ? Promise.resolve(this.#host) : this.#next.promise;
  }
}

function ended(): EdgeError {
  const message = 'the ROS host ended while it was started';
  return new EdgeError('ros.failed', { operation: 'start', subject: 'ROS host', message });
}

function abortedBy(
  signal: AbortSignal | undefined,
  operation: string,
  subject: string,
): { promise: Promise<never>; forget(): void } {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const onAbort = () =>
    reject(new EdgeError('deadline.exceeded', { operation, subject, message: 'cancelled by its caller' }));
  if (signal?.aborted) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return { promise, forget: () => signal?.removeEventListener('abort', onAbort) };
}
