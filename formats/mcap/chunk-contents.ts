import { crc32, zstdDecompressSync } from 'node:zlib';
import { LIMITS } from '../../contract/core.ts';
import { decompressLz4 } from './lz4.ts';
import { malformed } from './malformed.ts';
import { type Chunk, MESSAGE_FIELDS_BYTES, type Message, OP, RECORD_HEAD_BYTES } from './records.ts';

/** Where a record stands within bytes that hold a sequence of records. */
export type RecordSpan = { readonly opcode: number; readonly bodyAt: number; readonly length: number };

/**
 * The records of a chunk, decompressed and checked against its CRC. `offset` is where the chunk's record
 * stands in the file. Throws `mcap.malformed`; allocates no more than LIMITS.MCAP_CHUNK_BYTES_MAX.
 */
export function chunkContents(chunk: Chunk, offset: number, subject: string): Uint8Array {
  const size = chunk.uncompressedSize;
  if (size > LIMITS.MCAP_CHUNK_BYTES_MAX) throw malformed(subject, offset, `a chunk of ${size} bytes`);
  const contents = decompress(chunk, offset, subject);
  if (contents.length !== size) {
    throw malformed(subject, offset, `the chunk has ${contents.length} bytes, but declares ${size}`);
  }
  if (chunk.uncompressedCrc !== 0 && crc32(contents) !== chunk.uncompressedCrc) {
    throw malformed(subject, offset, 'the CRC of the chunk does not match its bytes');
  }
  return contents;
}

function decompress(chunk: Chunk, offset: number, subject: string): Uint8Array {
  switch (chunk.compression) {
    case '':
      return chunk.records;
    case 'lz4':
      return decompressLz4(chunk.records, chunk.uncompressedSize, offset, subject);
    case 'zstd':
      try {
        return plain(
          zstdDecompressSync(chunk.records, { maxOutputLength: Math.max(chunk.uncompressedSize, 1) }),
        );
      } catch (cause) {
        throw malformed(subject, offset, `zstd: ${(cause as Error).message}`, cause);
      }
    default:
      throw malformed(subject, offset, `unknown compression "${chunk.compression}"`);
  }
}

/** Not a Buffer: its `slice` copies nothing, and a receiver that gives its copy to a thread would take ours along. */
function plain({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

/** Walks records laid end to end. Throws `mcap.malformed` where one is cut off, after yielding those before. */
export function* recordSpans(bytes: Uint8Array, offset: number, subject: string): Generator<RecordSpan> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < bytes.length) {
    if (at + RECORD_HEAD_BYTES > bytes.length)
      throw malformed(subject, offset + at, 'a record header is truncated');
    const opcode = view.getUint8(at);
    // Zeros: a chunk of nothing else would be millions of records.
    if (opcode === 0) throw malformed(subject, offset + at, 'opcode 0 is not valid');
    const length = view.getUint32(at + 1, true) + view.getUint32(at + 5, true) * 2 ** 32;
    const bodyAt = at + RECORD_HEAD_BYTES;
    if (length > bytes.length - bodyAt) {
      throw malformed(subject, offset + at, `a record of ${length} bytes is truncated`);
    }
    yield { opcode, bodyAt, length };
    at = bodyAt + length;
  }
}

/** The message of a span; its data is a view into `bytes`. */
export function messageAt(bytes: Uint8Array, span: RecordSpan, offset: number, subject: string): Message {
  if (span.opcode !== OP.message || span.length < MESSAGE_FIELDS_BYTES) {
    throw malformed(subject, offset + span.bodyAt, 'expected a message record');
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + span.bodyAt, MESSAGE_FIELDS_BYTES);
  return {
    channelId: view.getUint16(0, true),
    sequence: view.getUint32(2, true),
    logTime: view.getBigUint64(6, true),
    publishTime: view.getBigUint64(14, true),
    data: bytes.subarray(span.bodyAt + MESSAGE_FIELDS_BYTES, span.bodyAt + span.length),
  };
}
