import type { Clock } from '../../../contract/index.ts';

/** A gate that is open or shut. Calls wait at it until it opens, and are rejected when the run ends. */
export class PauseGate {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #opened: Promise<void> | undefined;
  #open: (() => void) | undefined;
  #shutAtMs = 0;
  #shutMs = 0;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  get shut(): boolean {
    return this.#opened !== undefined;
  }

  /** How long it was shut so far, milliseconds. */
  get shutMs(): number {
    return this.#shutMs + (this.shut ? this.#clock.monotonicMs() - this.#shutAtMs : 0);
  }

  close(): void {
    if (this.#opened) return;
    this.#shutAtMs = this.#clock.monotonicMs();
    this.#opened = new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#shutMs = this.shutMs;
    this.#open?.();
    this.#opened = undefined;
    this.#open = undefined;
  }

  /** Resolves when the gate is open. Rejects with the reason of the signal when that aborts. */
  async pass(signal: AbortSignal): Promise<void> {
    while (this.#opened && !signal.aborted) await orAborted(this.#opened, signal);
    signal.throwIfAborted();
  }
}

function orAborted(opened: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      signal.removeEventListener('abort', done);
      resolve();
    };
    signal.addEventListener('abort', done, { once: true });
    void opened.then(done);
  });
}
