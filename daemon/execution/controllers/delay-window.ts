/** Delays that are remembered; at ten inferences per second 26 s. */
const SIZE = 256;
/** After this time a delay counts half, milliseconds. */
const HALF_LIFE_MS = 20_000;

/**
 * How long the path of an inference takes, lately. A quantile weighs recent delays more, and leaves the single
 * largest one out: one outlier does not rule, two of a kind do.
 */
export class DelayWindow {
  readonly #delays = new Float64Array(SIZE);
  readonly #times = new Float64Array(SIZE);
  #added = 0;

  get count(): number {
    return Math.min(this.#added, SIZE);
  }

  /** Milliseconds, both. A value that is not a finite number above 0 is ignored. */
  add(delayMs: number, nowMs: number): void {
    if (!Number.isFinite(delayMs) || delayMs < 0) return;
    this.#delays[this.#added % SIZE] = delayMs;
    this.#times[this.#added % SIZE] = nowMs;
    this.#added++;
  }

  /** Undefined before the first delay. */
  quantile(share: number, nowMs: number): number | undefined {
    const { count } = this;
    if (count === 0) return undefined;
    const order = Array.from({ length: count }, (_, i) => i).sort(
      (a, b) => this.#delays[a]! - this.#delays[b]!,
    );
    if (count > 1) order.pop();
    const weight = (i: number) => 2 ** -((nowMs - this.#times[i]!) / HALF_LIFE_MS);
    let total = 0;
    for (const i of order) total += weight(i);
    // All of it was so long ago that nothing weighs anything.
    if (!(total > 0)) return this.#delays[order.at(-1)!];
    let sum = 0;
    for (const i of order) {
      sum += weight(i);
      if (sum >= share * total) return this.#delays[i];
    }
    return this.#delays[order.at(-1)!];
  }
}
