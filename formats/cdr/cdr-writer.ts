import type { Nanoseconds } from '../../contract/core.ts';
import { malformed } from './malformed.ts';

const ENCAPSULATION_BYTES = 4;
const NS_PER_S = 1_000_000_000n;
const SECONDS_MIN = -(2n ** 31n);
const SECONDS_MAX = 2n ** 31n - 1n;
const encoder = new TextEncoder();

/** A number array whose memory is written as it is: hosts are little-endian. */
export type NumberArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

/**
 * Writes the fields of one message in order as little-endian plain CDR (see `CdrReader`). Padding is zero, so
 * equal messages are equal bytes. `sizeHint` is the expected size; a wrong hint costs a copy, nothing else. What would
 * take more than `most` bytes throws `sample.malformed`, before it takes them.
 */
export class CdrWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at = ENCAPSULATION_BYTES;
  readonly #most: number;

  constructor(sizeHint = 128, most: number = Number.POSITIVE_INFINITY) {
    this.#most = most;
    this.#bytes = new Uint8Array(Math.max(sizeHint, ENCAPSULATION_BYTES));
    this.#view = new DataView(this.#bytes.buffer);
    this.#bytes[1] = 1;
  }

  bool(value: boolean): void {
    this.uint8(value ? 1 : 0);
  }
  int8(value: number): void {
    const at = this.#take(1);
    this.#view.setInt8(at, value);
  }
  uint8(value: number): void {
    const at = this.#take(1);
    this.#view.setUint8(at, value);
  }
  int16(value: number): void {
    const at = this.#take(2);
    this.#view.setInt16(at, value, true);
  }
  uint16(value: number): void {
    const at = this.#take(2);
    this.#view.setUint16(at, value, true);
  }
  int32(value: number): void {
    const at = this.#take(4);
    this.#view.setInt32(at, value, true);
  }
  uint32(value: number): void {
    const at = this.#take(4);
    this.#view.setUint32(at, value, true);
  }
  int64(value: bigint): void {
    const at = this.#take(8);
    this.#view.setBigInt64(at, value, true);
  }
  uint64(value: bigint): void {
    const at = this.#take(8);
    this.#view.setBigUint64(at, value, true);
  }
  float32(value: number): void {
    const at = this.#take(4);
    this.#view.setFloat32(at, value, true);
  }
  float64(value: number): void {
    const at = this.#take(8);
    this.#view.setFloat64(at, value, true);
  }

  /** builtin_interfaces/Time: throws `sample.malformed` for a time that its int32 seconds cannot hold. */
  stamp(value: Nanoseconds): void {
    let seconds = value / NS_PER_S;
    let nanoseconds = value % NS_PER_S;
    if (nanoseconds < 0n) {
      seconds -= 1n;
      nanoseconds += NS_PER_S;
    }
    if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) {
      throw malformed('builtin_interfaces/msg/Time', `${value} ns is outside the range of the message field`);
    }
    this.int32(Number(seconds));
    this.uint32(Number(nanoseconds));
  }

  string(value: string): void {
    const text = encoder.encode(value);
    this.uint32(text.length + 1);
    const at = this.#take(1, text.length + 1);
    this.#bytes.set(text, at);
  }

  /** A sequence: its length, then its elements. */
  sequence(values: NumberArray): void {
    this.uint32(values.length);
    this.array(values);
  }

  /** The elements of a fixed array, without a length. */
  array(values: NumberArray): void {
    if (values.length === 0) return;
    const at = this.#take(values.BYTES_PER_ELEMENT, values.length);
    this.#bytes.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
  }

  /** So many elements of a fixed array, all zero. */
  zeros(size: number, count: number): void {
    if (count > 0) this.#take(size, count);
  }

  /** The message; its memory belongs to the caller and the writer is done. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#at);
  }

  #take(size: number, count = 1): number {
    const over = (this.#at - ENCAPSULATION_BYTES) % size;
    const at = over === 0 ? this.#at : this.#at + size - over;
    this.#at = at + size * count;
    if (this.#at > this.#bytes.length) this.#grow(this.#at);
    return at;
  }

  #grow(least: number): void {
    if (least > this.#most) throw malformed('message', `it takes more than ${this.#most} bytes`);
    const grown = new Uint8Array(Math.max(least, this.#bytes.length * 2));
    grown.set(this.#bytes);
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
