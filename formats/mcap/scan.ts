import { EdgeError, LIMITS } from '../../contract/core.ts';
import { chunkContents, messageAt, recordSpans } from './chunk-contents.ts';
import { decodeRecord } from './decode.ts';
import { malformed } from './malformed.ts';
import type { Readable } from './readable.ts';
import { type Chunk, type ChunkIndex, MAGIC, OP, RECORD_HEAD_BYTES, TAIL_BYTES } from './records.ts';
import { Summary } from './summary.ts';

/** The result of a walk through a file from its first byte. */
export type Scan = {
  readonly summary: Summary;
  /** A header record was read. */
  readonly hasHeader: boolean;
  /** The file ends with footer and magic and nothing before them is wrong. */
  readonly complete: boolean;
  /** End of the last whole record of the data section. */
  readonly goodEnd: number;
  /** What stopped the walk, naming the byte; undefined when complete. */
  readonly fault: EdgeError | undefined;
  /** The last chunk if its message indexes are not all there. */
  readonly unindexed: ChunkIndex | undefined;
  /** Messages outside chunks, where they stand; no index can name them. */
  readonly loose: readonly LooseMessage[];
};

/** A message record outside chunks: where it stands, with its head. */
export type LooseMessage = {
  readonly offset: number;
  readonly length: number;
  readonly channelId: number;
  readonly logTime: bigint;
};

type Indexing = { -readonly [K in keyof ChunkIndex]: ChunkIndex[K] } & {
  messageIndexOffsets: Map<number, number>;
  channels: Set<number>;
};

/**
 * Reads a file record by record, checks every chunk against its CRC and rebuilds its
 * summary. Stops at the first fault; everything before it is in the result. Rejects only when reading fails or
 * the file does not start like an MCAP file.
 */
export async function scan(readable: Readable): Promise<Scan> {
  const walk = new Walk(readable, await readable.size());
  return walk.run();
}

class Walk {
  readonly #readable: Readable;
  readonly #subject: string;
  readonly #size: number;
  readonly #summary = new Summary();
  readonly #loose: LooseMessage[] = [];
  #last: Indexing | undefined;
  #at = MAGIC.length;
  #complete = false;
  #hasHeader = false;

  constructor(readable: Readable, size: number) {
    this.#readable = readable;
    this.#subject = readable.subject;
    this.#size = size;
  }

  async run(): Promise<Scan> {
    const magic = this.#size < MAGIC.length ? undefined : await this.#readable.read(0, MAGIC.length);
    if (!magic || !MAGIC.every((byte, i) => magic[i] === byte)) {
      throw malformed(this.#subject, 0, 'the magic bytes of an MCAP file are missing');
    }
    let fault: EdgeError | undefined;
    try {
      while (await this.#step());
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      fault = error;
    }
    const last = this.#last;
    const indexed = !last || [...last.channels].every((channel) => last.messageIndexOffsets.has(channel));
    return {
      summary: this.#summary,
      hasHeader: this.#hasHeader,
      complete: this.#complete,
      goodEnd: this.#at,
      fault,
      unindexed: indexed ? undefined : last,
      loose: this.#loose,
    };
  }

  /** One record; false after the end of data. */
  async #step(): Promise<boolean> {
    const left = this.#size - this.#at;
    if (left < RECORD_HEAD_BYTES) throw malformed(this.#subject, this.#at, 'the file ends before its footer');
    const head = await this.#readable.read(this.#at, RECORD_HEAD_BYTES);
    const view = new DataView(head.buffer, head.byteOffset, RECORD_HEAD_BYTES);
    const opcode = view.getUint8(0);
    const length = view.getUint32(1, true) + view.getUint32(5, true) * 2 ** 32;
    if (opcode === 0) throw malformed(this.#subject, this.#at, 'opcode 0 is not valid');
    if (length > left - RECORD_HEAD_BYTES) {
      throw malformed(this.#subject, this.#at, `a record of ${length} bytes is truncated`);
    }
    if (opcode === OP.dataEnd) {
      await this.#finish(RECORD_HEAD_BYTES + length);
      return false;
    }
    if (opcode < 0x80) await this.#enter(opcode, length);
    this.#at += RECORD_HEAD_BYTES + length;
    return true;
  }

  async #enter(opcode: number, length: number): Promise<void> {
    // An attachment may be larger than memory; only its head is needed.
    const wanted = opcode === OP.attachment ? Math.min(length, 64 * 1024) : length;
    if (wanted > LIMITS.MCAP_CHUNK_BYTES_MAX + 4096) {
      throw malformed(this.#subject, this.#at, `a record of ${length} bytes`);
    }
    const bodyAt = this.#at + RECORD_HEAD_BYTES;
    const body = await this.#readable.read(bodyAt, wanted);
    if (opcode === OP.attachment) return this.#attachment(body, length);
    const record = decodeRecord(opcode, body, bodyAt, this.#subject);
    switch (record.kind) {
      case 'header':
        this.#hasHeader = true;
        return;
      case 'schema':
        if (record.id !== 0) this.#summary.schemas.set(record.id, record);
        return;
      case 'channel':
        this.#summary.channels.set(record.id, record);
        return;
      case 'message':
        if (!this.#summary.channels.has(record.channelId)) {
          throw malformed(this.#subject, bodyAt, `unknown channel ${record.channelId}`);
        }
        this.#loose.push({
          offset: this.#at,
          length: RECORD_HEAD_BYTES + length,
          channelId: record.channelId,
          logTime: record.logTime,
        });
        this.#summary.addMessages(new Map([[record.channelId, 1]]), record.logTime, record.logTime);
        return;
      case 'chunk':
        return this.#chunk(record, RECORD_HEAD_BYTES + length);
      case 'messageIndex':
        this.#last?.messageIndexOffsets.set(record.channelId, this.#at);
        if (this.#last) this.#last.messageIndexLength += RECORD_HEAD_BYTES + length;
        return;
      case 'metadata': {
        const entry = { offset: this.#at, length: RECORD_HEAD_BYTES + length, name: record.name };
        this.#summary.metadata.push(entry);
        return;
      }
    }
  }

  #chunk(chunk: Chunk, length: number): void {
    const contents = chunkContents(chunk, this.#at, this.#subject);
    const counts = new Map<number, number>();
    for (const span of recordSpans(contents, this.#at, this.#subject)) {
      if (span.opcode === OP.message) {
        const { channelId } = messageAt(contents, span, this.#at, this.#subject);
        counts.set(channelId, (counts.get(channelId) ?? 0) + 1);
      } else if (span.opcode === OP.schema || span.opcode === OP.channel) {
        const body = contents.slice(span.bodyAt, span.bodyAt + span.length);
        const record = decodeRecord(span.opcode, body, this.#at + span.bodyAt, this.#subject);
        if (record.kind === 'schema' && record.id !== 0) this.#summary.schemas.set(record.id, record);
        if (record.kind === 'channel') this.#summary.channels.set(record.id, record);
      }
    }
    const entry: Indexing = {
      startTime: chunk.startTime,
      endTime: chunk.endTime,
      chunkStart: this.#at,
      chunkLength: length,
      messageIndexOffsets: new Map(),
      messageIndexLength: 0,
      compression: chunk.compression,
      compressedSize: chunk.records.length,
      uncompressedSize: chunk.uncompressedSize,
      channels: new Set(counts.keys()),
    };
    this.#last = entry;
    this.#summary.chunks.push(entry);
    this.#summary.chunkCount += 1;
    this.#summary.addMessages(counts, chunk.startTime, chunk.endTime);
  }

  #attachment(body: Uint8Array, length: number): void {
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    if (body.length < 16) throw malformed(this.#subject, this.#at, 'an attachment is truncated');
    let at = 16;
    const text = (): string => {
      if (at + 4 > body.length) throw malformed(this.#subject, this.#at, 'an attachment is truncated');
      const end = at + 4 + view.getUint32(at, true);
      if (end > body.length) throw malformed(this.#subject, this.#at, 'an attachment is truncated');
      const value = new TextDecoder().decode(body.subarray(at + 4, end));
      at = end;
      return value;
    };
    const name = text();
    const mediaType = text();
    this.#summary.attachments.push({
      offset: this.#at,
      length: RECORD_HEAD_BYTES + length,
      logTime: view.getBigUint64(0, true),
      createTime: view.getBigUint64(8, true),
      dataSize: Math.max(0, length - at - 12),
      name,
      mediaType,
    });
  }

  /** At the end of data: whether the end of the file is there. */
  async #finish(length: number): Promise<void> {
    const after = this.#at + length;
    if (this.#size - after < TAIL_BYTES) {
      throw malformed(this.#subject, after, 'the file ends before its footer');
    }
    const tail = await this.#readable.read(this.#size - TAIL_BYTES, TAIL_BYTES);
    const magic = tail.subarray(TAIL_BYTES - MAGIC.length);
    if (tail[0] !== OP.footer || !MAGIC.every((byte, i) => magic[i] === byte)) {
      throw malformed(this.#subject, this.#size - TAIL_BYTES, 'the footer is missing');
    }
    this.#complete = true;
  }
}
