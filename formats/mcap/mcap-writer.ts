import { ByteWriter } from './byte-writer.ts';
import type { ChunkBuilder } from './chunk-builder.ts';
import { writeChannel, writeDataEnd, writeHeader, writeMetadata, writeSchema } from './encode.ts';
import { type Channel, type Header, MAGIC, OP, RECORD_HEAD_BYTES, type Schema } from './records.ts';
import { Summary } from './summary.ts';

/**
 * Bytes to append at `offset`. The writer counts them only when `commit` is called, so that a failed write
 * (full disk) can be cut off and leaves the summary true. One pending at a time.
 */
export type Pending = {
  readonly offset: number;
  readonly buffers: Uint8Array[];
  readonly bytes: number;
  commit(): void;
};

/**
 * Writes an MCAP file as lists of buffers, in order, each to be appended; it does no I/O and copies no
 * message bytes. Chunks are not compressed.
 */
export class McapWriter {
  readonly summary: Summary;
  #offset: number;
  #ended = false;

  /** With `summary` and `offset` it goes on where a scan of an unfinished file ended (see repair). */
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

  /** The chunk, with its message indexes behind it. The parts of `chunk` go into the list as they are. */
  chunk(chunk: ChunkBuilder): Pending {
    const { startTime, endTime } = chunk;
    const head = new ByteWriter(64);
    const bodyLength = 8 + 8 + 8 + 4 + 4 + 8 + chunk.size;
    head.u8(OP.chunk).u64(bodyLength).u64(startTime).u64(endTime);
    head.u64(chunk.size).u32(chunk.crc).text('').u64(chunk.size);
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
      compression: '',
      compressedSize: chunk.size,
      uncompressedSize: chunk.size,
    };
    return this.#pending([head.take(), ...chunk.parts, index], () => {
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
