const encoder = new TextEncoder();

/** A growing little-endian buffer for the small records of a file; message bytes never pass through it. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#at;
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }

  u16(value: number): this {
    this.#reserve(2);
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  u64(value: bigint | number): this {
    this.#reserve(8);
    this.#view.setBigUint64(this.#at, BigInt(value), true);
    this.#at += 8;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  text(value: string): this {
    const bytes = encoder.encode(value);
    return this.u32(bytes.length).raw(bytes);
  }

  textMap(map: ReadonlyMap<string, string>): this {
    return this.sized32(() => {
      for (const [key, value] of map) this.text(key).text(value);
    });
  }

  /** Map of channel id to a count or an offset. */
  countMap(map: ReadonlyMap<number, number>): this {
    this.u32(map.size * 10);
    for (const [key, value] of map) this.u16(key).u64(value);
    return this;
  }

  /** The output of `fill`, with its length as a leading u32. */
  sized32(fill: () => void): this {
    const at = this.#at;
    this.u32(0);
    fill();
    this.#view.setUint32(at, this.#at - at - 4, true);
    return this;
  }

  /** A record: opcode, u64 length, and what `fill` writes. */
  record(opcode: number, fill: () => void): this {
    this.u8(opcode);
    const at = this.#at;
    this.u64(0n);
    fill();
    this.#view.setBigUint64(at, BigInt(this.#at - at - 8), true);
    return this;
  }

  /** The bytes written so far; a view that the next write may move away from. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** The bytes written so far as memory of their own; the writer starts again. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#at);
    this.#at = 0;
    return bytes;
  }

  #reserve(count: number): void {
    const need = this.#at + count;
    if (need <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(need, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
