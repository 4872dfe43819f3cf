import { LIMITS, type Sample } from '../../../contract/core.ts';

export type LaneLimits = { readonly samplesMax: number; readonly bytesMax: number };

/** What a sample counts in a queue: its bytes, and something for the sample itself. */
export const SAMPLE_OVERHEAD_BYTES = 256;

/**
 * The samples of one topic on one route that wait for the transport, oldest first, and how many it holds already.
 * Full, the oldest goes: `onDrop` counts it. Order is kept.
 */
export class Lane {
  readonly topic: string;
  readonly target: string;
  readonly #limits: LaneLimits;
  readonly #onDrop: (sample: Sample) => void;
  #queue: Sample[] = [];
  #head = 0;
  #bytes = 0;
  /** Samples that were sent, for their notes. */
  seq = 0;
  inFlight = 0;
  inFlightBytes = 0;
  /** When the first sample now in flight was handed over, by the monotonic clock; undefined when none is. */
  inFlightSinceMs: number | undefined;
  /** Where it stands among all lanes: virtual time, in weighted bytes. */
  turn = 0;
  /** Bytes of the newest sample: what decides its priority where that is automatic. */
  newestBytes = 0;
  priority = '';
  /** Refused just now, or being prepared. */
  isHeld = false;
  /** Its target is being prepared: advertised, or waited for. */
  isPreparing = false;

  constructor(topic: string, target: string, limits: LaneLimits, onDrop: (sample: Sample) => void) {
    this.topic = topic;
    this.target = target;
    this.#limits = limits;
    this.#onDrop = onDrop;
  }

  get queued(): number {
    return this.#queue.length - this.#head;
  }

  get queuedBytes(): number {
    return this.#bytes;
  }

  /** The transport takes another sample of this topic; the first always. */
  get mayGo(): boolean {
    if (this.queued === 0 || this.isHeld) return false;
    if (this.inFlight === 0) return true;
    const next = this.#queue[this.#head]!.bytes.length;
    return (
      this.inFlight < LIMITS.ROUTE_IN_FLIGHT_SAMPLES_MAX &&
      this.inFlightBytes + next <= LIMITS.ROUTE_IN_FLIGHT_BYTES_MAX
    );
  }

  get nextBytes(): number {
    return this.#queue[this.#head]?.bytes.length ?? 0;
  }

  /** Never refuses: a sample larger than the queue is alone in it. */
  push(sample: Sample): void {
    const size = sample.bytes.length + SAMPLE_OVERHEAD_BYTES;
    this.newestBytes = sample.bytes.length;
    while (
      this.queued > 0 &&
      (this.queued >= this.#limits.samplesMax || this.#bytes + size > this.#limits.bytesMax)
    )
      this.dropOldest();
    this.#queue.push(sample);
    this.#bytes += size;
  }

  shift(): Sample | undefined {
    const sample = this.#queue[this.#head];
    if (!sample) return undefined;
    this.#queue[this.#head] = undefined as unknown as Sample;
    this.#head += 1;
    this.#bytes -= sample.bytes.length + SAMPLE_OVERHEAD_BYTES;
    if (this.#head >= 64 && this.#head * 2 >= this.#queue.length) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    } else if (this.#head === this.#queue.length) {
      this.#queue.length = 0;
      this.#head = 0;
    }
    return sample;
  }

  /** One that was taken and could not go: it is the oldest again. */
  unshift(sample: Sample): void {
    if (this.#head > 0) this.#queue[--this.#head] = sample;
    else this.#queue.unshift(sample);
    this.#bytes += sample.bytes.length + SAMPLE_OVERHEAD_BYTES;
  }

  dropOldest(): void {
    const sample = this.shift();
    if (sample) this.#onDrop(sample);
  }

  /** Everything that waits; the caller counts it. */
  drain(): Sample[] {
    const all: Sample[] = [];
    for (let sample = this.shift(); sample; sample = this.shift()) all.push(sample);
    return all;
  }
}
