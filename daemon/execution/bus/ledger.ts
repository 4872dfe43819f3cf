import type { DropReason, LedgerLine } from '../../../contract/core.ts';

type Line = {
  received: number;
  forwarded: number;
  written: number;
  readonly dropped: Partial<Record<DropReason, number>>;
};

/**
 * The loss ledger of one hop: per topic received = forwarded + written + dropped(reason), exact whenever nothing is in
 * flight. The part that takes a sample counts it as received; the part that releases it counts it as forwarded, written
 * or dropped.
 */
export class Ledger {
  readonly #hop: string | undefined;
  readonly #lines = new Map<string, Line>();
  #received = 0;
  #forwarded = 0;
  #written = 0;
  #dropped = 0;

  /** `hop`: `route:<name>`; left out for the recorder. */
  constructor(hop?: string) {
    this.#hop = hop;
  }

  received(topic: string, count = 1): void {
    this.#line(topic).received += count;
    this.#received += count;
  }

  forwarded(topic: string, count = 1): void {
    this.#line(topic).forwarded += count;
    this.#forwarded += count;
  }

  written(topic: string, count = 1): void {
    this.#line(topic).written += count;
    this.#written += count;
  }

  /** Written samples no longer exist: evicted from a ring, discarded with its episode. */
  unwritten(topic: string, reason: DropReason, count: number): void {
    const gone = Math.min(count, this.#lines.get(topic)?.written ?? 0);
    if (gone === 0) return;
    this.#line(topic).written -= gone;
    this.#written -= gone;
    this.dropped(topic, reason, gone);
  }

  dropped(topic: string, reason: DropReason, count = 1): void {
    if (count === 0) return;
    const line = this.#line(topic);
    line.dropped[reason] = (line.dropped[reason] ?? 0) + count;
    this.#dropped += count;
  }

  get size(): number {
    return this.#lines.size;
  }

  has(topic: string): boolean {
    return this.#lines.has(topic);
  }

  lines(): LedgerLine[] {
    return [...this.#lines]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([topic, { received, forwarded, written, dropped }]) => ({
        topic,
        ...(this.#hop === undefined ? {} : { hop: this.#hop, forwarded }),
        received,
        written,
        dropped: { ...dropped },
      }));
  }

  totals(): { received: number; written: number; dropped: number; inFlight: number } {
    const inFlight = this.#received - this.#forwarded - this.#written - this.#dropped;
    return { received: this.#received, written: this.#written, dropped: this.#dropped, inFlight };
  }

  /** Of all topics. */
  droppedByReason(): Partial<Record<DropReason, number>> {
    const sum: Partial<Record<DropReason, number>> = {};
    for (const { dropped } of this.#lines.values()) {
      for (const [reason, count] of Object.entries(dropped) as [DropReason, number][])
        sum[reason] = (sum[reason] ?? 0) + count;
    }
    return sum;
  }

  #line(topic: string): Line {
    let line = this.#lines.get(topic);
    if (!line) {
      line = { received: 0, forwarded: 0, written: 0, dropped: {} };
      this.#lines.set(topic, line);
    }
    return line;
  }
}
