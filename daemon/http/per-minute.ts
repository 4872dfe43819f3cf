import type { Clock } from '../../contract/index.ts';

const MINUTE_MS = 60_000;

/** How often each tenant asked for something in its current minute. Tenants are those of tokens: a bounded number. */
export class PerMinute {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #max: number;
  readonly #asked = new Map<string, { readonly fromMs: number; times: number }>();

  constructor(clock: Pick<Clock, 'monotonicMs'>, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  /** Counts one more; the seconds until the next may come where it is one too many, else 0. */
  take(tenant: string): number {
    const now = this.#clock.monotonicMs();
    const before = this.#asked.get(tenant);
    if (!before || now - before.fromMs >= MINUTE_MS) {
      this.#asked.set(tenant, { fromMs: now, times: 1 });
      return 0;
    }
    if (before.times < this.#max) {
      before.times++;
      return 0;
    }
    return Math.ceil((before.fromMs + MINUTE_MS - now) / 1000);
  }
}
