import { ChunkBuilder } from './chunk-builder.ts';
import { recordSpans } from './chunk-contents.ts';
import { McapWriter } from './mcap-writer.ts';
import type { Readable } from './readable.ts';
import { type ChunkIndex, type Header, MAGIC, OP, RECORD_HEAD_BYTES } from './records.ts';
import { type Scan, scan } from './scan.ts';
import type { Summary } from './summary.ts';

/** The steps that complete an unfinished file: write `append` at `keepBytes`, cut the file behind it, fsync. */
export type Repair = {
  /** True: the file is complete and nothing is to be done. */
  readonly complete: boolean;
  readonly keepBytes: number;
  readonly append: readonly Uint8Array[];
  /** Of the repaired file. */
  readonly summary: Summary;
  /** Messages taken out of a chunk that was cut off. */
  readonly salvaged: number;
  /** Bytes of the file that hold nothing readable. */
  readonly lostBytes: number;
  /** Why the file was not complete, for a person. */
  readonly reason: string;
};

/** Name of the metadata record that says a file was repaired. */
const NOTE = 'auraison.repair';

/** Fixed fields of an uncompressed chunk before its records: times, size, CRC, empty text, length. */
const CHUNK_FIELDS_BYTES = 8 + 8 + 8 + 4 + 4 + 8;

/**
 * Plans the repair of a file that was cut off at any byte: keeps every whole chunk, takes the whole messages
 * out of an uncompressed chunk that was cut off, and rebuilds the summary. `header` is used where not even
 * the file's own is whole; `note`, if given, is recorded as
 * metadata `auraison.repair`. Never throws for a truncated file; rejects with `mcap.malformed` only when
 * not even the first bytes are those of an MCAP file.
 */
export async function planRepair(
  readable: Readable,
  header: Header,
  note?: ReadonlyMap<string, string>,
): Promise<Repair> {
  const size = await readable.size();
  if (await isCutInMagic(readable, size))
    return beginAgain(size, header, note, 'the file ends within its first bytes');
  const found = await scan(readable);
  const { summary } = found;
  if (!found.hasHeader) return beginAgain(size, header, note, found.fault?.message ?? '');
  if (found.complete) {
    const nothing = { keepBytes: size, append: [], salvaged: 0, lostBytes: 0, reason: '' };
    return { complete: true, summary, ...nothing };
  }
  const { keepBytes, contents, salvaged } = await salvage(readable, size, found);
  const writer = new McapWriter(summary, keepBytes);
  const append: Uint8Array[] = [];
  const add = (pending: ReturnType<McapWriter['end']>) => {
    append.push(...pending.buffers);
    pending.commit();
  };
  if (contents.messages > 0) add(writer.chunk(contents));
  if (note) add(writer.metadata(NOTE, note));
  add(writer.end());
  const lostBytes = Math.max(
    0,
    size - keepBytes - contents.size - (contents.size > 0 ? CHUNK_FIELDS_BYTES : 0),
  );
  return {
    complete: false,
    keepBytes,
    append,
    summary,
    salvaged,
    lostBytes,
    reason: found.fault?.message ?? '',
  };
}

async function isCutInMagic(readable: Readable, size: number): Promise<boolean> {
  if (size >= MAGIC.length) return false;
  const bytes = await readable.read(0, size);
  return bytes.every((byte, i) => byte === MAGIC[i]);
}

/** An empty, complete file in place of one that was cut off before it held anything. */
function beginAgain(
  lostBytes: number,
  header: Header,
  note: ReadonlyMap<string, string> | undefined,
  reason: string,
): Repair {
  const writer = new McapWriter();
  const append = [];
  const pending = [() => writer.begin(header), ...(note ? [() => writer.metadata(NOTE, note)] : [])];
  for (const next of [...pending, () => writer.end()]) {
    const { buffers, commit } = next();
    append.push(...buffers);
    commit();
  }
  const { summary } = writer;
  return { complete: false, keepBytes: 0, append, summary, salvaged: 0, lostBytes, reason };
}

/** The part of the last, unfinished chunk that can be rewritten, and the position up to which the file is unchanged. */
async function salvage(readable: Readable, size: number, found: Scan) {
  const contents = new ChunkBuilder();
  if (found.unindexed && hasMore(found, found.unindexed)) {
    // A foreign writer without indexes, or a damaged one: data after the chunk is kept.
    const bytes = await cutChunk(readable, found.goodEnd, size);
    if (bytes) contents.add(wholeMessages(bytes, found.summary));
    return { keepBytes: found.goodEnd, contents, salvaged: contents.messages };
  }
  if (found.unindexed) {
    // The chunk is whole, its indexes are not: write both again.
    const keepBytes = found.unindexed.chunkStart;
    const bytes = await chunkBytes(readable, found.unindexed);
    if (bytes) {
      contents.add(bytes);
      forgetLastChunk(found.summary, contents);
      return { keepBytes, contents, salvaged: 0 };
    }
  }
  const keepBytes = found.unindexed
    ? found.unindexed.chunkStart + found.unindexed.chunkLength
    : found.goodEnd;
  const bytes = await cutChunk(readable, keepBytes, size);
  if (bytes) contents.add(wholeMessages(bytes, found.summary));
  return { keepBytes, contents, salvaged: contents.messages };
}

/** Whether anything but indexes stands behind the chunk. */
function hasMore({ loose, summary }: Scan, { chunkStart }: ChunkIndex): boolean {
  return [...loose, ...summary.metadata, ...summary.attachments].some(({ offset }) => offset > chunkStart);
}

/** The records of a whole uncompressed chunk; a compressed one stays where it is, without indexes. */
async function chunkBytes(readable: Readable, index: ChunkIndex): Promise<Uint8Array | undefined> {
  if (index.compression !== '') return undefined;
  const at = index.chunkStart + RECORD_HEAD_BYTES + CHUNK_FIELDS_BYTES;
  return readable.read(at, index.uncompressedSize);
}

function forgetLastChunk(summary: Summary, contents: ChunkBuilder): void {
  summary.chunks.pop();
  summary.chunkCount -= 1;
  for (const [channel, count] of contents.counts()) {
    summary.counts.set(channel, (summary.counts.get(channel) ?? 0) - count);
    summary.messages -= count;
  }
}

/** The bytes behind the head of an uncompressed chunk that the file ends in, if it ends in one. */
async function cutChunk(readable: Readable, at: number, size: number): Promise<Uint8Array | undefined> {
  const start = at + RECORD_HEAD_BYTES + CHUNK_FIELDS_BYTES;
  if (start >= size) return undefined;
  const head = await readable.read(at, RECORD_HEAD_BYTES + CHUNK_FIELDS_BYTES);
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length = view.getUint32(1, true) + view.getUint32(5, true) * 2 ** 32;
  const isUncompressed = view.getUint32(RECORD_HEAD_BYTES + 28, true) === 0;
  const isCut = RECORD_HEAD_BYTES + length > size - at;
  if (head[0] !== OP.chunk || !isUncompressed || !isCut) return undefined;
  return readable.read(start, size - start);
}

/** The leading messages that are whole and belong to a known channel. */
function wholeMessages(bytes: Uint8Array, summary: Summary): Uint8Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end = 0;
  try {
    for (const span of recordSpans(bytes, 0, '')) {
      if (span.opcode !== OP.message || span.length < 22) break;
      if (!summary.channels.has(view.getUint16(span.bodyAt, true))) break;
      end = span.bodyAt + span.length;
    }
  } catch {
    // The record that was cut off ends the walk; everything before it counts.
  }
  return bytes.subarray(0, end);
}
