import { ChunkBuilder } from './chunk-builder.ts';
import type { FoundIndex } from './found-index.ts';
import { McapWriter } from './mcap-writer.ts';
import {
  flawedChunks,
  forget,
  knownRecords,
  type Patch,
  patches,
  type Rewritten,
  rewritten,
} from './mend.ts';
import type { Readable } from './readable.ts';
import { type ChunkIndex, type Header, MAGIC, RECORD_HEAD_BYTES } from './records.ts';
import { scan } from './scan.ts';
import type { Scan } from './scan-result.ts';
import type { Summary } from './summary.ts';

/**
 * The steps that complete an unfinished file: write `append` at `keepBytes`, each of `patches` at its place, cut the file behind
 * `append`, fsync.
 */
export type Repair = {
  /** True: the file is complete and nothing is to be done. */
  readonly complete: boolean;
  readonly keepBytes: number;
  readonly append: readonly Uint8Array[];
  /** Heads that are right, and heads that make a part a private record, which every reader leaves out. */
  readonly patches: readonly Patch[];
  /** Of the repaired file. */
  readonly summary: Summary;
  /** Messages taken out of a chunk that was truncated. */
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
 * Plans the repair of a file that was truncated at any byte or is damaged within: keeps every whole chunk, takes the whole
 * messages out of a chunk that was truncated, hides what is damaged, and rebuilds the summary. `header` is used where not even
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
    return startAgain(size, header, note, 'the file ends within its first bytes');
  const found = await scan(readable);
  const { summary } = found;
  if (!found.hasHeader && summary.messages === 0 && !found.tail)
    return startAgain(size, header, note, found.fault?.message ?? '');
  if (found.complete) {
    const nothing = { keepBytes: size, append: [], patches: [], salvaged: 0, lostBytes: 0, reason: '' };
    return { complete: true, summary, ...nothing };
  }
  foldOthers(found);
  const { keepBytes, contents, packed, salvaged } = await salvage(readable, found);
  const flawed = new Map<FoundIndex, Uint8Array>();
  const writer = new McapWriter(summary, keepBytes);
  const append: Uint8Array[] = [];
  const add = (pending: ReturnType<McapWriter['end']>) => {
    append.push(...pending.buffers);
    pending.commit();
  };
  for (const chunk of flawedChunks(found, keepBytes)) {
    const again = await rewritten(readable, chunk, found);
    forget(found, chunk, again);
    flawed.set(chunk, again.definitions);
    if (again.contents.messages > 0) add(writer.chunk(again.contents, again.packed));
  }
  if (contents && contents.messages > 0) add(writer.chunk(contents, packed));
  if (note) add(writer.metadata(NOTE, note));
  add(writer.end());
  return {
    complete: false,
    keepBytes,
    append,
    patches: patches(found, flawed, keepBytes, header),
    summary,
    salvaged,
    lostBytes: lostBytes(size, found, keepBytes, contents),
    reason: found.fault?.message ?? '',
  };
}

function lostBytes(size: number, found: Scan, keepBytes: number, contents: ChunkBuilder | undefined): number {
  const inHoles = found.holes.reduce((sum, { at, length }) => sum + (at < keepBytes ? length : 0), 0);
  // Behind complete data there is only the summary, which is written again.
  if (found.hasAllData) return inHoles;
  const kept = contents ? contents.size + (contents.size > 0 ? CHUNK_FIELDS_BYTES : 0) : 0;
  return inHoles + Math.max(0, size - keepBytes - kept);
}

async function isCutInMagic(readable: Readable, size: number): Promise<boolean> {
  if (size >= MAGIC.length) return false;
  const bytes = await readable.read(0, size);
  return bytes.every((byte, i) => byte === MAGIC[i]);
}

/** An empty, complete file in place of one that ended before it held anything. */
function startAgain(
  lost: number,
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
  return {
    complete: false,
    keepBytes: 0,
    append,
    patches: [],
    summary,
    salvaged: 0,
    lostBytes: lost,
    reason,
  };
}

/** Lists every meaning of an id under the id itself: a reader then sees that only a scan can keep them apart. */
function foldOthers({ summary, definitions }: Scan): void {
  const idOf = (key: number) => definitions.others.get(key) ?? key;
  for (const [key, schema] of summary.schemas) summary.schemas.set(key, { ...schema, id: idOf(key) });
  for (const [key, channel] of summary.channels) {
    const id = idOf(key);
    summary.channels.set(key, { ...channel, id, schemaId: idOf(channel.schemaId) });
    if (id === key) continue;
    summary.counts.set(id, (summary.counts.get(id) ?? 0) + (summary.counts.get(key) ?? 0));
    summary.counts.delete(key);
  }
}

/** The part of the last, unfinished chunk that can be rewritten, and the position up to which the file is unchanged. */
async function salvage(
  readable: Readable,
  found: Scan,
): Promise<Partial<Rewritten> & { readonly keepBytes: number; readonly salvaged: number }> {
  const { unindexed, tail } = found;
  if (tail) {
    const contents = new ChunkBuilder();
    const records = knownRecords(tail.contents, found);
    if (records.length > 0) contents.add(records);
    return { keepBytes: tail.at, contents, salvaged: contents.messages };
  }
  if (unindexed && !hasMore(found, unindexed)) {
    // A foreign writer may have no indexes.
    const isForeign =
      unindexed.messageIndexLength === 0 && found.goodEnd > unindexed.chunkStart + unindexed.chunkLength;
    // The chunk is whole, its indexes are not: write both again.
    if (!isForeign) {
      const last = await rewritten(readable, unindexed, found);
      forget(found, unindexed, last);
      return { keepBytes: unindexed.chunkStart, ...last, salvaged: 0 };
    }
  }
  // Too few bytes to be hidden: they are written over.
  const narrow = found.holes.find(
    ({ at, length }) => at + length === found.goodEnd && length < RECORD_HEAD_BYTES,
  );
  return { keepBytes: narrow?.at ?? found.goodEnd, salvaged: 0 };
}

/** Whether anything but indexes stands behind the chunk. */
function hasMore({ loose, summary, holes }: Scan, { chunkStart }: ChunkIndex): boolean {
  const offsets = [...loose, ...summary.metadata, ...summary.attachments].map(({ offset }) => offset);
  return offsets.some((offset) => offset > chunkStart) || holes.some(({ at }) => at > chunkStart);
}
