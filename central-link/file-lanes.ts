import { type Clock, type EdgeError, LIMITS, type LinkStatus } from '../contract/core.ts';
import { Backoff } from '../io/backoff.ts';
import type { CustodyBook } from './custody-book.ts';
import type { ObjectLog } from './object-log.ts';
import type { ObjectSender, ObjectStep } from './object-sender.ts';

export type FileLanesParts = {
  readonly clock: Clock;
  readonly book: CustodyBook;
  readonly log: ObjectLog;
  readonly sender: ObjectSender;
  readonly random: () => number;
  /** Closes what the parts hold. */
  readonly close: () => Promise<void>;
};

/** The lanes of files beside those of events: what there is, what goes next, and when to try again. */
export class FileLanes {
  readonly #parts: FileLanesParts;
  readonly #backoff: Backoff;
  #reason = '';
  #lookedMs = -Infinity;
  /** The caller may have stopped waiting for a step that still runs. */
  #isStepping = false;

  constructor(parts: FileLanesParts) {
    this.#parts = parts;
    this.#backoff = new Backoff(parts.random);
  }

  /** Enters new files into the book, also while central is away. Throws what the log throws. */
  follow(): void {
    const { clock, log } = this.#parts;
    const now = clock.monotonicMs();
    if (now - this.#lookedMs < LIMITS.LINK_POLL_MS) return;
    this.#lookedMs = now;
    try {
      log.follow();
    } catch (error) {
      if (!this.#parts.book.repair(error)) throw error;
      log.follow();
    }
  }

  /** `answered`: central answered. Rejects with what the sender rejects with. */
  async turn(): Promise<{ readonly restMs: number; readonly answered: boolean }> {
    const { clock, sender } = this.#parts;
    const restMs = this.#isStepping ? LIMITS.LINK_POLL_MS : this.#backoff.restMs(clock.monotonicMs());
    if (restMs > 0) return { restMs, answered: false };
    this.#isStepping = true;
    const step = await sender
      .step()
      .catch((error: unknown): ObjectStep => {
        if (!this.#parts.book.repair(error)) throw error;
        this.#lookedMs = -Infinity;
        return { kind: 'worked' };
      })
      .finally(() => {
        this.#isStepping = false;
      });
    this.#backoff.succeeded();
    this.#reason = step.kind === 'idle' ? step.reason : '';
    if (step.kind === 'wait') return { restMs: step.ms, answered: false };
    return step.kind === 'worked'
      ? { restMs: 0, answered: true }
      : { restMs: LIMITS.LINK_POLL_MS, answered: false };
  }

  /** Central is there, but did not take it now. */
  failed(error: EdgeError): void {
    this.#reason = error.message;
    this.#backoff.failed(this.#parts.clock.monotonicMs());
    this.#parts.sender.askAgain();
  }

  /** The way to central was interrupted. */
  askAgain(): void {
    this.#parts.sender.askAgain();
  }

  retryNow(): void {
    this.#backoff.succeeded();
    this.#lookedMs = -Infinity;
    this.#parts.sender.retryNow();
  }

  status(): NonNullable<LinkStatus['files']> {
    const { book, sender } = this.#parts;
    const lanes = book.totals();
    const { current, faults, reason } = sender.status();
    const left =
      Object.values(lanes).reduce((sum, { waiting_bytes }) => sum + waiting_bytes, 0) - (current?.sent ?? 0);
    const why = this.#reason || reason;
    return {
      lanes,
      reason: why,
      faults,
      ...(current ? { current } : {}),
      ...(current && current.rate > 0 && why === '' ? { left_s: Math.ceil(left / current.rate) } : {}),
    };
  }

  close(): void {
    void this.#parts.close().catch(() => {});
  }
}
