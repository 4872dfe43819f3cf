/** Concurrent declarations. Each holds a thread of the addon; Zenoh does them one after the other anyway. */
const WIDTH = 8;

/** Runs a few jobs at a time, first come first served. */
export class NativeGate {
  readonly #waiting: (() => void)[] = [];
  #next = 0;
  #inside = 0;

  /** Runs `work` when there is room. What `work` throws is the caller's. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= WIDTH) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#inside += 1;
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  /** The place goes to the next waiting job, if there is one. */
  #leave(): void {
    const next = this.#waiting[this.#next];
    if (next === undefined) {
      this.#inside -= 1;
      return;
    }
    this.#next += 1;
    if (this.#next === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#next = 0;
    }
    next();
  }
}
