/** How many of the last calls are looked at. */
const KEPT = 512;

/** Durations of the last calls, milliseconds. */
export class Latencies {
  readonly #ring = new Float64Array(KEPT);
  #count = 0;

  add(ms: number): void {
    this.#ring[this.#count % KEPT] = ms;
    this.#count += 1;
  }

  /** The value that the share `q` of them is not above; undefined before the first. */
  quantile(q: number): number | undefined {
    const kept = Math.min(this.#count, KEPT);
    if (kept === 0) return undefined;
    const sorted = this.#ring.slice(0, kept).sort();
    return sorted[Math.min(kept - 1, Math.floor(q * kept))];
  }
}
