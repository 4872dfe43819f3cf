import type { Sample } from '../../../contract/index.ts';
import { MESSAGE_HEAD_BYTES, writeMessageHead } from '../../../formats/mcap/index.ts';

/** Control words in front of the data of a block, as 32-bit integers: bytes filled, and whether it is full. */
const FILLED = 0;
const CLOSED = 1;
const DATA_AT = 16;

/**
 * Shared memory through which samples reach the recorder thread: the main thread lays message records end to
 * end and publishes how far it got; the thread writes them to the file from where they lie. One copy per
 * sample, no allocation, and what was published survives a main thread that hangs. A block holds whole
 * records only.
 */
export class Block {
  readonly id: number;
  readonly memory: SharedArrayBuffer;
  readonly #control: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #filled = 0;

  constructor(id: number, memory: SharedArrayBuffer) {
    this.id = id;
    this.memory = memory;
    this.#control = new Int32Array(memory, 0, 2);
    this.#bytes = new Uint8Array(memory, DATA_AT);
    this.#view = new DataView(memory, DATA_AT);
  }

  static memoryFor(dataBytes: number): SharedArrayBuffer {
    return new SharedArrayBuffer(DATA_AT + dataBytes);
  }

  /** Data bytes it can hold. */
  get capacity(): number {
    return this.#bytes.length;
  }

  // The writing side: main thread.

  /** False when the sample does not fit into what is left. */
  append(sample: Sample, channelId: number, sequence: number): boolean {
    const at = this.#filled;
    const length = sample.bytes.length;
    const end = at + MESSAGE_HEAD_BYTES + length;
    if (end > this.#bytes.length) return false;
    writeMessageHead(this.#view, at, channelId, sequence, sample.received, sample.stamp, length);
    this.#bytes.set(sample.bytes, at + MESSAGE_HEAD_BYTES);
    this.#filled = end;
    Atomics.store(this.#control, FILLED, end);
    return true;
  }

  close(): void {
    Atomics.store(this.#control, CLOSED, 1);
  }

  /** Empties a block that came back from the thread. */
  reset(): void {
    this.#filled = 0;
    Atomics.store(this.#control, FILLED, 0);
    Atomics.store(this.#control, CLOSED, 0);
  }

  // The reading side: recorder thread.

  get filled(): number {
    return Atomics.load(this.#control, FILLED);
  }

  /** Nothing more will be appended. */
  get closed(): boolean {
    return Atomics.load(this.#control, CLOSED) === 1;
  }

  bytes(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from, to);
  }
}
