import { malformed } from './malformed.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Reads little-endian fields of one record; every fault names the byte in the file where the field stands. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #base: number;
  readonly #subject: string;
  #at = 0;

  /** `base` is the offset of `bytes` in the file, for messages only. */
  constructor(bytes: Uint8Array, base: number, subject: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#base = base;
    this.#subject = subject;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  get offset(): number {
    return this.#base + this.#at;
  }

  u8(): number {
    return this.#view.getUint8(this.#claim(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#claim(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#claim(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#claim(8), true);
  }

  /** A u64 that is a size or an offset: above 2^53 it is an error. */
  size(): number {
    const value = this.u64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fault(`a size of ${value} bytes`, 8);
    return Number(value);
  }

  /** Bytes of the record itself, not copied. */
  raw(count: number): Uint8Array {
    const at = this.#claim(count);
    return this.#bytes.subarray(at, at + count);
  }

  text(): string {
    const bytes = this.raw(this.u32());
    try {
      return decoder.decode(bytes);
    } catch (cause) {
      throw malformed(this.#subject, this.offset - bytes.length, 'a string is not valid UTF-8', cause);
    }
  }

  textMap(): Map<string, string> {
    const map = new Map<string, string>();
    this.sized32((inner) => map.set(inner.text(), inner.text()));
    return map;
  }

  countMap(): Map<number, number> {
    const map = new Map<number, number>();
    this.sized32((inner) => map.set(inner.u16(), inner.size()));
    return map;
  }

  /** Calls `element` until the bytes announced by the leading u32 are read. */
  sized32(element: (inner: ByteReader) => void): void {
    const length = this.u32();
    const inner = new ByteReader(this.raw(length), this.offset - length, this.#subject);
    while (inner.left > 0) element(inner);
  }

  fault(message: string, back = 0): Error {
    return malformed(this.#subject, this.offset - back, message);
  }

  #claim(count: number): number {
    if (count > this.left) {
      throw malformed(
        this.#subject,
        this.offset,
        `a field of ${count} bytes is truncated after ${this.left}`,
      );
    }
    const at = this.#at;
    this.#at += count;
    return at;
  }
}
