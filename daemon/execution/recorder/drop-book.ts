import type { DropReason, EventPayload } from '../../../contract/core.ts';
import type { Ledger } from '../bus/index.ts';
import type { Drops } from './protocol.ts';

/** Samples dropped before they reached the thread: counted at once, and reported to it now and then, together. */
export class DropBook {
  readonly #ledger: Ledger;
  readonly #tell: (drops: readonly Drops[]) => boolean;
  readonly #untold = new Map<string, Drops>();

  /** `tell`: false where no thread takes the report; then it is made later. */
  constructor(ledger: Ledger, tell: (drops: readonly Drops[]) => boolean) {
    this.#ledger = ledger;
    this.#tell = tell;
  }

  drop(topic: string, reason: DropReason, count = 1): void {
    if (count <= 0) return;
    this.#ledger.dropped(topic, reason, count);
    const key = `${reason} ${topic}`;
    this.#untold.set(key, { topic, reason, count: (this.#untold.get(key)?.count ?? 0) + count });
  }

  /** The thread is gone: what it held is neither written nor dropped in the ledger yet. */
  dropInFlight(): void {
    for (const { topic, received, written, dropped } of this.#ledger.lines()) {
      const settled = Object.values(dropped).reduce((sum, count) => sum + count, written);
      this.drop(topic, 'write_failed', received - settled);
    }
  }

  /** What a former life lost was received once and never written. */
  crashed({ topics }: EventPayload<'losses.recorded'>): void {
    for (const { topic, dropped } of topics) {
      const count = dropped['crash'] ?? 0;
      if (count === 0) continue;
      this.#ledger.received(topic, count);
      this.#ledger.dropped(topic, 'crash', count);
    }
  }

  tell(): void {
    if (this.#untold.size > 0 && this.#tell([...this.#untold.values()])) this.#untold.clear();
  }
}
