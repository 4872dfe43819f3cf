import type { Clock } from './ports/clock.ts';

const MINUTE_MS = 60_000;

/**
 * How often each name did something within the last minute; times of the monotonic clock. It keeps at most `max` times a name. Names are
 * those of a configuration or of tokens: a bounded number.
 */
export class PerMinute {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #times = new Map<string, number[]>();

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
  }

  /** Counts one more, where fewer than `max` are in the last minute, and gives 0; else the seconds until one fits. */
  take(name: string, max: number): number {
    const now = this.#clock.monotonicMs();
    const times = (this.#times.get(name) ?? []).filter((time) => now - time < MINUTE_MS);
    this.#times.set(name, times);
    if (times.length < max) {
      times.push(now);
      return 0;
    }
    const next = times[times.length - max] ?? now;
    return Math.max(1, Math.ceil((next + MINUTE_MS - now) / 1000));
  }
}
