import type { HostedOutcome, HostedRun } from '../contract/core.ts';

/** What carries out one hosted run, for example with a foreign agent. */
type Carrier = {
  work(): Promise<HostedOutcome>;
  /** Ends everything that is open, the calls of tools first. */
  end(): Promise<void>;
};

/** One run from its start to its end, however its work ends. Rejects with the cause where the work does. */
export async function carryOut(carrier: Carrier): Promise<HostedOutcome> {
  try {
    return await carrier.work();
  } finally {
    await carrier.end();
  }
}

/** Whatever a run waits for ends with the run. */
export class RunEnd {
  readonly #over = Promise.withResolvers<never>();

  constructor({ signal }: Pick<HostedRun, 'signal'>) {
    this.#over.promise.catch(() => {});
    const stop = () => this.cut(new Error('the run is over'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  /** Everything that is waited for, now and later, rejects with this cause; the first one counts. */
  cut(cause: Error): void {
    this.#over.reject(cause);
  }

  race<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#over.promise]);
  }
}
