import type { EdgeError } from '../../contract/core.ts';
import { ByteWriter } from './byte-writer.ts';
import type { FoundChunk } from './chunk-at.ts';
import { compressionOf } from './chunk-contents.ts';
import { type ChunkIndex, type MessageIndex, OP, RECORD_HEAD_BYTES } from './records.ts';

/** A chunk that a scan found, with what other readers would refuse of it. */
export type FoundIndex = { -readonly [K in keyof ChunkIndex]: ChunkIndex[K] } & {
  readonly messageIndexOffsets: Map<number, number>;
  readonly channels: ReadonlySet<number>;
  /** The bytes that belong in front of its records, if others stand there. */
  readonly head: Uint8Array | undefined;
  /** Bytes in front of its records. */
  readonly headBytes: number;
  /** One of its records cannot be read. */
  readonly hasFault: boolean;
  /** A message index says what is not so. */
  hasFalseIndex: boolean;
};

/** By channel id how many messages a chunk holds, and a sum over their log times and offsets, in any order. */
export type Entries = Map<number, { count: number; sum: number }>;

export function enterMessage(entries: Entries, channelId: number, logTime: bigint, offset: number): void {
  const entry = entries.get(channelId);
  const added = hashOf(logTime, offset);
  if (!entry) entries.set(channelId, { count: 1, sum: added });
  else {
    entry.count += 1;
    entry.sum = (entry.sum + added) | 0;
  }
}

/** Whether the index names the messages of its channel and nothing else. */
export function isTrueIndex({ channelId, records }: MessageIndex, entries: Entries): boolean {
  const { count, sum } = entries.get(channelId) ?? { count: 0, sum: 0 };
  if (count !== records.length) return false;
  let found = 0;
  for (const [time, offset] of records) {
    if (offset >= 2 ** 32) return false;
    found = (found + hashOf(time, offset)) | 0;
  }
  return found === sum;
}

/** Spreads every bit over 32, so that a sum of several shows any change of one. */
function hashOf(time: bigint, offset: number): number {
  const low = Number(BigInt.asUintN(32, time));
  const high = Number(time >> 32n);
  const mixed = Math.imul(low ^ Math.imul(high, 0x85ebca6b) ^ Math.imul(offset, 0xc2b2ae35), 0x9e3779b1);
  return Math.imul(mixed ^ (mixed >>> 15), 0x2c1b3c6d) ^ (mixed >>> 12);
}

/** What a scan knows of the chunk at `at` before it has read its message indexes; `head` is what stands before its records. */
export function foundIndex(
  found: FoundChunk,
  at: number,
  head: Uint8Array,
  counted: {
    readonly entries: Entries;
    readonly startTime: bigint;
    readonly endTime: bigint;
    readonly fault: EdgeError | undefined;
  },
): FoundIndex {
  const { chunk, length, contents } = found;
  const { entries, fault } = counted;
  const sound = soundHead(found, entries.size === 0 ? chunk : counted);
  return {
    startTime: counted.startTime,
    endTime: counted.endTime,
    chunkStart: at,
    chunkLength: length,
    messageIndexOffsets: new Map(),
    messageIndexLength: 0,
    compression: compressionOf(chunk),
    compressedSize: chunk.records.length,
    uncompressedSize: contents.length,
    channels: new Set(entries.keys()),
    head: Buffer.compare(head, sound) === 0 ? undefined : sound,
    headBytes: head.length,
    hasFault: fault !== undefined,
    hasFalseIndex: false,
  };
}

/** Bytes of the chunk up to its records, with the fields that its contents confirm. */
function soundHead(
  { chunk, length, contents }: FoundChunk,
  { startTime, endTime }: { readonly startTime: bigint; readonly endTime: bigint },
): Uint8Array {
  const out = new ByteWriter(64);
  out.u8(OP.chunk).u64(length - RECORD_HEAD_BYTES);
  out.u64(startTime).u64(endTime).u64(contents.length).u32(chunk.uncompressedCrc);
  out.text(compressionOf(chunk)).u64(chunk.records.length);
  return out.take();
}

export function hasAllIndexes({ channels, messageIndexOffsets, hasFalseIndex }: FoundIndex): boolean {
  return !hasFalseIndex && [...channels].every((channel) => messageIndexOffsets.has(channel));
}
