import type { Readable } from './readable.ts';

const WINDOW_BYTES = 1024 * 1024;

/** Reads ahead, so that a walk over small records does not cost a call of the file system for each. */
export class Window {
  readonly size: number;
  readonly subject: string;
  readonly #readable: Readable;
  #at = 0;
  #bytes: Uint8Array = new Uint8Array(0);

  constructor(readable: Readable, size: number) {
    this.#readable = readable;
    this.size = size;
    this.subject = readable.subject;
  }

  /** `length` bytes, or fewer where the file ends. They are valid until the caller drops them. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    if (end <= offset) return new Uint8Array(0);
    if (offset >= this.#at && end <= this.#at + this.#bytes.length) {
      return this.#bytes.subarray(offset - this.#at, end - this.#at);
    }
    if (length >= WINDOW_BYTES) return this.#readable.read(offset, end - offset);
    this.#bytes = await this.#readable.read(offset, Math.min(WINDOW_BYTES, this.size - offset));
    this.#at = offset;
    return this.#bytes.subarray(0, end - offset);
  }

  /** The same in memory of its own, without reading ahead. */
  async own(offset: number, length: number): Promise<Uint8Array> {
    const end = Math.min(offset + length, this.size);
    if (offset >= this.#at && end <= this.#at + this.#bytes.length && end > offset) {
      return this.#bytes.slice(offset - this.#at, end - this.#at);
    }
    return end <= offset ? new Uint8Array(0) : this.#readable.read(offset, end - offset);
  }
}
