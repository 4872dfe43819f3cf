import { type Clock, EdgeError, type ModelPatience } from '../../../contract/core.ts';
import type { ShedLevel } from './shed-ladder.ts';

/** A call that gave way asks again after this, milliseconds; it then waits at the gate. */
const AGAIN_MS = 500;

/**
 * Where calls of models on this host pass: open, or held while control loops are late. `queue`: a call waits as it
 * would for a place, then goes elsewhere. `fallback`: it goes elsewhere at once; who has nowhere to go waits. `cancel`:
 * running ones are ended too, and go elsewhere.
 */
export class ShedGate {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #level: ShedLevel = 'none';
  #reason = '';
  #cancel = new AbortController();
  #under = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get level(): ShedLevel {
    return this.#level;
  }

  /** Calls that wait for it to open, and those that it let through and are running. */
  get waiting(): number {
    return this.#waiting.size;
  }
  get under(): number {
    return this.#under;
  }

  /** Aborts when running calls have to end. Taken again for each call. */
  get signal(): AbortSignal {
    return this.#cancel.signal;
  }

  /** How many calls were ended by it. */
  set(level: ShedLevel, reason: string): number {
    const before = this.#level;
    this.#level = level;
    this.#reason = reason;
    let cancelled = 0;
    if (level === 'cancel' && before !== 'cancel') {
      cancelled = this.#under;
      this.#cancel.abort(this.refusal());
    }
    if (level !== 'cancel' && this.#cancel.signal.aborted) this.#cancel = new AbortController();
    if (level === 'none') for (const go of [...this.#waiting]) go();
    return cancelled;
  }

  /**
   * Passes when it is open. `queueMs`: how long a call waits for a place; `leftMs`: how long at all. `lastOne`: no
   * other model is left to be asked. `model.unavailable` for who has to go elsewhere, `run.cancelled`.
   */
  async enter(
    wait: { readonly queueMs: number; readonly leftMs: number; readonly lastOne: boolean },
    signal: AbortSignal,
  ): Promise<() => void> {
    while (this.#level !== 'none') {
      if (this.#level !== 'queue' && !wait.lastOne) throw this.refusal();
      const ms = wait.lastOne ? wait.leftMs : Math.min(wait.queueMs, wait.leftMs);
      if (!(await this.#opened(ms, signal))) throw this.refusal();
    }
    this.#under += 1;
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      this.#under -= 1;
    };
  }

  refusal(): EdgeError {
    const patience: ModelPatience = { retryAfterMs: AGAIN_MS };
    return new EdgeError('model.unavailable', {
      operation: 'complete',
      subject: 'models',
      message: `models on this host give way to the control loops: ${this.#reason}`,
      cause: patience,
    });
  }

  #opened(ms: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted)
      return Promise.reject(new EdgeError('run.cancelled', { operation: 'complete', subject: 'models' }));
    return new Promise((resolve, reject) => {
      const leave = (settle: () => void) => () => {
        this.#waiting.delete(go);
        timer.cancel();
        signal.removeEventListener('abort', onAbort);
        settle();
      };
      const go = leave(() => resolve(true));
      const onAbort = leave(() =>
        reject(new EdgeError('run.cancelled', { operation: 'complete', subject: 'models' })),
      );
      const timer = this.#clock.after(
        ms,
        leave(() => resolve(false)),
      );
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(go);
    });
  }
}
