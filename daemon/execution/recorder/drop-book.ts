import type { DropReason } from '../../../contract/index.ts';
import type { Ledger } from '../bus/index.ts';

export type Drops = { readonly topic: string; readonly reason: DropReason; readonly count: number };

/** Samples dropped before they reached the thread: counted at once, and told to it now and then, together. */
export class DropBook {
  readonly #ledger: Ledger;
  readonly #tell: (drops: Drops) => void;
  readonly #untold = new Map<string, Drops>();

  constructor(ledger: Ledger, tell: (drops: Drops) => void) {
    this.#ledger = ledger;
    this.#tell = tell;
  }

  drop(topic: string, reason: DropReason, count = 1): void {
    if (count <= 0) return;
    this.#ledger.dropped(topic, reason, count);
    const key = `${reason} ${topic}`;
    this.#untold.set(key, { topic, reason, count: (this.#untold.get(key)?.count ?? 0) + count });
  }

  tell(): void {
    for (const drops of this.#untold.values()) this.#tell(drops);
    this.#untold.clear();
  }
}
