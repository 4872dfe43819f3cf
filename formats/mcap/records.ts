import type { Nanoseconds } from '../../contract/index.ts';

/**
 * The records of an MCAP file (mcap.dev, specification of version 0). On disk a record is u8 opcode, u64
 * length, body; all integers are little endian. Times are nanoseconds; offsets and lengths count bytes.
 */
export const MAGIC = Uint8Array.of(0x89, 0x4d, 0x43, 0x41, 0x50, 0x30, 0x0d, 0x0a);

export const OP = {
  header: 0x01,
  footer: 0x02,
  schema: 0x03,
  channel: 0x04,
  message: 0x05,
  chunk: 0x06,
  messageIndex: 0x07,
  chunkIndex: 0x08,
  attachment: 0x09,
  attachmentIndex: 0x0a,
  statistics: 0x0b,
  metadata: 0x0c,
  metadataIndex: 0x0d,
  summaryOffset: 0x0e,
  dataEnd: 0x0f,
} as const;

/** Of the record under which a repair hides what is damaged: one of those that the format leaves to its users. */
export const HIDDEN_OPCODE = 0xff;

/** Opcode and length in front of every record body. */
export const RECORD_HEAD_BYTES = 9;
/** Channel id, sequence, log time, publish time in front of the bytes of a message. */
export const MESSAGE_FIELDS_BYTES = 22;
/** A message record without its bytes. */
export const MESSAGE_HEAD_BYTES = RECORD_HEAD_BYTES + MESSAGE_FIELDS_BYTES;
export const FOOTER_BODY_BYTES = 20;
/** Footer record and closing magic: the fixed end of every complete file. */
export const TAIL_BYTES = RECORD_HEAD_BYTES + FOOTER_BODY_BYTES + MAGIC.length;

export type Header = { readonly profile: string; readonly library: string };
export type Footer = {
  readonly summaryStart: number;
  readonly summaryOffsetStart: number;
  readonly summaryCrc: number;
};
export type Schema = {
  readonly id: number;
  readonly name: string;
  readonly encoding: string;
  readonly data: Uint8Array;
};
export type Channel = {
  readonly id: number;
  /** 0: the channel has no schema. */
  readonly schemaId: number;
  readonly topic: string;
  readonly messageEncoding: string;
  readonly metadata: ReadonlyMap<string, string>;
};
export type Message = {
  readonly channelId: number;
  readonly sequence: number;
  readonly logTime: Nanoseconds;
  readonly publishTime: Nanoseconds;
  readonly data: Uint8Array;
};
export type Chunk = {
  readonly startTime: Nanoseconds;
  readonly endTime: Nanoseconds;
  readonly uncompressedSize: number;
  readonly uncompressedCrc: number;
  readonly compression: string;
  readonly records: Uint8Array;
};
export type MessageIndex = {
  readonly channelId: number;
  readonly records: readonly (readonly [bigint, number])[];
};
export type ChunkIndex = {
  readonly startTime: Nanoseconds;
  readonly endTime: Nanoseconds;
  readonly chunkStart: number;
  readonly chunkLength: number;
  readonly messageIndexOffsets: ReadonlyMap<number, number>;
  readonly messageIndexLength: number;
  readonly compression: string;
  readonly compressedSize: number;
  readonly uncompressedSize: number;
};
export type Attachment = {
  readonly logTime: Nanoseconds;
  readonly createTime: Nanoseconds;
  readonly name: string;
  readonly mediaType: string;
  readonly data: Uint8Array;
  readonly crc: number;
};
export type AttachmentIndex = {
  readonly offset: number;
  readonly length: number;
  readonly logTime: Nanoseconds;
  readonly createTime: Nanoseconds;
  readonly dataSize: number;
  readonly name: string;
  readonly mediaType: string;
};
export type Statistics = {
  readonly messageCount: number;
  readonly schemaCount: number;
  readonly channelCount: number;
  readonly attachmentCount: number;
  readonly metadataCount: number;
  readonly chunkCount: number;
  readonly startTime: Nanoseconds;
  readonly endTime: Nanoseconds;
  readonly channelMessageCounts: ReadonlyMap<number, number>;
};
export type Metadata = { readonly name: string; readonly values: ReadonlyMap<string, string> };
export type MetadataIndex = { readonly offset: number; readonly length: number; readonly name: string };
export type SummaryOffset = {
  readonly groupOpcode: number;
  readonly groupStart: number;
  readonly groupLength: number;
};
export type DataEnd = { readonly crc: number };

/** A parsed record; `kind` is `unknown` for opcodes this version of the format does not define. */
export type McapRecord =
  | ({ readonly kind: 'header' } & Header)
  | ({ readonly kind: 'footer' } & Footer)
  | ({ readonly kind: 'schema' } & Schema)
  | ({ readonly kind: 'channel' } & Channel)
  | ({ readonly kind: 'message' } & Message)
  | ({ readonly kind: 'chunk' } & Chunk)
  | ({ readonly kind: 'messageIndex' } & MessageIndex)
  | ({ readonly kind: 'chunkIndex' } & ChunkIndex)
  | ({ readonly kind: 'attachment' } & Attachment)
  | ({ readonly kind: 'attachmentIndex' } & AttachmentIndex)
  | ({ readonly kind: 'statistics' } & Statistics)
  | ({ readonly kind: 'metadata' } & Metadata)
  | ({ readonly kind: 'metadataIndex' } & MetadataIndex)
  | ({ readonly kind: 'summaryOffset' } & SummaryOffset)
  | ({ readonly kind: 'dataEnd' } & DataEnd)
  | { readonly kind: 'unknown'; readonly opcode: number; readonly data: Uint8Array };
