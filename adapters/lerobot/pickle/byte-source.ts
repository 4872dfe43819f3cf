import { refused } from './budget.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true });

/** The input and where the reader is. Every read is checked against the end before anything is allocated. */
export class ByteSource {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  get left(): number {
    return this.#bytes.byteLength - this.at;
  }

  u8(): number {
    return this.#view.getUint8(this.#step(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#step(2), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#step(4), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#step(4), true);
  }
  /** A length; beyond 2^53 it is longer than any input anyway. */
  u64(): number {
    return Number(this.#view.getBigUint64(this.#step(8), true));
  }
  f64(): number {
    return this.#view.getFloat64(this.#step(8), false);
  }

  /** A view, not a copy. */
  take(length: number): Uint8Array {
    const from = this.#step(length);
    return this.#bytes.subarray(from, from + length);
  }

  text(length: number): string {
    const from = this.at;
    const bytes = this.take(length);
    if (length <= SHORT_BYTES_MAX && isAscii(bytes)) return String.fromCharCode(...bytes);
    try {
      return UTF8.decode(bytes);
    } catch {
      throw refused('text that is not UTF-8', from);
    }
  }

  /** Up to a line feed, which is left out; names of modules and classes only. */
  line(): string {
    const from = this.at;
    const end = this.#bytes.subarray(from, from + LINE_BYTES_MAX).indexOf(0x0a);
    if (end < 0) throw refused(`no end of line within ${LINE_BYTES_MAX} bytes`, from);
    const text = this.text(end);
    this.at += 1;
    return text;
  }

  #step(length: number): number {
    const from = this.at;
    if (length > this.#bytes.byteLength - from) throw refused('the pickle ends in the middle', from);
    this.at = from + length;
    return from;
  }
}

const LINE_BYTES_MAX = 256;
/** Names are short and plain, and there are many: a decoder costs more than they do. */
const SHORT_BYTES_MAX = 64;

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i]! > 0x7f) return false;
  return true;
}
