import { LIMITS } from '../../contract/core.ts';
import { chunkContents, recordSpans } from './chunk-contents.ts';
import { decodeRecord } from './decode.ts';
import { malformed } from './malformed.ts';
import { MAGIC, type McapRecord, OP, RECORD_HEAD_BYTES } from './records.ts';

/**
 * Parses a file that arrives in pieces, from its first byte on. `push` returns the records that became
 * whole; those of a chunk follow it, in its order. Memory is bounded by one record. After a throw
 * (`mcap.malformed`, naming the byte) the reader is finished.
 */
export class McapStreamReader {
  readonly #subject: string;
  readonly #recordBytesMax: number;
  /** Pieces not yet parsed. They are joined only when `#need` bytes are there, so that many small pieces of
   * one large record do not cost a copy each. */
  #parts: Uint8Array[] = [];
  #held = 0;
  #need = MAGIC.length;
  #offset = 0;
  #state: 'magic' | 'records' | 'tail' | 'ended' = 'magic';

  constructor(subject: string, recordBytesMax: number = LIMITS.MCAP_CHUNK_BYTES_MAX + 4096) {
    this.#subject = subject;
    this.#recordBytesMax = recordBytesMax;
  }

  push(bytes: Uint8Array): McapRecord[] {
    this.#parts.push(bytes);
    this.#held += bytes.length;
    if (this.#held < this.#need) return [];
    const joined = this.#join();
    let at = 0;
    const records: McapRecord[] = [];
    for (;;) {
      const used = this.#step(joined, at, records);
      if (used === 0) break;
      at += used;
      this.#offset += used;
    }
    this.#parts = [joined.subarray(at)];
    this.#held = joined.length - at;
    return records;
  }

  #join(): Uint8Array {
    if (this.#parts.length === 1) return this.#parts[0]!;
    const joined = new Uint8Array(this.#held);
    let at = 0;
    for (const part of this.#parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  /** No more can be parsed until `count` bytes are there. */
  #wait(count: number): 0 {
    this.#need = count;
    return 0;
  }

  /** To be called at the end of the input: throws if the file is not complete. */
  end(): void {
    if (this.#state === 'ended' && this.#held === 0) return;
    const fault =
      this.#state === 'ended' ? 'bytes after the end of the file' : 'the file ends before its footer';
    throw malformed(this.#subject, this.#offset, fault);
  }

  /** Bytes used from `at` on; 0 when more are needed. */
  #step(bytes: Uint8Array, at: number, records: McapRecord[]): number {
    const left = bytes.length - at;
    if (this.#state === 'ended') return this.#wait(1);
    if (this.#state !== 'records') {
      if (left < MAGIC.length) return this.#wait(MAGIC.length);
      if (!MAGIC.every((byte, i) => bytes[at + i] === byte)) {
        throw malformed(this.#subject, this.#offset, 'the magic bytes of an MCAP file are missing');
      }
      this.#state = this.#state === 'magic' ? 'records' : 'ended';
      return MAGIC.length;
    }
    if (left < RECORD_HEAD_BYTES) return this.#wait(RECORD_HEAD_BYTES);
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, RECORD_HEAD_BYTES);
    const opcode = view.getUint8(0);
    const length = view.getUint32(1, true) + view.getUint32(5, true) * 2 ** 32;
    if (length > this.#recordBytesMax) {
      throw malformed(this.#subject, this.#offset, `a record of ${length} bytes`);
    }
    if (left < RECORD_HEAD_BYTES + length) return this.#wait(RECORD_HEAD_BYTES + length);
    const body = bytes.slice(at + RECORD_HEAD_BYTES, at + RECORD_HEAD_BYTES + length);
    const record = decodeRecord(opcode, body, this.#offset + RECORD_HEAD_BYTES, this.#subject);
    records.push(record);
    if (record.kind === 'chunk') this.#expand(record, records);
    if (opcode === OP.footer) this.#state = 'tail';
    return RECORD_HEAD_BYTES + length;
  }

  #expand(chunk: Extract<McapRecord, { kind: 'chunk' }>, records: McapRecord[]): void {
    const contents = chunkContents(chunk, this.#offset, this.#subject);
    for (const span of recordSpans(contents, 0, `${this.#subject}, chunk at ${this.#offset}`)) {
      const body = contents.subarray(span.bodyAt, span.bodyAt + span.length);
      records.push(decodeRecord(span.opcode, body, span.bodyAt, this.#subject));
    }
  }
}
