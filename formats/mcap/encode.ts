import { crc32 } from 'node:zlib';
import { ByteWriter } from './byte-writer.ts';
import {
  type Attachment,
  type AttachmentIndex,
  type Channel,
  type ChunkIndex,
  type Header,
  type Metadata,
  type MetadataIndex,
  OP,
  type Schema,
  type Statistics,
  type SummaryOffset,
} from './records.ts';

export function writeHeader(out: ByteWriter, header: Header): void {
  out.record(OP.header, () => out.text(header.profile).text(header.library));
}

export function writeSchema(out: ByteWriter, schema: Schema): void {
  out.record(OP.schema, () =>
    out.u16(schema.id).text(schema.name).text(schema.encoding).u32(schema.data.length).raw(schema.data),
  );
}

export function writeChannel(out: ByteWriter, channel: Channel): void {
  out.record(OP.channel, () =>
    out
      .u16(channel.id)
      .u16(channel.schemaId)
      .text(channel.topic)
      .text(channel.messageEncoding)
      .textMap(channel.metadata),
  );
}

export function writeChunkIndex(out: ByteWriter, index: ChunkIndex): void {
  out.record(OP.chunkIndex, () =>
    out
      .u64(index.startTime)
      .u64(index.endTime)
      .u64(index.chunkStart)
      .u64(index.chunkLength)
      .countMap(index.messageIndexOffsets)
      .u64(index.messageIndexLength)
      .text(index.compression)
      .u64(index.compressedSize)
      .u64(index.uncompressedSize),
  );
}

export function writeAttachmentIndex(out: ByteWriter, index: AttachmentIndex): void {
  out.record(OP.attachmentIndex, () =>
    out
      .u64(index.offset)
      .u64(index.length)
      .u64(index.logTime)
      .u64(index.createTime)
      .u64(index.dataSize)
      .text(index.name)
      .text(index.mediaType),
  );
}

/** The record as buffers: head, the data itself, and the CRC over all fields before it. */
export function writeAttachment(attachment: Omit<Attachment, 'crc'>): Uint8Array[] {
  const { logTime, createTime, name, mediaType, data } = attachment;
  const fields = new ByteWriter();
  fields.u64(logTime).u64(createTime).text(name).text(mediaType).u64(data.length);
  const crc = crc32(data, crc32(fields.view()));
  const head = new ByteWriter(16).u8(OP.attachment).u64(fields.length + data.length + 4);
  return [head.take(), fields.take(), data, new ByteWriter(4).u32(crc).take()];
}

export function writeMetadata(out: ByteWriter, metadata: Metadata): void {
  out.record(OP.metadata, () => out.text(metadata.name).textMap(metadata.values));
}

export function writeMetadataIndex(out: ByteWriter, index: MetadataIndex): void {
  out.record(OP.metadataIndex, () => out.u64(index.offset).u64(index.length).text(index.name));
}

export function writeStatistics(out: ByteWriter, statistics: Statistics): void {
  out.record(OP.statistics, () =>
    out
      .u64(statistics.messageCount)
      .u16(statistics.schemaCount)
      .u32(statistics.channelCount)
      .u32(statistics.attachmentCount)
      .u32(statistics.metadataCount)
      .u32(statistics.chunkCount)
      .u64(statistics.startTime)
      .u64(statistics.endTime)
      .countMap(statistics.channelMessageCounts),
  );
}

export function writeSummaryOffset(out: ByteWriter, offset: SummaryOffset): void {
  out.record(OP.summaryOffset, () =>
    out.u8(offset.groupOpcode).u64(offset.groupStart).u64(offset.groupLength),
  );
}

/** `crc` 0: not computed. The chunks carry their own, and a CRC over the whole file would cost a second pass. */
export function writeDataEnd(out: ByteWriter, crc: number): void {
  out.record(OP.dataEnd, () => out.u32(crc));
}
