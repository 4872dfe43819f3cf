import type { Clock, Nanoseconds, Timer } from '../../../contract/index.ts';

type Pending = {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  /** Brings an answer of the record. */
  readonly delivers: boolean;
  live: boolean;
};

/**
 * The clock of a recorded run: it stands where the record stands and continues only on request. Timers fire
 * in the order of their time, also those with which recorded answers are delivered, so that a deadline that was
 * passed then is passed again.
 */
export class ReplayClock implements Clock {
  readonly #start: Nanoseconds;
  #ms = 0;
  #order = 0;
  #timers: Pending[] = [];
  /** Counts whatever was asked of it: something is happening. */
  asked = 0;

  constructor(start: Nanoseconds) {
    this.#start = start;
  }

  now(): Nanoseconds {
    this.asked++;
    return this.#start + BigInt(Math.round(this.#ms * 1e6));
  }

  monotonicMs(): number {
    this.asked++;
    return this.#ms;
  }

  after(ms: number, fire: () => void): Timer {
    return this.#add(ms, fire, false);
  }

  /** Resolves when an answer of the record comes: after `ms`, or at once when `signal` aborts. */
  deliver(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#add(ms, done, true);
      function done() {
        signal?.removeEventListener('abort', done);
        timer.cancel();
        resolve();
      }
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  #add(ms: number, fire: () => void, delivers: boolean): Timer {
    this.asked++;
    const at = this.#ms + Math.max(0, ms);
    const timer: Pending = { at, order: this.#order++, fire, delivers, live: true };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.live = false;
      },
    };
  }

  every(ms: number, fire: () => void): Timer {
    let timer = this.after(ms, tick);
    const self = this;
    function tick() {
      timer = self.after(Math.max(ms, 0.001), tick);
      fire();
    }
    return { cancel: () => timer.cancel() };
  }

  /** Milliseconds since the start at which the record was, for a wall time of it. */
  at(ts: Nanoseconds): number {
    return Number(ts - this.#start) / 1e6;
  }

  /** The record is this far, milliseconds since the start; timers that are due fire when nothing else happens. */
  reach(ms: number): void {
    this.#ms = Math.max(this.#ms, ms);
  }

  /**
   * Fires the next timer that is due by `until`, milliseconds since the start; `only` those that bring answers.
   * False where no timer is due.
   */
  fireNext(until: number, only?: 'answers'): boolean {
    this.#timers = this.#timers.filter((timer) => timer.live);
    const limit = Math.max(until, this.#ms);
    let next: Pending | undefined;
    for (const timer of this.#timers) {
      if (timer.at > limit || (only && !timer.delivers)) continue;
      if (!next || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer;
    }
    if (!next) return false;
    next.live = false;
    this.reach(next.at);
    next.fire();
    return true;
  }
}
