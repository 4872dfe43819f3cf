import type { Clock } from '../../../contract/core.ts';

/** Bad answers in a row after which a model rests; one that cannot be reached rests at once. */
const BAD_ANSWERS_MAX = 3;
const REST_FIRST_MS = 2_000;
const REST_MAX_MS = 60_000;

export type BreakerState = 'closed' | 'open' | 'half_open';

/**
 * Whether a model is worth asking. One that failed rests, twice as long each time; then one call tries it while
 * others still go elsewhere. A resting model is not forbidden: it is asked last.
 */
export class CircuitBreaker {
  readonly #clock: Clock;
  #until = Number.NEGATIVE_INFINITY;
  #restMs = 0;
  #bad = 0;
  #trying = false;
  reason = '';

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get state(): BreakerState {
    if (this.#restMs === 0) return 'closed';
    return this.#clock.monotonicMs() < this.#until ? 'open' : 'half_open';
  }

  /** Whether this call goes to it in its turn. In `half_open` the first one does. Ends with `good`, `bad` or `gone`. */
  pass(): boolean {
    const { state } = this;
    if (state === 'closed') return true;
    if (state === 'open' || this.#trying) return false;
    this.#trying = true;
    return true;
  }

  good(): void {
    this.#restMs = 0;
    this.#bad = 0;
    this.#trying = false;
    this.reason = '';
  }

  /** It answered, and badly. */
  bad(reason: string): void {
    this.#bad += 1;
    this.#trying = false;
    if (this.#bad >= BAD_ANSWERS_MAX || this.#restMs > 0) this.#rest(reason, 0);
  }

  /** It did not answer. `patienceMs`: what its server asked for. */
  gone(reason: string, patienceMs = 0): void {
    this.#trying = false;
    this.#rest(reason, patienceMs);
  }

  /** The call that tried it ended for reasons of its own. */
  letGo(): void {
    this.#trying = false;
  }

  /** Somebody saw it alive: the next call tries it. */
  seenAlive(): void {
    this.#until = Number.NEGATIVE_INFINITY;
  }

  #rest(reason: string, patienceMs: number): void {
    this.#restMs = this.#restMs === 0 ? REST_FIRST_MS : Math.min(REST_MAX_MS, this.#restMs * 2);
    this.#until = this.#clock.monotonicMs() + Math.max(this.#restMs, patienceMs);
    this.reason = reason;
  }
}
