/** Rate of a topic over the last messages. Pure. */

const WINDOW = 1_000;

export type Rate = {
  readonly messages: number;
  /** Messages per second between the first and the last of the window; undefined: fewer than two. */
  readonly hz: number | undefined;
  /** Bytes per second. */
  readonly bytes: number | undefined;
  /** Gaps between messages, milliseconds. */
  readonly shortestMs: number;
  readonly longestMs: number;
};

export class RateMeter {
  readonly #times: number[] = [];
  readonly #sizes: number[] = [];
  #messages = 0;

  /** `atMs`: when it was received. */
  take(atMs: number, bytes: number): void {
    this.#messages += 1;
    this.#times.push(atMs);
    this.#sizes.push(bytes);
    if (this.#times.length <= WINDOW) return;
    this.#times.shift();
    this.#sizes.shift();
  }

  view(): Rate {
    const times = this.#times;
    const gaps = times.slice(1).map((time, i) => time - times[i]!);
    const spanS = (times.at(-1)! - times[0]!) / 1_000;
    const isKnown = gaps.length > 0 && spanS > 0;
    const size = this.#sizes.slice(1).reduce((sum, one) => sum + one, 0);
    return {
      messages: this.#messages,
      hz: isKnown ? gaps.length / spanS : undefined,
      bytes: isKnown ? size / spanS : undefined,
      shortestMs: gaps.length > 0 ? Math.min(...gaps) : 0,
      longestMs: gaps.length > 0 ? Math.max(...gaps) : 0,
    };
  }
}
