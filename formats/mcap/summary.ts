import { crc32 } from 'node:zlib';
import { ByteWriter } from './byte-writer.ts';
import {
  writeAttachmentIndex,
  writeChannel,
  writeChunkIndex,
  writeMetadataIndex,
  writeSchema,
  writeStatistics,
  writeSummaryOffset,
} from './encode.ts';
import {
  type AttachmentIndex,
  type Channel,
  type ChunkIndex,
  FOOTER_BODY_BYTES,
  MAGIC,
  type MetadataIndex,
  OP,
  type Schema,
} from './records.ts';

/** What the end of a file says about its data section; grows while the file is written or scanned. */
export class Summary {
  readonly schemas = new Map<number, Schema>();
  readonly channels = new Map<number, Channel>();
  readonly chunks: ChunkIndex[] = [];
  readonly attachments: AttachmentIndex[] = [];
  readonly metadata: MetadataIndex[] = [];
  readonly counts = new Map<number, number>();
  messages = 0;
  /** Chunks of the file, also those without an index. */
  chunkCount = 0;
  startTime = 0n;
  endTime = 0n;

  /** Adds messages of a chunk, or a single one, to the statistics. */
  addMessages(counts: ReadonlyMap<number, number>, startTime: bigint, endTime: bigint): void {
    let added = 0;
    for (const [channel, count] of counts) {
      this.counts.set(channel, (this.counts.get(channel) ?? 0) + count);
      added += count;
    }
    if (added === 0) return;
    if (this.messages === 0 || startTime < this.startTime) this.startTime = startTime;
    if (this.messages === 0 || endTime > this.endTime) this.endTime = endTime;
    this.messages += added;
  }

  /** Summary section, summary offsets, footer and magic, for a data section that ends at `offset`. */
  encode(offset: number): Uint8Array {
    const out = new ByteWriter(4096);
    const groups: { opcode: number; start: number; length: number }[] = [];
    const group = (opcode: number, write: () => void) => {
      const start = out.length;
      write();
      if (out.length > start) groups.push({ opcode, start: offset + start, length: out.length - start });
    };
    group(OP.schema, () => {
      for (const schema of this.schemas.values()) writeSchema(out, schema);
    });
    group(OP.channel, () => {
      for (const channel of this.channels.values()) writeChannel(out, channel);
    });
    group(OP.statistics, () => writeStatistics(out, this.#statistics()));
    group(OP.chunkIndex, () => {
      for (const chunk of this.chunks) writeChunkIndex(out, chunk);
    });
    group(OP.attachmentIndex, () => {
      for (const attachment of this.attachments) writeAttachmentIndex(out, attachment);
    });
    group(OP.metadataIndex, () => {
      for (const metadata of this.metadata) writeMetadataIndex(out, metadata);
    });
    const offsetsStart = offset + out.length;
    for (const { opcode, start, length } of groups) {
      writeSummaryOffset(out, { groupOpcode: opcode, groupStart: start, groupLength: length });
    }
    out.u8(OP.footer).u64(FOOTER_BODY_BYTES).u64(offset).u64(offsetsStart);
    out.u32(crc32(out.view())).raw(MAGIC);
    return out.take();
  }

  #statistics() {
    return {
      messageCount: this.messages,
      schemaCount: this.schemas.size,
      channelCount: this.channels.size,
      attachmentCount: this.attachments.length,
      metadataCount: this.metadata.length,
      chunkCount: this.chunkCount,
      startTime: this.startTime,
      endTime: this.endTime,
      channelMessageCounts: this.counts,
    };
  }
}
