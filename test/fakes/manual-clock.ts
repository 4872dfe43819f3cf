import type { Clock, Nanoseconds, Timer } from '../../contract/index.ts';

type Due = { at: number; order: number; fire: () => void; every: number | undefined; live: boolean };

/** A clock that moves only when told to. Timers fire in order of their time, then of their making. */
export class ManualClock implements Clock {
  #ms = 0;
  #wall: bigint;
  #order = 0;
  #timers: Due[] = [];

  constructor(start: Nanoseconds = 1_700_000_000_000_000_000n) {
    this.#wall = start;
  }

  now(): Nanoseconds {
    return this.#wall + BigInt(Math.round(this.#ms * 1e6));
  }

  monotonicMs(): number {
    return this.#ms;
  }

  after(ms: number, fire: () => void): Timer {
    return this.#add(ms, fire, undefined);
  }

  every(ms: number, fire: () => void): Timer {
    return this.#add(ms, fire, Math.max(ms, 0.001));
  }

  /** Steps the wall clock without any time passing, as NTP or a person may. */
  jumpWall(ns: Nanoseconds): void {
    this.#wall += ns;
  }

  /** Time passes and nothing runs, as in a process that was stopped; what was due is late, periods are not made up for. */
  skip(ms: number): void {
    this.#ms += ms;
    for (const timer of this.#timers) if (timer.every !== undefined) timer.at = Math.max(timer.at, this.#ms);
  }

  /** Lets time pass, firing what is due, and gives promises a turn after each timer. */
  async advance(ms: number): Promise<void> {
    const end = this.#ms + ms;
    for (;;) {
      const next = this.#next(end);
      if (!next) break;
      this.#ms = Math.max(this.#ms, next.at);
      if (next.every === undefined) next.live = false;
      else next.at += next.every;
      next.fire();
      await settle();
    }
    this.#ms = end;
    await settle();
  }

  /** The first that is due until then; those that are over are forgotten. */
  #next(end: number): Due | undefined {
    let next: Due | undefined;
    let kept = 0;
    for (const timer of this.#timers) {
      if (!timer.live) continue;
      this.#timers[kept++] = timer;
      if (timer.at <= end && (!next || (timer.at - next.at || timer.order - next.order) < 0)) next = timer;
    }
    this.#timers.length = kept;
    return next;
  }

  #add(ms: number, fire: () => void, every: number | undefined): Timer {
    const timer = { at: this.#ms + Math.max(0, ms), order: this.#order++, fire, every, live: true };
    this.#timers.push(timer);
    return {
      cancel: () => {
        timer.live = false;
      },
    };
  }
}

async function settle(): Promise<void> {
  for (let i = 0; i < 8; i++) await Promise.resolve();
}
