/** Steps that are remembered: 40 s at 100 Hz. */
const SIZE = 4_096;

/** How late steps were lately, milliseconds; the greatest is of all of them. */
export class Lateness {
  readonly #late = new Float64Array(SIZE);
  #added = 0;
  #most = 0;

  add(lateMs: number): void {
    this.#late[this.#added % SIZE] = lateMs;
    this.#added++;
    if (lateMs > this.#most) this.#most = lateMs;
  }

  /** Undefined before the first. */
  get most(): number | undefined {
    return this.#added === 0 ? undefined : this.#most;
  }

  /** The greatest of the last `count` steps; undefined before the first. */
  recent(count: number): number | undefined {
    const from = Math.max(0, this.#added - Math.max(1, Math.min(count, SIZE)));
    let most: number | undefined;
    for (let at = from; at < this.#added; at++) {
      const late = this.#late[at % SIZE]!;
      if (most === undefined || late > most) most = late;
    }
    return most;
  }

  quantile(share: number): number | undefined {
    const count = Math.min(this.#added, SIZE);
    if (count === 0) return undefined;
    const sorted = this.#late.slice(0, count).sort();
    return sorted[Math.min(count - 1, Math.floor(share * count))];
  }
}
