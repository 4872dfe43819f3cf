import { constants, crc32, zstdDecompressSync } from 'node:zlib';
import { LIMITS } from '../../contract/core.ts';
import { unpackLz4 } from './lz4.ts';
import { malformed } from './malformed.ts';
import { type Chunk, MESSAGE_FIELDS_BYTES, type Message, OP, RECORD_HEAD_BYTES } from './records.ts';

/** Where a record stands within bytes that hold a sequence of records. */
export type RecordSpan = { readonly opcode: number; readonly bodyAt: number; readonly length: number };

/**
 * The records of a chunk, decompressed and checked against its CRC; without a CRC against its declared size. With a CRC that
 * matches, a wrong size or name of the compression does not matter. `offset` is where the chunk's record
 * stands in the file. Throws `mcap.malformed`; allocates no more than LIMITS.MCAP_CHUNK_BYTES_MAX.
 */
export function chunkContents(chunk: Chunk, offset: number, subject: string): Uint8Array {
  const { uncompressedSize: size, uncompressedCrc: crc } = chunk;
  const hasCrc = crc !== 0;
  if (size > LIMITS.MCAP_CHUNK_BYTES_MAX && !hasCrc)
    throw malformed(subject, offset, `a chunk of ${size} bytes`);
  const contents = decompress(chunk, hasCrc, offset, subject);
  if (!hasCrc && contents.length !== size) {
    throw malformed(subject, offset, `the chunk has ${contents.length} bytes, but declares ${size}`);
  }
  if (hasCrc && crc32(contents) !== crc) {
    throw malformed(subject, offset, 'the CRC of the chunk does not match its bytes');
  }
  return contents;
}

/**
 * What can be decompressed of a chunk whose end is missing in the file. Nothing can check it: the CRC is that of the whole
 * chunk. Empty where nothing can be decompressed.
 */
export function partialContents(chunk: Chunk, offset: number, subject: string): Uint8Array {
  const sizeMax = Math.min(chunk.uncompressedSize, LIMITS.MCAP_CHUNK_BYTES_MAX);
  switch (compressionOf(chunk)) {
    case '':
      return chunk.records;
    case 'lz4':
      return unpackLz4(chunk.records, sizeMax, offset, subject).bytes;
    case 'zstd':
      try {
        return unpackZstd(chunk.records, sizeMax, constants.ZSTD_e_flush);
      } catch {
        return new Uint8Array(0);
      }
    default:
      return new Uint8Array(0);
  }
}

const ZSTD_MAGIC = 0xfd2fb528;
const LZ4_MAGIC = 0x184d2204;

/** The compression by its name; under an unknown name by the first bytes. */
export function compressionOf({ compression, records }: Chunk): string {
  if (compression === '' || compression === 'lz4' || compression === 'zstd' || records.length < 4)
    return compression;
  const magic = new DataView(records.buffer, records.byteOffset, 4).getUint32(0, true);
  return magic === ZSTD_MAGIC ? 'zstd' : magic === LZ4_MAGIC ? 'lz4' : compression;
}

function decompress(chunk: Chunk, hasCrc: boolean, offset: number, subject: string): Uint8Array {
  const { records, uncompressedSize: size } = chunk;
  const format = compressionOf(chunk);
  const sizes = [
    ...(size <= LIMITS.MCAP_CHUNK_BYTES_MAX ? [size] : []),
    ...(hasCrc ? [LIMITS.MCAP_CHUNK_BYTES_MAX] : []),
  ];
  if (format === '') return records;
  let fault: Error | undefined;
  for (const sizeMax of sizes) {
    if (format === 'lz4') {
      const unpacked = unpackLz4(records, sizeMax, offset, subject);
      if (!unpacked.fault) return unpacked.bytes;
      fault ??= unpacked.fault;
      // Only a size that is too small is worth a second try.
      if (unpacked.bytes.length + 64 * 1024 < sizeMax) break;
    } else if (format === 'zstd') {
      try {
        return unpackZstd(records, sizeMax, constants.ZSTD_e_end);
      } catch (cause) {
        fault ??= malformed(subject, offset, `zstd: ${(cause as Error).message}`, cause);
        if ((cause as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') break;
      }
    } else break;
  }
  throw fault ?? malformed(subject, offset, `unknown compression "${chunk.compression}"`);
}

/**
 * Not a Buffer: its `slice` copies nothing, and a receiver that gives its copy to a thread would take this buffer
 * along.
 */
function unpackZstd(records: Uint8Array, sizeMax: number, finishFlush: number): Uint8Array {
  const unpacked = zstdDecompressSync(records, { finishFlush, maxOutputLength: Math.max(sizeMax, 1) });
  const { buffer, byteOffset, length } = unpacked;
  return new Uint8Array(buffer, byteOffset, length);
}

/** Walks records laid end to end. Throws `mcap.malformed` where one is truncated, after yielding those before. */
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
