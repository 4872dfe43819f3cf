import type { Clock, NewEvent } from '../../../contract/core.ts';
import type { JointVerdict } from './gate-spec.ts';

/** What was not applied as it was asked. */
export type GateReceipt = {
  readonly source: string;
  readonly verdict: 'limited' | 'refused';
  readonly reason: string;
  readonly asked: readonly number[];
  readonly applied: readonly number[];
  /** Of the same kind, one after the other, that this one stands for. */
  count: number;
};

/** Kinds that are distinguished in one period; a gate has some dozens. */
const KINDS_MAX = 64;
const JOINTS_MAX = 64;

/**
 * Receipts for what the joint gate held back, summed up by reason: a gate that bites at 500 Hz writes an event in a
 * second, not five hundred.
 */
export class GateReceipts {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #source: string;
  readonly #periodMs: number;
  readonly #note: (event: NewEvent) => void;
  readonly #open = new Map<string, GateReceipt>();
  #sinceMs = Number.NEGATIVE_INFINITY;

  constructor(parts: {
    readonly clock: Pick<Clock, 'monotonicMs'>;
    readonly source: string;
    readonly periodMs: number;
    note(event: NewEvent): void;
  }) {
    this.#clock = parts.clock;
    this.#source = parts.source;
    this.#periodMs = parts.periodMs;
    this.#note = parts.note;
  }

  add(asked: ArrayLike<number>, { verdict, reason, applied }: JointVerdict): void {
    if (verdict !== 'passed') {
      const key = `${verdict} ${reason}`;
      const count = (this.#open.get(key)?.count ?? 0) + 1;
      const receipt = { source: this.#source, verdict, reason, count };
      if (this.#open.has(key) || this.#open.size < KINDS_MAX)
        this.#open.set(key, { ...receipt, asked: finite(asked), applied: finite(applied) });
    }
    if (this.#open.size > 0 && this.#clock.monotonicMs() - this.#sinceMs >= this.#periodMs) this.flush();
  }

  /** What is open is reported now. */
  flush(): void {
    this.#sinceMs = this.#clock.monotonicMs();
    for (const receipt of this.#open.values())
      this.#note({
        kind: 'gate.limited',
        payload: { ...receipt, asked: [...receipt.asked], applied: [...receipt.applied] },
      });
    this.#open.clear();
  }
}

function finite(values: ArrayLike<number>): readonly number[] {
  return Array.from(values)
    .slice(0, JOINTS_MAX)
    .map((value) => (Number.isFinite(value) ? value : 0));
}
