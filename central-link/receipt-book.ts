import { type AgentEvent, LIMITS, type NewEvent, type Receipt } from '../contract/core.ts';

export const OWN_LANE = 'events.link';

/**
 * Decides which receipts are written to the link's log. A receipt covers everything before it, so of several
 * only the newest matters: at most one per lane and `LIMITS.LINK_RECEIPT_EVERY_MS`.
 *
 * The link ships its own log as well, and a receipt for that lane is an event of that lane: otherwise
 * each receipt would cause the next, forever. So a receipt of the own lane is written only when it
 * acknowledges something else than such receipts. Any event then causes at most one of them, and an idle
 * robot stops sending them.
 */
export class ReceiptBook {
  readonly #waiting = new Map<string, Receipt>();
  readonly #written = new Map<string, { at: number; seq: number; sha256: string }>();

  /** A receipt came for `batch`, which is empty if only the position was requested. */
  note(receipt: Receipt, batch: readonly AgentEvent[]): void {
    if (receipt.lane === OWN_LANE && batch.every(isOwnReceipt) && !this.#waiting.has(OWN_LANE)) return;
    const last = this.#written.get(receipt.lane);
    if (last?.seq === receipt.seq && last.sha256 === receipt.sha256) return;
    this.#waiting.set(receipt.lane, receipt);
  }

  /** Events to append now; with `all` also those whose time has not come. */
  due(nowMs: number, all = false): NewEvent<'link.receipt'>[] {
    return [...this.#waiting.values()]
      .filter(
        ({ lane }) =>
          all || nowMs - (this.#written.get(lane)?.at ?? -Infinity) >= LIMITS.LINK_RECEIPT_EVERY_MS,
      )
      .map(({ lane, epoch, seq, sha256, signature }) => ({
        kind: 'link.receipt',
        payload: { lane, epoch, seq, sha256, receipt: signature },
      }));
  }

  /** These events are durable now. */
  wrote(events: readonly NewEvent<'link.receipt'>[], nowMs: number): void {
    for (const { payload } of events) {
      this.#written.set(payload.lane, { at: nowMs, seq: payload.seq, sha256: payload.sha256 });
      if (this.#waiting.get(payload.lane)?.seq === payload.seq) this.#waiting.delete(payload.lane);
    }
  }

  /** Milliseconds until one more is due; undefined where none waits. */
  nextMs(nowMs: number): number | undefined {
    let next: number | undefined;
    for (const lane of this.#waiting.keys()) {
      const at = (this.#written.get(lane)?.at ?? -Infinity) + LIMITS.LINK_RECEIPT_EVERY_MS;
      next = Math.min(next ?? Infinity, Math.max(0, at - nowMs));
    }
    return next;
  }
}

/** An event that only says that events of the same log arrived. */
export function isOwnReceipt(event: AgentEvent): boolean {
  return event.kind === 'link.receipt' && event.payload.lane === OWN_LANE;
}
