import { ByteReader } from './byte-reader.ts';
import { malformed } from './malformed.ts';
import { type McapRecord, type Message, OP } from './records.ts';

/**
 * Parses one record's body. `offset` is where the body stands in the file and `subject` names the file: both
 * only for messages. Throws `mcap.malformed`. Bytes in the result are views into `body`.
 */
export function decodeRecord(opcode: number, body: Uint8Array, offset: number, subject: string): McapRecord {
  const parse = PARSERS[opcode];
  if (!parse) {
    if (opcode === 0) throw malformed(subject, offset, 'opcode 0 is not valid');
    return { kind: 'unknown', opcode, data: body };
  }
  return parse(new ByteReader(body, offset, subject));
}

type Parser = (reader: ByteReader) => McapRecord;

function message(r: ByteReader): Message & { kind: 'message' } {
  return {
    kind: 'message',
    channelId: r.u16(),
    sequence: r.u32(),
    logTime: r.u64(),
    publishTime: r.u64(),
    data: r.raw(r.left),
  };
}

/** Object fields are evaluated in the order they are written: the order on disk. */
const PARSERS: Readonly<Record<number, Parser>> = {
  [OP.header]: (r) => ({ kind: 'header', profile: r.text(), library: r.text() }),
  [OP.footer]: (r) => ({
    kind: 'footer',
    summaryStart: r.size(),
    summaryOffsetStart: r.size(),
    summaryCrc: r.u32(),
  }),
  [OP.schema]: (r) => ({
    kind: 'schema',
    id: r.u16(),
    name: r.text(),
    encoding: r.text(),
    data: r.raw(r.u32()),
  }),
  [OP.channel]: (r) => ({
    kind: 'channel',
    id: r.u16(),
    schemaId: r.u16(),
    topic: r.text(),
    messageEncoding: r.text(),
    metadata: r.textMap(),
  }),
  [OP.message]: message,
  [OP.chunk]: (r) => ({
    kind: 'chunk',
    startTime: r.u64(),
    endTime: r.u64(),
    uncompressedSize: r.size(),
    uncompressedCrc: r.u32(),
    compression: r.text(),
    records: r.raw(r.size()),
  }),
  [OP.messageIndex]: (r) => {
    const channelId = r.u16();
    const records: [bigint, number][] = [];
    r.sized32((inner) => records.push([inner.u64(), inner.size()]));
    return { kind: 'messageIndex', channelId, records };
  },
  [OP.chunkIndex]: (r) => ({
    kind: 'chunkIndex',
    startTime: r.u64(),
    endTime: r.u64(),
    chunkStart: r.size(),
    chunkLength: r.size(),
    messageIndexOffsets: r.countMap(),
    messageIndexLength: r.size(),
    compression: r.text(),
    compressedSize: r.size(),
    uncompressedSize: r.size(),
  }),
  [OP.attachment]: (r) => ({
    kind: 'attachment',
    logTime: r.u64(),
    createTime: r.u64(),
    name: r.text(),
    mediaType: r.text(),
    data: r.raw(r.size()),
    crc: r.u32(),
  }),
  [OP.attachmentIndex]: (r) => ({
    kind: 'attachmentIndex',
    offset: r.size(),
    length: r.size(),
    logTime: r.u64(),
    createTime: r.u64(),
    dataSize: r.size(),
    name: r.text(),
    mediaType: r.text(),
  }),
  [OP.statistics]: (r) => ({
    kind: 'statistics',
    messageCount: r.size(),
    schemaCount: r.u16(),
    channelCount: r.u32(),
    attachmentCount: r.u32(),
    metadataCount: r.u32(),
    chunkCount: r.u32(),
    startTime: r.u64(),
    endTime: r.u64(),
    channelMessageCounts: r.countMap(),
  }),
  [OP.metadata]: (r) => ({ kind: 'metadata', name: r.text(), values: r.textMap() }),
  [OP.metadataIndex]: (r) => ({ kind: 'metadataIndex', offset: r.size(), length: r.size(), name: r.text() }),
  [OP.summaryOffset]: (r) => ({
    kind: 'summaryOffset',
    groupOpcode: r.u8(),
    groupStart: r.size(),
    groupLength: r.size(),
  }),
  [OP.dataEnd]: (r) => ({ kind: 'dataEnd', crc: r.u32() }),
};
