import type { Nanoseconds } from '../../contract/core.ts';
import { malformed } from './malformed.ts';

const ENCAPSULATION_BYTES = 4;
const CDR_BE = 0;
const CDR_LE = 1;
const NS_PER_S = 1_000_000_000n;
const decoder = new TextDecoder();

/** A typed array of numbers that lies in memory as CDR writes it on a little-endian host. */
type NumberArrayType<T> = { readonly BYTES_PER_ELEMENT: number; new (buffer: ArrayBuffer): T };

/**
 * Reads the fields of one message in order: plain CDR of XTypes 1 ("XCDR1"), four bytes of encapsulation,
 * then primitives aligned to their size counted from the end of the encapsulation. Both byte orders are read;
 * parameter lists and XCDR2 are refused. Throws `sample.malformed` naming `subject` when the bytes end early;
 * a length prefix larger than the rest is refused before anything is allocated for it.
 */
export class CdrReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #subject: string;
  readonly #little: boolean;
  #at = ENCAPSULATION_BYTES;

  constructor(bytes: Uint8Array, subject: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#subject = subject;
    if (bytes.length < ENCAPSULATION_BYTES)
      throw malformed(subject, `${bytes.length} bytes are too few for a CDR encapsulation header`);
    const kind = this.#view.getUint16(0, false);
    if (kind !== CDR_LE && kind !== CDR_BE)
      throw malformed(subject, `encapsulation ${kind} is not plain CDR`);
    this.#little = kind === CDR_LE;
  }

  /** Bytes not yet read, padding at the end of the message included. */
  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  bool(): boolean {
    return this.uint8() !== 0;
  }
  int8(): number {
    return this.#view.getInt8(this.#take(1));
  }
  uint8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  int16(): number {
    return this.#view.getInt16(this.#take(2), this.#little);
  }
  uint16(): number {
    return this.#view.getUint16(this.#take(2), this.#little);
  }
  int32(): number {
    return this.#view.getInt32(this.#take(4), this.#little);
  }
  uint32(): number {
    return this.#view.getUint32(this.#take(4), this.#little);
  }
  int64(): bigint {
    return this.#view.getBigInt64(this.#take(8), this.#little);
  }
  uint64(): bigint {
    return this.#view.getBigUint64(this.#take(8), this.#little);
  }
  float32(): number {
    return this.#view.getFloat32(this.#take(4), this.#little);
  }
  float64(): number {
    return this.#view.getFloat64(this.#take(8), this.#little);
  }

  /** builtin_interfaces/Time or Duration: int32 seconds, uint32 nanoseconds. */
  stamp(): Nanoseconds {
    const seconds = this.int32();
    return BigInt(seconds) * NS_PER_S + BigInt(this.uint32());
  }

  /** UTF-8 with its terminating zero counted in the length; bytes that are not UTF-8 become U+FFFD. */
  string(): string {
    const length = this.sequenceLength(1);
    const start = this.#at;
    this.#at += length;
    return length <= 1 ? '' : decoder.decode(this.#bytes.subarray(start, start + length - 1));
  }

  /** The element count of a sequence whose elements take at least `elementBytes`. */
  sequenceLength(elementBytes: number): number {
    const count = this.uint32();
    if (count * elementBytes > this.remaining) {
      throw malformed(this.#subject, `a sequence of ${count} elements, but ${this.remaining} bytes are left`);
    }
    return count;
  }

  /** `count` elements (a fixed array), or a sequence with its own length; always memory of its own. */
  float32Array(count?: number): Float32Array {
    return this.#array(Float32Array, count, (at) => this.#view.getFloat32(at, false));
  }
  float64Array(count?: number): Float64Array {
    return this.#array(Float64Array, count, (at) => this.#view.getFloat64(at, false));
  }
  int8Array(count?: number): Int8Array {
    return this.#array(Int8Array, count, (at) => this.#view.getInt8(at));
  }
  uint8Array(count?: number): Uint8Array {
    return this.#array(Uint8Array, count, (at) => this.#view.getUint8(at));
  }
  int16Array(count?: number): Int16Array {
    return this.#array(Int16Array, count, (at) => this.#view.getInt16(at, false));
  }
  uint16Array(count?: number): Uint16Array {
    return this.#array(Uint16Array, count, (at) => this.#view.getUint16(at, false));
  }
  int32Array(count?: number): Int32Array {
    return this.#array(Int32Array, count, (at) => this.#view.getInt32(at, false));
  }
  uint32Array(count?: number): Uint32Array {
    return this.#array(Uint32Array, count, (at) => this.#view.getUint32(at, false));
  }
  int64Array(count?: number): BigInt64Array {
    return this.#array(BigInt64Array, count, (at) => this.#view.getBigInt64(at, false));
  }
  uint64Array(count?: number): BigUint64Array {
    return this.#array(BigUint64Array, count, (at) => this.#view.getBigUint64(at, false));
  }

  #array<E extends number | bigint, T extends { [index: number]: E }>(
    type: NumberArrayType<T>,
    fixed: number | undefined,
    element: (at: number) => E,
  ): T {
    const size = type.BYTES_PER_ELEMENT;
    const count = fixed ?? this.sequenceLength(size);
    // Fast CDR writes no padding for elements that are not there.
    if (count === 0) return new type(new ArrayBuffer(0));
    this.#align(size);
    const start = this.#at;
    this.#check(count * size);
    this.#at += count * size;
    const memory = new ArrayBuffer(count * size);
    const values = new type(memory);
    if (this.#little) new Uint8Array(memory).set(this.#bytes.subarray(start, this.#at));
    else for (let i = 0; i < count; i++) values[i] = element(start + i * size);
    return values;
  }

  #align(size: number): void {
    const over = (this.#at - ENCAPSULATION_BYTES) % size;
    if (over !== 0) this.#at += size - over;
  }

  #take(size: number): number {
    this.#align(size);
    this.#check(size);
    const at = this.#at;
    this.#at += size;
    return at;
  }

  #check(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    throw malformed(this.#subject, `the message ends after ${this.#bytes.length} bytes`);
  }
}
