import type { Readable } from '../../formats/mcap/index.ts';
import { malformed } from './malformed.ts';

/** A file as it would be after its repair, without touching it: its first bytes, then what the repair appends. */
export class PatchedReadable implements Readable {
  readonly subject: string;
  readonly #readable: Readable;
  readonly #keep: number;
  readonly #tail: Uint8Array;

  constructor(readable: Readable, keepBytes: number, append: readonly Uint8Array[]) {
    this.subject = readable.subject;
    this.#readable = readable;
    this.#keep = keepBytes;
    this.#tail = Buffer.concat(append);
  }

  async size(): Promise<number> {
    return this.#keep + this.#tail.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    const end = offset + length;
    if (end > this.#keep + this.#tail.length)
      throw malformed(this.subject, `at byte ${offset}: the file ends`);
    if (end <= this.#keep) return this.#readable.read(offset, length);
    const bytes = new Uint8Array(length);
    const before = Math.max(0, this.#keep - offset);
    if (before > 0) bytes.set(await this.#readable.read(offset, before));
    bytes.set(this.#tail.subarray(offset + before - this.#keep, end - this.#keep), before);
    return bytes;
  }
}
