import { type DropReason, LIMITS, type Sample } from '../../../contract/core.ts';

export type SubscriptionOptions = {
  /** For status and metrics. */
  readonly name: string;
  /** Only these topics; all when left out. */
  readonly topics?: ReadonlySet<string>;
  /** What happens when the queue is full: the oldest goes, or the new one is not taken. */
  readonly whenFull: 'drop_oldest' | 'refuse';
  readonly samplesMax?: number;
  readonly bytesMax?: number;
};

/**
 * One reader's bounded queue. A slow or dead reader costs at most `bytesMax` and delays nobody; what it
 * misses is counted by topic and reason.
 */
export class Subscription {
  readonly name: string;
  readonly topics: ReadonlySet<string> | undefined;
  readonly #whenFull: 'drop_oldest' | 'refuse';
  readonly #samplesMax: number;
  readonly #bytesMax: number;
  readonly #dropped = new Map<string, Partial<Record<DropReason, number>>>();
  readonly #leave: () => void;
  #queue: Sample[] = [];
  #head = 0;
  #bytes = 0;
  #closed = false;
  #wake: (() => void) | undefined;

  constructor(options: SubscriptionOptions, leave: () => void) {
    this.name = options.name;
    this.topics = options.topics;
    this.#whenFull = options.whenFull;
    this.#samplesMax = options.samplesMax ?? LIMITS.BUS_QUEUE_SAMPLES_MAX;
    this.#bytesMax = options.bytesMax ?? LIMITS.BUS_QUEUE_BYTES_MAX;
    this.#leave = leave;
  }

  get queued(): number {
    return this.#queue.length - this.#head;
  }

  get queuedBytes(): number {
    return this.#bytes;
  }

  /** Called by the bus; never blocks or throws. */
  push(sample: Sample): void {
    if (this.#closed) return;
    const size = sample.bytes.length;
    if (size > this.#bytesMax) {
      this.#drop(sample.topic, 'too_large');
      return;
    }
    while (this.queued >= this.#samplesMax || this.#bytes + size > this.#bytesMax) {
      const isRefused = this.#whenFull === 'refuse';
      this.#drop(isRefused ? sample.topic : this.#shift().topic, 'queue_full');
      if (isRefused) return;
    }
    this.#queue.push(sample);
    this.#bytes += size;
    this.#wake?.();
  }

  /** What is queued, oldest first, at most `max`; empty when there is nothing. */
  take(max = Number.POSITIVE_INFINITY): Sample[] {
    const taken: Sample[] = [];
    while (taken.length < max && this.queued > 0) taken.push(this.#shift());
    return taken;
  }

  /** The next sample, waiting for it; undefined once the subscription is closed and empty. One waiter. */
  async next(): Promise<Sample | undefined> {
    while (this.queued === 0) {
      if (this.#closed) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
    return this.#shift();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Sample> {
    for (let sample = await this.next(); sample; sample = await this.next()) yield sample;
  }

  dropped(): Readonly<Record<string, Partial<Record<DropReason, number>>>> {
    return Object.fromEntries([...this.#dropped].map(([topic, reasons]) => [topic, { ...reasons }]));
  }

  /** No more samples come in; what is queued can still be taken. May be called twice. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#leave();
    this.#wake?.();
  }

  #shift(): Sample {
    const sample = this.#queue[this.#head]!;
    this.#head += 1;
    this.#bytes -= sample.bytes.length;
    // Compacting now and then keeps a shift at constant cost and the taken samples free to be collected.
    if (this.#head >= 64 && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    } else {
      this.#queue[this.#head - 1] = undefined as unknown as Sample;
    }
    return sample;
  }

  #drop(topic: string, reason: DropReason): void {
    const reasons = this.#dropped.get(topic) ?? {};
    reasons[reason] = (reasons[reason] ?? 0) + 1;
    this.#dropped.set(topic, reasons);
  }
}
