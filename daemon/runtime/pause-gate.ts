/** A door that is open or shut. Who waits at it is let through when it opens, and turned away when the run ends. */
export class PauseGate {
  #opened: Promise<void> | undefined;
  #open: (() => void) | undefined;

  get shut(): boolean {
    return this.#opened !== undefined;
  }

  close(): void {
    this.#opened ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#open?.();
    this.#opened = undefined;
    this.#open = undefined;
  }

  /** Resolves when the door is open; rejects with the reason of the signal. */
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
