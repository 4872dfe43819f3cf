import { type Clock, EdgeError } from '../../../contract/core.ts';

type Waiting = { readonly go: () => void; readonly refuse: (error: EdgeError) => void };

/**
 * The gate for calls to an engine. Closed while it sleeps or is away: a request to a sleeping engine would hang
 * forever. It counts running calls, so that a sleep interrupts none of them.
 */
export class EngineGate {
  readonly #clock: Clock;
  readonly #waiting = new Set<Waiting>();
  #inside = 0;
  #open = false;
  #emptied: (() => void)[] = [];
  /** When the last call left, monotonic milliseconds. */
  lastMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.lastMs = clock.monotonicMs();
  }

  get inside(): number {
    return this.#inside;
  }
  get waiting(): number {
    return this.#waiting.size;
  }

  open(): void {
    this.#open = true;
    this.lastMs = this.#clock.monotonicMs();
    for (const { go } of [...this.#waiting]) go();
  }

  /** Closes the gate. Waiting calls keep waiting, or are refused by `refuse`. */
  shut(): void {
    this.#open = false;
  }

  refuse(error: EdgeError): void {
    for (const { refuse } of [...this.#waiting]) refuse(error);
  }

  /**
   * Passes when it is open; returns the function that leaves again. Rejects with `deadline.exceeded`, `run.cancelled`.
   */
  async enter(ms: number, signal: AbortSignal | undefined): Promise<() => void> {
    if (!this.#open) await this.#opened(ms, signal);
    this.#inside += 1;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#inside -= 1;
      this.lastMs = this.#clock.monotonicMs();
      if (this.#inside === 0) for (const emptied of this.#emptied.splice(0)) emptied();
    };
  }

  /** Resolves when no call is running; false after `ms`. */
  empty(ms: number): Promise<boolean> {
    if (this.#inside === 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const timer = this.#clock.after(ms, () => resolve(false));
      this.#emptied.push(() => {
        timer.cancel();
        resolve(true);
      });
    });
  }

  #opened(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const fault = (code: 'deadline.exceeded' | 'run.cancelled', message: string) =>
      new EdgeError(code, { operation: 'complete', subject: 'engine', message });
    if (signal?.aborted) return Promise.reject(fault('run.cancelled', 'the call was cancelled'));
    return new Promise((resolve, reject) => {
      const leave = () => {
        this.#waiting.delete(one);
        timer.cancel();
        signal?.removeEventListener('abort', onAbort);
      };
      const refuse = (error: EdgeError) => {
        leave();
        reject(error);
      };
      const go = () => {
        leave();
        resolve();
      };
      const one: Waiting = { go, refuse };
      const onAbort = () => refuse(fault('run.cancelled', 'the call was cancelled'));
      const timer = this.#clock.after(ms, () =>
        refuse(fault('deadline.exceeded', `the engine was not ready within ${Math.round(ms)} ms`)),
      );
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(one);
    });
  }
}
