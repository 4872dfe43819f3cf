import { ByteWriter } from './byte-writer.ts';
import type { ChunkBuilder } from './chunk-builder.ts';
import {
  writeAttachment,
  writeChannel,
  writeDataEnd,
  writeHeader,
  writeMetadata,
  writeSchema,
} from './encode.ts';
import {
  type Attachment,
  type Channel,
  type Header,
  MAGIC,
  OP,
  RECORD_HEAD_BYTES,
  type Schema,
} from './records.ts';
import { Summary } from './summary.ts';

/**
 * Bytes to append at `offset`. The writer counts them only when `commit` is called, so that a failed write
 * (full disk) can be truncated and leaves the summary true. One pending at a time.
 */
export type Pending = {
  readonly offset: number;
  readonly buffers: Uint8Array[];
  readonly bytes: number;
  commit(): void;
};

/** The records of a chunk as they are to be written, compressed by a thread that has the time. */
export type Packed = { readonly compression: 'zstd' | 'lz4'; readonly bytes: Uint8Array };

/**
 * Writes an MCAP file as lists of buffers, in order, each to be appended; it does no I/O, copies no message
 * bytes and compresses nothing itself.
 */
export class McapWriter {
  readonly summary: Summary;
  #offset: number;
  #ended = false;

  /** With `summary` and `offset` it continues at the end of a scan of an unfinished file (see repair). */
  constructor(summary = new Summary(), offset = 0) {
    this.summary = summary;
    this.#offset = offset;
  }

  /** Bytes committed so far: the length of the file. */
  get offset(): number {
    return this.#offset;
  }

  begin(header: Header): Pending {
    const out = new ByteWriter();
    out.raw(MAGIC);
    writeHeader(out, header);
    return this.#pending([out.take()], () => {});
  }

  hasChannel(id: number): boolean {
    return this.summary.channels.has(id);
  }

  /** Declares a channel, and its schema the first time. Has to come before the first chunk that uses it. */
  channel(channel: Channel, schema: Schema | undefined): Pending {
    const out = new ByteWriter();
    const isNew = schema !== undefined && !this.summary.schemas.has(schema.id);
    if (isNew) writeSchema(out, schema);
    writeChannel(out, channel);
    return this.#pending([out.take()], () => {
      if (isNew) this.summary.schemas.set(schema.id, schema);
      this.summary.channels.set(channel.id, channel);
    });
  }

  /**
   * The chunk, with its message indexes behind it. The parts of `chunk` go into the list as they are, or
   * `packed`, which is those parts compressed, in their place.
   */
  chunk(chunk: ChunkBuilder, packed?: Packed): Pending {
    const { startTime, endTime } = chunk;
    const compression = packed?.compression ?? '';
    const compressedSize = packed?.bytes.length ?? chunk.size;
    const head = new ByteWriter(64);
    const bodyLength = 8 + 8 + 8 + 4 + 4 + compression.length + 8 + compressedSize;
    head.u8(OP.chunk).u64(bodyLength).u64(startTime).u64(endTime);
    head.u64(chunk.size).u32(chunk.crc).text(compression).u64(compressedSize);
    const relative = new Map<number, number>();
    const index = chunk.indexRecords(relative);
    const chunkLength = RECORD_HEAD_BYTES + bodyLength;
    const indexStart = this.#offset + chunkLength;
    const counts = chunk.counts();
    const record = {
      startTime,
      endTime,
      chunkStart: this.#offset,
      chunkLength,
      messageIndexOffsets: new Map([...relative].map(([id, at]) => [id, indexStart + at])),
      messageIndexLength: index.length,
      compression,
      compressedSize,
      uncompressedSize: chunk.size,
    };
    return this.#pending([head.take(), ...(packed ? [packed.bytes] : chunk.parts), index], () => {
      this.summary.chunks.push(record);
      this.summary.chunkCount += 1;
      this.summary.addMessages(counts, startTime, endTime);
    });
  }

  metadata(name: string, values: ReadonlyMap<string, string>): Pending {
    const out = new ByteWriter();
    writeMetadata(out, { name, values });
    const entry = { offset: this.#offset, length: out.length, name };
    return this.#pending([out.take()], () => this.summary.metadata.push(entry));
  }

  /** A file within the file. Its bytes go into the list as they are; the CRC is computed here. */
  attachment(attachment: Omit<Attachment, 'crc'>): Pending {
    const buffers = writeAttachment(attachment);
    const { logTime, createTime, name, mediaType, data } = attachment;
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const entry = {
      offset: this.#offset,
      length,
      logTime,
      createTime,
      dataSize: data.length,
      name,
      mediaType,
    };
    return this.#pending(buffers, () => this.summary.attachments.push(entry));
  }

  /** End of data, summary, footer, magic: after it the file is complete. */
  end(): Pending {
    const out = new ByteWriter();
    writeDataEnd(out, 0);
    const dataEnd = out.take();
    const tail = this.summary.encode(this.#offset + dataEnd.length);
    return this.#pending([dataEnd, tail], () => {
      this.#ended = true;
    });
  }

  #pending(buffers: Uint8Array[], apply: () => void): Pending {
    if (this.#ended) throw new Error('the MCAP file has already been ended');
    const offset = this.#offset;
    const bytes = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    return {
      offset,
      buffers,
      bytes,
      commit: () => {
        if (this.#offset !== offset) throw new Error('another pending write was committed in between');
        apply();
        this.#offset += bytes;
      },
    };
  }
}
