import { type Clock, LIMITS, NOT_CONFIRMED, type RestWatch, type Timer } from '../../contract/core.ts';

/** How often it is looked, and an order to stand is sent, milliseconds. */
const LOOK_MS = 50;
/** One order may get lost, and a base needs one to hear: so many at least. */
const ORDERS_MIN = 3;
/** What still moves is ordered to stand for this long, milliseconds. */
const BRAKE_MS_MAX = 10_000;

export type BrakeParts = {
  readonly clock: Clock;
  /** Orders it to stand; false when no receiver takes it. Absent: what was cancelled stops on its own. */
  order?(): boolean;
  /** Is given every new measurement. */
  readonly rest: Pick<RestWatch, 'begin' | 'rests'>;
  /** Measurements arrive. */
  connected(): boolean;
};

/** How a stop ended: measured to stand; still moving after `LIMITS.STILL_WAIT_MS`; or nothing was measured. */
export type Rest = 'at_rest' | 'moving' | 'silent';

type Asked = { readonly sinceMs: number; resolve(rest: Rest): void };

/** Brings a robot to rest, and reports whether it is measured to stand. */
export class Brake {
  readonly #parts: BrakeParts;
  #asked: Asked[] = [];
  /** What still has to end before a measurement counts. */
  #pending = 0;
  #orders = 0;
  #sinceMs = 0;
  #looks: Timer | undefined;

  constructor(parts: BrakeParts) {
    this.#parts = parts;
  }

  /**
   * The first order is sent before this returns. What is measured counts from when `after` has settled: until then
   * something may start to move. Each caller is answered within `LIMITS.STILL_WAIT_MS`.
   */
  engage(after?: Promise<unknown>): Promise<Rest> {
    const { clock, rest } = this.#parts;
    const { promise, resolve } = Promise.withResolvers<Rest>();
    this.#sinceMs = clock.monotonicMs();
    this.#asked.push({ sinceMs: this.#sinceMs, resolve });
    if (!this.#looks) {
      rest.begin();
      this.#orders = 0;
      this.#looks = clock.every(LOOK_MS, () => this.#look());
      this.#order();
    }
    if (after) {
      this.#pending++;
      const settled = () => {
        this.#pending--;
        rest.begin();
      };
      after.then(settled, settled);
    }
    return promise;
  }

  /** It may move again. */
  release(): void {
    this.#looks?.cancel();
    this.#looks = undefined;
    this.#answer('moving');
  }

  #look(): void {
    const { clock, rest, connected } = this.#parts;
    const nowMs = clock.monotonicMs();
    if (this.#pending === 0 && this.#orders >= ORDERS_MIN && rest.rests) {
      this.#looks?.cancel();
      this.#looks = undefined;
      this.#answer('at_rest');
      return;
    }
    this.#order();
    const late = this.#asked.filter(({ sinceMs }) => nowMs - sinceMs >= LIMITS.STILL_WAIT_MS);
    if (late.length > 0) this.#answer(connected() ? 'moving' : 'silent', late);
    if (nowMs - this.#sinceMs >= BRAKE_MS_MAX) this.release();
  }

  #order(): void {
    this.#orders++;
    this.#parts.order?.();
  }

  #answer(rest: Rest, whom: readonly Asked[] = this.#asked): void {
    this.#asked = this.#asked.filter((asked) => !whom.includes(asked));
    for (const { resolve } of whom) resolve(rest);
  }
}

/** What the message of a motion says besides, where it was not measured to stand. */
export function withRest(message: string, rest: Rest): string {
  if (rest === 'at_rest') return message;
  return message === '' ? NOT_CONFIRMED : `${message}; ${NOT_CONFIRMED}`;
}
