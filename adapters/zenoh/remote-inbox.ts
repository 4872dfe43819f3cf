import type { RemoteValue } from './remote-messages.ts';

/** Values per message to the daemon: as the native driver's batches. */
const BATCH_VALUES_MAX = 256;
/** Bytes after which a message ends: the daemon reads each in one piece. */
const BATCH_BYTES_MAX = 1024 * 1024;

/** What one subscription holds for a slow daemon; the oldest is dropped beyond its limits and counted. */
export class RemoteInbox {
  readonly #depth: number;
  readonly #bytesMax: number;
  readonly #post: (values: RemoteValue[], dropped: number) => void;
  #values: RemoteValue[] = [];
  #bytes = 0;
  /** A batch is with the daemon, or about to be sent. */
  #busy = false;
  dropped = 0;

  constructor(
    limits: { readonly depth: number; readonly bytes: number },
    post: (values: RemoteValue[], dropped: number) => void,
  ) {
    this.#depth = limits.depth;
    this.#bytesMax = limits.bytes;
    this.#post = post;
  }

  push(value: RemoteValue): void {
    this.#values.push(value);
    this.#bytes += weightOf(value);
    while (this.#values.length > this.#depth || (this.#bytes > this.#bytesMax && this.#values.length > 1)) {
      this.#bytes -= weightOf(this.#values.shift()!);
      this.dropped += 1;
    }
    if (this.#busy) return;
    this.#busy = true;
    // Not at once: what arrives in the same turn travels together.
    setImmediate(() => this.taken());
  }

  /** The daemon is ready for the next batch. */
  taken(): void {
    this.#busy = this.#values.length > 0;
    if (this.#busy) this.#flush();
  }

  /** The link ended: values that arrived are delivered. */
  drain(): void {
    while (this.#values.length > 0) this.#flush();
  }

  #flush(): void {
    let count = 0;
    let bytes = 0;
    while (count < Math.min(this.#values.length, BATCH_VALUES_MAX) && bytes < BATCH_BYTES_MAX) {
      bytes += weightOf(this.#values[count]!);
      count += 1;
    }
    this.#bytes -= bytes;
    this.#post(this.#values.splice(0, count), this.dropped);
  }
}

/** The memory of a value: other nodes fill its attachment and key too. As the native driver counts. */
export function weightOf({ key, payload, attachment }: RemoteValue): number {
  return key.length + payload.byteLength + (attachment?.byteLength ?? 0);
}
