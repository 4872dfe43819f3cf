import { crc32 } from 'node:zlib';
import type { Sample } from '../../../contract/core.ts';
import {
  GAP_BYTES_MAX,
  gapBytes,
  MESSAGE_HEAD_BYTES,
  writeGap,
  writeMessageHead,
} from '../../../formats/mcap/index.ts';

/** Control words in front of the data of a block, as 32-bit integers: bytes filled, and whether it is full. */
const FILLED = 0;
const CLOSED = 1;
const DATA_AT = 16;
/** From this size on a message gets a gap: copying it aligned is four times faster, and its CRC is taken at once. */
const LARGE_BYTES = 16 * 1024;

/** Room that a message of this length takes at most. */
export function roomFor(length: number): number {
  return MESSAGE_HEAD_BYTES + length + (length < LARGE_BYTES ? 0 : GAP_BYTES_MAX);
}

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
    const { length, byteOffset } = sample.bytes;
    const isLarge = length >= LARGE_BYTES;
    // Shared memory is copied word by word, and byte by byte where source and target are not aligned alike.
    const gap = isLarge ? gapBytes(this.#filled, DATA_AT + MESSAGE_HEAD_BYTES, byteOffset) : 0;
    const at = this.#filled + gap;
    const end = at + MESSAGE_HEAD_BYTES + length;
    if (end > this.#bytes.length) return false;
    if (isLarge) writeGap(this.#view, this.#filled, gap, crc32(sample.bytes));
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
