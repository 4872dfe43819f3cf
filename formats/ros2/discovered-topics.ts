/** How long a topic without a publisher keeps its place, milliseconds: a restarted node is back by then. */
export const RELEASE_AFTER_MS = 60_000;
/**
 * Different names that discovery takes in the life of a source, a name once for each type. A place is given back; what
 * was recorded and counted of a name stays in memory, and a recording has 65,535 channels. Robots have some hundreds.
 */
export const DISCOVERED_NAMES_MAX = 4_096;
/** The report about the first name that is not taken. */
export const NAMES_EXHAUSTED = `discovery has taken ${DISCOVERED_NAMES_MAX} different topics since the daemon started, and takes no other name; restart the daemon, and keep names that change with each start out by ros.deny`;

/** The resource that is used up. */
export type DiscoveryShortage = 'places' | 'names';

/**
 * The topics that discovery has added: so many places, and each is given back when its topic has had no publisher for
 * a while. On a robot that is up for months names come and go. Times are those of a monotonic clock.
 */
export class DiscoveredTopics {
  readonly #topicsMax: number;
  readonly #releaseAfterMs: number;
  /** Since when it has no publisher; undefined while it has one. */
  readonly #absentSinceMs = new Map<string, number | undefined>();
  /** Each topic and type that ever had a place. */
  readonly #names = new Set<string>();
  #pausedSinceMs: number | undefined;

  constructor(topicsMax: number, releaseAfterMs = RELEASE_AFTER_MS) {
    this.#topicsMax = topicsMax;
    this.#releaseAfterMs = releaseAfterMs;
  }

  /** Why it cannot be added; undefined when it can. */
  shortage(topic: string, type: string): DiscoveryShortage | undefined {
    if (this.#names.size >= DISCOVERED_NAMES_MAX && !this.#names.has(`${topic} ${type}`)) return 'names';
    return this.#absentSinceMs.size >= this.#topicsMax ? 'places' : undefined;
  }

  add(topic: string, type: string): void {
    this.#names.add(`${topic} ${type}`);
    this.#absentSinceMs.set(topic, undefined);
  }

  delete(topic: string): void {
    this.#absentSinceMs.delete(topic);
  }

  clear(): void {
    this.#absentSinceMs.clear();
  }

  /**
   * The graph is unavailable, or has no other node: the link broke, which does not mean that publishers are gone.
   * Absence counts again from the next look.
   */
  pause(nowMs: number): void {
    this.#pausedSinceMs ??= nowMs;
  }

  /**
   * Records the topics that are published now. Topics without a publisher for long enough lose their place and are
   * returned.
   */
  look(published: ReadonlySet<string>, nowMs: number): string[] {
    this.#resume(nowMs);
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
    if (this.#pausedSinceMs !== undefined) return undefined;
    let dueMs: number | undefined;
    for (const sinceMs of this.#absentSinceMs.values()) {
      if (sinceMs !== undefined)
        dueMs = Math.min(dueMs ?? Number.POSITIVE_INFINITY, sinceMs + this.#releaseAfterMs);
    }
    return dueMs;
  }

  #resume(nowMs: number): void {
    const pausedSinceMs = this.#pausedSinceMs;
    if (pausedSinceMs === undefined) return;
    this.#pausedSinceMs = undefined;
    // The time is not restarted: a single node that restarts again and again would keep all of its names.
    for (const [topic, sinceMs] of this.#absentSinceMs)
      if (sinceMs !== undefined) this.#absentSinceMs.set(topic, sinceMs + nowMs - pausedSinceMs);
  }
}
