import { EdgeError, LIMITS } from '../../contract/core.ts';
import { ByteWriter } from './byte-writer.ts';
import { chunkAt } from './chunk-at.ts';
import { ChunkBuilder } from './chunk-builder.ts';
import { recordSpans } from './chunk-contents.ts';
import { decodeRecord } from './decode.ts';
import { writeHeader } from './encode.ts';
import { type FoundIndex, hasAllIndexes } from './found-index.ts';
import type { Packed } from './mcap-writer.ts';
import type { Readable } from './readable.ts';
import { type Header, HIDDEN_OPCODE, MAGIC, MESSAGE_FIELDS_BYTES, OP, RECORD_HEAD_BYTES } from './records.ts';
import type { Region, Scan } from './scan-result.ts';
import { Window } from './window.ts';

/** Bytes to write over those at `at`. */
export type Patch = { readonly at: number; readonly bytes: Uint8Array };
/** A chunk as it is to be written again. */
export type Rewritten = {
  readonly contents: ChunkBuilder;
  readonly packed: Packed | undefined;
  /** The definitions among its records, which those behind the chunk may need. */
  readonly definitions: Uint8Array;
};

/** A part that becomes a private record, behind definitions that are kept. */
type Hidden = Region & { readonly kept?: Uint8Array };

/**
 * Chunks before `end` that other readers would refuse although this one reads them: they are hidden where they stand and written
 * again behind the others. At most LIMITS.MCAP_CHUNK_BYTES_MAX together; more stay as they are.
 */
export function flawedChunks(found: Scan, end: number): ReadonlySet<FoundIndex> {
  const flawed = new Set<FoundIndex>();
  // Behind a definition that gives its id another meaning, the messages would belong to the wrong channel.
  if (found.definitions.others.size > 0) return flawed;
  const chunks = found.chunks.filter(({ chunkStart }) => chunkStart < end);
  const hasIndexes =
    found.strays.length > 0 ||
    [...chunks.map((c) => c.messageIndexLength), ...found.holes.map((h) => h.indexLength)].some(
      (length) => length > 0,
    );
  const narrow = found.holes.filter(({ length, indexLength }) => length + indexLength < RECORD_HEAD_BYTES);
  const borders = new Set(narrow.flatMap(({ at, length }) => [at, at + length]));
  let bytes = 0;
  for (const chunk of chunks) {
    const isFlawed =
      chunk.hasFault ||
      (chunk.head !== undefined && chunk.head.length !== chunk.headBytes) ||
      (hasIndexes && !hasAllIndexes(chunk)) ||
      // A hole that cannot hold the head of a record is hidden together with the chunk beside it.
      borders.has(chunk.chunkStart) ||
      borders.has(endOf(chunk)) ||
      [...chunk.channels].some((channel) => !found.summary.channels.has(channel));
    if (!isFlawed || bytes + chunk.uncompressedSize > LIMITS.MCAP_CHUNK_BYTES_MAX) continue;
    bytes += chunk.uncompressedSize;
    flawed.add(chunk);
  }
  return flawed;
}

/** Reads a chunk; records that cannot be read are left out. */
export async function rewritten(readable: Readable, chunk: FoundIndex, found: Scan): Promise<Rewritten> {
  const window = new Window(readable, await readable.size());
  const { chunk: read, contents: bytes } = await chunkAt(window, chunk.chunkStart);
  const contents = new ChunkBuilder();
  const known = knownRecords(bytes, found);
  contents.add(known);
  const { compression } = chunk;
  const isPacked = known.length === bytes.length && (compression === 'zstd' || compression === 'lz4');
  return {
    contents,
    packed: isPacked ? { compression, bytes: read.records } : undefined,
    definitions: knownRecords(bytes, found, true),
  };
}

/** Takes the chunk and its messages out of the summary, before it is written again. */
export function forget({ summary }: Scan, chunk: FoundIndex, { contents }: Rewritten): void {
  summary.chunks.splice(summary.chunks.indexOf(chunk), 1);
  summary.chunkCount -= 1;
  for (const [channel, count] of contents.counts()) {
    summary.counts.set(channel, (summary.counts.get(channel) ?? 0) - count);
    summary.messages -= count;
  }
}

/**
 * What has to be changed before `end`, with the definitions of each flawed chunk: damage and flawed chunks become private records, definitions stay
 * where they fit, heads of chunks become right.
 */
export function patches(
  found: Scan,
  flawed: ReadonlyMap<FoundIndex, Uint8Array>,
  end: number,
  header: Header,
): readonly Patch[] {
  const heads = found.chunks.flatMap((chunk) =>
    chunk.head === undefined || chunk.chunkStart >= end || flawed.has(chunk)
      ? []
      : [{ at: chunk.chunkStart, bytes: chunk.head }],
  );
  const regions: Hidden[] = [];
  const hidden: Hidden[] = [
    ...found.holes
      .filter(({ at }) => at < end)
      .map(({ at, length, indexLength }) => ({ at, end: at + length + indexLength })),
    ...found.strays.filter(({ at }) => at < end),
    ...found.loose
      .filter(({ offset, channelId }) => offset < end && !found.summary.channels.has(channelId))
      .map(({ offset, length }) => ({ at: offset, end: offset + length })),
    ...[...flawed].map(([chunk, kept]) => ({ at: chunk.chunkStart, end: endOf(chunk), kept })),
  ].sort((a, b) => a.at - b.at);
  for (const region of hidden) {
    const before = regions.at(-1);
    if (before && before.end >= region.at)
      regions[regions.length - 1] = {
        at: before.at,
        end: Math.max(before.end, region.end),
        kept: Buffer.concat([before.kept ?? [], region.kept ?? []].map((b) => Buffer.from(b))),
      };
    else regions.push(region);
  }
  return [...heads, ...regions.flatMap((region) => hide(region, found, header))];
}

function endOf({ chunkStart, chunkLength, messageIndexLength }: FoundIndex): number {
  return chunkStart + chunkLength + messageIndexLength;
}

/** Smaller regions cannot hold the head of a record; they stay, and readers that stream stop there. */
function hide({ at, end, kept }: Hidden, { hasHeader }: Scan, header: Header): Patch[] {
  if (at === MAGIC.length && !hasHeader) {
    for (const { profile, library } of [header, { ...header, library: '' }, { profile: '', library: '' }]) {
      const out = new ByteWriter(64);
      writeHeader(out, { profile, library });
      const left = end - at - out.length;
      if (left > 0 && left < RECORD_HEAD_BYTES) continue;
      if (left < 0) continue;
      if (left > 0) out.u8(HIDDEN_OPCODE).u64(left - RECORD_HEAD_BYTES);
      return [{ at, bytes: out.take() }];
    }
  }
  if (end - at < RECORD_HEAD_BYTES) return [];
  const out = new ByteWriter(64);
  if (kept && kept.length <= end - at - RECORD_HEAD_BYTES) out.raw(kept);
  const left = end - at - out.length;
  out.u8(HIDDEN_OPCODE).u64(left - RECORD_HEAD_BYTES);
  return [{ at, bytes: out.take() }];
}

/** The whole records of a chunk: definitions, and messages whose channel is known. */
export function knownRecords(bytes: Uint8Array, { summary }: Scan, onlyDefinitions = false): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  try {
    for (const { opcode, bodyAt, length } of recordSpans(bytes, 0, '')) {
      if (opcode === OP.message) {
        if (
          onlyDefinitions ||
          length < MESSAGE_FIELDS_BYTES ||
          !summary.channels.has(view.getUint16(bodyAt, true))
        )
          continue;
      } else if (!isDefinition(opcode, bytes.subarray(bodyAt, bodyAt + length))) continue;
      parts.push(bytes.subarray(bodyAt - RECORD_HEAD_BYTES, bodyAt + length));
    }
  } catch (error) {
    // The record that was truncated ends the walk; everything before it counts.
    if (!(error instanceof EdgeError)) throw error;
  }
  return new Uint8Array(Buffer.concat(parts));
}

/** A schema or a channel that can be read. */
function isDefinition(opcode: number, body: Uint8Array): boolean {
  if (opcode !== OP.schema && opcode !== OP.channel) return false;
  try {
    decodeRecord(opcode, body, 0, '');
    return true;
  } catch (error) {
    if (error instanceof EdgeError) return false;
    throw error;
  }
}
