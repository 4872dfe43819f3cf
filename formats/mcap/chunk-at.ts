import { LIMITS } from '../../contract/core.ts';
import { chunkContents } from './chunk-contents.ts';
import { malformed } from './malformed.ts';
import { type Chunk, OP, RECORD_HEAD_BYTES } from './records.ts';
import type { Window } from './window.ts';

/** Times, size, CRC and the length of the compression's name, behind the record's head. */
const FIXED_BYTES = 8 + 8 + 8 + 4 + 4;
const NAME_BYTES_MAX = 32;
/** Enough for the head of any chunk that can be read. */
export const CHUNK_HEAD_BYTES_MAX = RECORD_HEAD_BYTES + FIXED_BYTES + NAME_BYTES_MAX + 8;

export type ChunkHead = Omit<Chunk, 'records'> & {
  /** Bytes from the record's first byte to the compressed records. */
  readonly headBytes: number;
  /** Length of the compressed records as the chunk says. */
  readonly inner: number;
  /** The same as the record's own length says. */
  readonly outer: number;
};

/** A chunk that was read and holds what its CRC says. */
export type FoundChunk = {
  readonly chunk: Chunk & ChunkHead;
  readonly length: number;
  readonly contents: Uint8Array;
};

/** The fields in front of a chunk's records, if `bytes` can be the start of a chunk. The opcode is not looked at. */
export function chunkHead(bytes: Uint8Array): ChunkHead | undefined {
  if (bytes.length < RECORD_HEAD_BYTES + FIXED_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const nameBytes = view.getUint32(37, true);
  const headBytes = RECORD_HEAD_BYTES + FIXED_BYTES + nameBytes + 8;
  if (nameBytes > NAME_BYTES_MAX || headBytes > bytes.length) return undefined;
  return {
    startTime: view.getBigUint64(9, true),
    endTime: view.getBigUint64(17, true),
    uncompressedSize: Number(view.getBigUint64(25, true)),
    uncompressedCrc: view.getUint32(33, true),
    compression: Buffer.from(bytes.subarray(41, 41 + nameBytes)).toString('latin1'),
    headBytes,
    inner: Number(view.getBigUint64(headBytes - 8, true)),
    outer: Number(view.getBigUint64(1, true)) - (headBytes - RECORD_HEAD_BYTES),
  };
}

/** Whether these fields are those of a chunk beyond doubt: both lengths agree and the compression is known. */
export function isChunkHead(head: ChunkHead | undefined): head is ChunkHead {
  return head !== undefined && head.inner === head.outer && ['', 'lz4', 'zstd'].includes(head.compression);
}

/**
 * Reads the chunk at `at`. Of its two lengths the one is taken with which the CRC matches, so that a damaged length
 * or opcode costs nothing. Throws `mcap.malformed`.
 */
export async function chunkAt(window: Window, at: number): Promise<FoundChunk> {
  const { subject } = window;
  const head = chunkHead(await window.own(at, CHUNK_HEAD_BYTES_MAX));
  if (!head) throw malformed(subject, at, 'the head of a chunk is damaged or truncated');
  let fault: unknown;
  for (const size of new Set([head.inner, head.outer])) {
    if (!(size >= 0) || at + head.headBytes + size > window.size) continue;
    // A length of its own may be the only thing that is intact: then a CRC has to confirm it.
    if (head.inner !== head.outer && head.uncompressedCrc === 0 && size === head.inner) continue;
    if (size > LIMITS.MCAP_CHUNK_BYTES_MAX) {
      fault ??= malformed(subject, at, `a chunk of ${size} bytes`);
      continue;
    }
    const chunk = { ...head, records: await window.own(at + head.headBytes, size) };
    try {
      return { chunk, length: head.headBytes + size, contents: chunkContents(chunk, at, subject) };
    } catch (error) {
      fault ??= error;
    }
  }
  throw fault ?? malformed(subject, at, `a chunk of ${head.inner} bytes is truncated`);
}

/** The part of a chunk that the file still holds, if the file ends within it; else undefined. */
export async function truncatedChunkAt(window: Window, at: number): Promise<Chunk | undefined> {
  const bytes = await window.read(at, CHUNK_HEAD_BYTES_MAX);
  const head = bytes[0] === OP.chunk ? chunkHead(bytes) : undefined;
  if (!head || at + head.headBytes + Math.max(head.inner, head.outer) <= window.size) return undefined;
  const size = Math.min(window.size - at - head.headBytes, LIMITS.MCAP_CHUNK_BYTES_MAX);
  return { ...head, records: await window.own(at + head.headBytes, size) };
}
