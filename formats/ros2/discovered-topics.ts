/** How long a topic that nobody publishes keeps its place, milliseconds: a node that is started anew is back by then. */
export const RELEASE_AFTER_MS = 60_000;

/**
 * The topics that discovery has added: so many places, and each is given back when nobody has published its topic for
 * a while. On a robot that is up for months names come and go. Times are those of a monotonic clock.
 */
export class DiscoveredTopics {
  readonly #topicsMax: number;
  readonly #releaseAfterMs: number;
  /** Since when nobody publishes it; undefined while somebody does. */
  readonly #absentSinceMs = new Map<string, number | undefined>();

  constructor(topicsMax: number, releaseAfterMs = RELEASE_AFTER_MS) {
    this.#topicsMax = topicsMax;
    this.#releaseAfterMs = releaseAfterMs;
  }

  get isFull(): boolean {
    return this.#absentSinceMs.size >= this.#topicsMax;
  }

  add(topic: string): void {
    this.#absentSinceMs.set(topic, undefined);
  }

  delete(topic: string): void {
    this.#absentSinceMs.delete(topic);
  }

  clear(): void {
    this.#absentSinceMs.clear();
  }

  /** Takes note of who is published now; what was not for long enough loses its place, and is returned. */
  look(published: ReadonlySet<string>, nowMs: number): string[] {
    const released: string[] = [];
    for (const [topic, sinceMs] of this.#absentSinceMs) {
      if (published.has(topic)) this.#absentSinceMs.set(topic, undefined);
      else if (sinceMs === undefined) this.#absentSinceMs.set(topic, nowMs);
      else if (nowMs - sinceMs >= this.#releaseAfterMs) released.push(topic);
    }
    for (const topic of released) this.#absentSinceMs.delete(topic);
    return released;
  }

  /** When the next place may be given back: look again by then, although the graph has not changed. */
  nextDueMs(): number | undefined {
    let dueMs: number | undefined;
    for (const sinceMs of this.#absentSinceMs.values()) {
      if (sinceMs !== undefined)
        dueMs = Math.min(dueMs ?? Number.POSITIVE_INFINITY, sinceMs + this.#releaseAfterMs);
    }
    return dueMs;
  }
}
