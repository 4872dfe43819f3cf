import type { DropReason, LedgerLine } from '../../../contract/index.ts';

type Line = { received: number; written: number; readonly dropped: Partial<Record<DropReason, number>> };

/**
 * The loss ledger: per topic received = written + dropped(reason), exact whenever nothing is in flight.
 * Whoever takes a sample counts it received; whoever lets go of it counts it written or dropped.
 */
export class Ledger {
  readonly #lines = new Map<string, Line>();
  #received = 0;
  #written = 0;
  #dropped = 0;

  received(topic: string, count = 1): void {
    this.#line(topic).received += count;
    this.#received += count;
  }

  written(topic: string, count = 1): void {
    this.#line(topic).written += count;
    this.#written += count;
  }

  dropped(topic: string, reason: DropReason, count = 1): void {
    if (count === 0) return;
    const line = this.#line(topic);
    line.dropped[reason] = (line.dropped[reason] ?? 0) + count;
    this.#dropped += count;
  }

  lines(): LedgerLine[] {
    return [...this.#lines]
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
      .map(([topic, { received, written, dropped }]) => ({
        topic,
        received,
        written,
        dropped: { ...dropped },
      }));
  }

  totals(): { received: number; written: number; dropped: number; inFlight: number } {
    const inFlight = this.#received - this.#written - this.#dropped;
    return { received: this.#received, written: this.#written, dropped: this.#dropped, inFlight };
  }

  #line(topic: string): Line {
    let line = this.#lines.get(topic);
    if (!line) {
      line = { received: 0, written: 0, dropped: {} };
      this.#lines.set(topic, line);
    }
    return line;
  }
}
