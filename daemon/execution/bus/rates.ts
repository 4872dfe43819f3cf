const WINDOW_MS = 1_000;

type Window = { since: number; count: number; rate: number };

/** Messages per second by topic, over the last whole second; a topic without new messages decays to zero. */
export class Rates {
  readonly #topics = new Map<string, Window>();

  count(topic: string, nowMs: number): void {
    const window = this.#topics.get(topic);
    if (!window) {
      this.#topics.set(topic, { since: nowMs, count: 1, rate: 0 });
      return;
    }
    roll(window, nowMs);
    window.count += 1;
  }

  forget(topic: string): void {
    this.#topics.delete(topic);
  }

  of(topic: string, nowMs: number): number {
    const window = this.#topics.get(topic);
    if (!window) return 0;
    roll(window, nowMs);
    return window.rate;
  }

  all(nowMs: number): Record<string, number> {
    return Object.fromEntries([...this.#topics.keys()].map((topic) => [topic, this.of(topic, nowMs)]));
  }

  total(nowMs: number): number {
    let sum = 0;
    for (const topic of this.#topics.keys()) sum += this.of(topic, nowMs);
    return sum;
  }
}

function roll(window: Window, nowMs: number): void {
  const elapsed = nowMs - window.since;
  if (elapsed < WINDOW_MS) return;
  window.rate = (window.count * 1_000) / elapsed;
  window.since = nowMs;
  window.count = 0;
}
