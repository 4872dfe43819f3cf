import type { Clock } from '../contract/index.ts';

/** Wakes waiting callers; a ring without a waiting caller is kept for the next caller. */
export class Alarm {
  #rung: 'no' | 'yes' | 'loud' = 'no';
  #wake: (() => void) | undefined;
  #deaf = false;

  /** `loud` also wakes callers that ignore ordinary rings. */
  ring(loud = false): void {
    if (loud || this.#rung === 'no') this.#rung = loud ? 'loud' : 'yes';
    if (loud || !this.#deaf) this.#wake?.();
  }

  /** Settles after `ms`, at a ring, or when `signal` aborts. With `deaf` only a loud ring counts. */
  async wait(clock: Clock, ms: number, signal: AbortSignal, deaf = false): Promise<void> {
    const kept = this.#rung;
    this.#rung = 'no';
    if (signal.aborted || kept === 'loud' || (kept === 'yes' && !deaf)) return;
    await new Promise<void>((resolve) => {
      const done = () => {
        timer.cancel();
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = clock.after(ms, done);
      this.#deaf = deaf;
      this.#wake = done;
      signal.addEventListener('abort', done, { once: true });
    });
    this.#rung = 'no';
  }
}
