import { type Clock, LIMITS, type Sample } from '../../../contract/core.ts';
import type { Ledger } from './ledger.ts';
import { Rates } from './rates.ts';

/** Where a sample came from: the robot's middleware, the key space, or this daemon. Loops are cut by it. */
export type SampleOrigin = 'robot' | 'zenoh' | 'local';

export type BusOptions = {
  readonly clock: Clock;
  /** Where samples that the bus itself refuses are counted. */
  readonly ledger: Ledger;
  /** A tap threw at a sample; `times`: so often by now. Called for the first, the tenth, the hundredth and so on. */
  readonly onTapFault?: (tap: string, error: unknown, times: number) => void;
};

/**
 * The sample bus of the execution cell: sources publish, everybody else listens. `publish` never blocks and
 * never throws; the bytes are shared by all taps and never changed. Order is kept per publisher.
 */
export class SampleBus {
  readonly #clock: Clock;
  readonly #ledger: Ledger;
  readonly #onTapFault: BusOptions['onTapFault'];
  readonly #rates = new Rates();
  readonly #taps = new Map<string, (sample: Sample, origin: SampleOrigin) => void>();
  readonly #tapFaults = new Map<string, number>();
  readonly #last = new Map<string, Sample>();
  #published = 0;

  constructor(options: BusOptions) {
    this.#clock = options.clock;
    this.#ledger = options.ledger;
    this.#onTapFault = options.onTapFault;
  }

  get published(): number {
    return this.#published;
  }

  publish(sample: Sample, origin: SampleOrigin = 'local'): void {
    this.#published += 1;
    this.#rates.count(sample.topic, this.#clock.monotonicMs());
    if (sample.bytes.length > LIMITS.SAMPLE_BYTES_MAX) {
      this.#ledger.received(sample.topic);
      this.#ledger.dropped(sample.topic, 'too_large');
      return;
    }
    this.#last.set(sample.topic, sample);
    for (const [name, tap] of this.#taps) {
      try {
        tap(sample, origin);
      } catch (error) {
        // A tap must not throw. One that does is a defect of its owner; the others still get the sample.
        this.#faulted(name, error);
      }
    }
  }

  #faulted(tap: string, error: unknown): void {
    const times = (this.#tapFaults.get(tap) ?? 0) + 1;
    this.#tapFaults.set(tap, times);
    if (Number.isInteger(Math.log10(times))) this.#onTapFault?.(tap, error, times);
  }

  /**
   * Calls `receive` at once with every sample: for receivers that have a bounded queue of their own, like
   * the recorder. It must not block or throw. Returns what ends it.
   */
  tap(name: string, receive: (sample: Sample, origin: SampleOrigin) => void): () => void {
    if (this.#taps.has(name)) throw new Error(`a tap named ${name} already exists`);
    this.#taps.set(name, receive);
    return () => this.#taps.delete(name);
  }

  /** The newest sample of a topic. */
  last(topic: string): Sample | undefined {
    return this.#last.get(topic);
  }

  /** Topics that no longer exist: neither their newest sample nor their rate is kept. */
  forget(topics: readonly string[]): void {
    for (const topic of topics) {
      this.#last.delete(topic);
      this.#rates.forget(topic);
    }
  }

  /** Messages per second by topic. */
  rates(): Record<string, number> {
    return this.#rates.all(this.#clock.monotonicMs());
  }

  messagesPerSecond(): number {
    return this.#rates.total(this.#clock.monotonicMs());
  }

  /** How often each tap threw; empty in a healthy daemon. */
  tapFaults(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#tapFaults);
  }
}
