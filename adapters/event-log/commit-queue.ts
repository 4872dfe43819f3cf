import { EdgeError, LIMITS } from '../../contract/core.ts';

/** What waits: one append, settled as a whole. */
export type Waiting<T> = { readonly item: T; readonly events: number; readonly bytes: number };

/**
 * Appends that wait for the next commit. Bounded by events and bytes; when full it refuses
 * (`cell.overloaded`) and keeps what it has. An append is never split over two commits.
 */
export class CommitQueue<T> {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  readonly #batchEvents: number;
  #waiting: Waiting<T>[] = [];
  #events = 0;
  #bytes = 0;

  constructor(
    maxEvents: number = LIMITS.LOG_QUEUE_EVENTS_MAX,
    maxBytes: number = LIMITS.LOG_QUEUE_BYTES_MAX,
    batchEvents: number = LIMITS.LOG_BATCH_EVENTS_MAX,
  ) {
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
    this.#batchEvents = batchEvents;
  }

  get events(): number {
    return this.#events;
  }

  admit(waiting: Waiting<T>): void {
    if (this.#events + waiting.events > this.#maxEvents || this.#bytes + waiting.bytes > this.#maxBytes) {
      throw new EdgeError('cell.overloaded', {
        operation: 'log.append',
        subject: `${waiting.events} events, ${waiting.bytes} bytes`,
        message:
          `the log's queue is full: ${this.#events} of ${this.#maxEvents} events and ` +
          `${this.#bytes} of ${this.#maxBytes} bytes wait for the disk`,
        hint: 'append fewer events at once, or check the disk',
      });
    }
    this.#waiting.push(waiting);
    this.#events += waiting.events;
    this.#bytes += waiting.bytes;
  }

  /** The appends of the next commit, in order: at least one if any waits, then up to the size of a batch. */
  next(): T[] {
    let count = 0;
    let events = 0;
    for (const waiting of this.#waiting) {
      if (count > 0 && events + waiting.events > this.#batchEvents) break;
      events += waiting.events;
      count += 1;
    }
    return this.#take(count);
  }

  /** Everything that waits; the queue is empty then. */
  drain(): T[] {
    return this.#take(this.#waiting.length);
  }

  #take(count: number): T[] {
    const taken = this.#waiting.splice(0, count);
    for (const waiting of taken) {
      this.#events -= waiting.events;
      this.#bytes -= waiting.bytes;
    }
    return taken.map((waiting) => waiting.item);
  }
}
