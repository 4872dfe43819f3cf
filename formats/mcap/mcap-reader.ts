import { EdgeError, LIMITS, type Nanoseconds } from '../../contract/core.ts';
import { chunkAt } from './chunk-at.ts';
import { messageAt, type RecordSpan } from './chunk-contents.ts';
import { walkRecords } from './chunk-records.ts';
import { decodeRecord } from './decode.ts';
import { Definitions } from './definitions.ts';
import { hasOnlyIndexed } from './index-check.ts';
import { malformed } from './malformed.ts';
import { type Lost, Missing } from './missing.ts';
import type { Readable } from './readable.ts';
import {
  type Channel,
  type ChunkIndex,
  type Message,
  OP,
  RECORD_HEAD_BYTES,
  type Schema,
} from './records.ts';
import { scan } from './scan.ts';
import { type LooseMessage, type Scan, unknownChannel } from './scan-result.ts';
import type { Summary } from './summary.ts';
import { type FoundSummary, readSummary } from './summary-section.ts';
import { Window } from './window.ts';

export type ReadMessage = { readonly message: Message; readonly channel: Channel };
export type MessageFilter = {
  readonly topics?: ReadonlySet<string>;
  /** Inclusive. */
  readonly startTime?: Nanoseconds;
  /** Exclusive. */
  readonly endTime?: Nanoseconds;
  /**
   * Called for each part that cannot be read, which is left out, with what is lost of this selection. Without it the
   * first of these errors is thrown after everything that can be read.
   */
  readonly onDamage?: (fault: EdgeError, lost: Lost) => void;
};

type Entry = { readonly time: bigint; readonly span: RecordSpan; readonly channel: Channel };
/** A run of messages sorted by time, for the merge: of one chunk, or of a piece of the loose ones. */
type Run = { readonly bytes: Uint8Array; readonly base: number; readonly entries: Entry[]; next: number };
type Damaged = (fault: EdgeError, lost: Lost) => void;

/** Something that becomes a run when the time of its first message has come. */
type Piece = {
  readonly startTime: bigint;
  /** Its position in the file. */
  readonly at: number;
  readonly size: number;
  open(damaged: Damaged): Promise<Run>;
  lost?(): Promise<Lost>;
};

/** Messages outside chunks are read by pieces of about this size, in the order of their times. */
const LOOSE_PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Reads a file by its index; without one that is valid, by the result of a scan. Damage costs the chunk, or the message outside a
 * chunk, that it is in. Bounded: it holds the chunks that overlap in time, at most LIMITS.MCAP_READ_BYTES_MAX.
 */
export class McapReader {
  readonly summary: Summary;
  /** Why messages of the file may be missing, as far as opening it shows. */
  readonly fault: EdgeError | undefined;
  /** What is wrong with the file although every message can be read: its index or its end. */
  readonly warning: EdgeError | undefined;
  /** How the file was read, if not by its index. */
  readonly scanned: Scan | undefined;
  readonly #readable: Readable;
  readonly #window: Window;
  readonly #definitions: Definitions;

  private constructor(
    readable: Readable,
    size: number,
    summary: Summary,
    definitions: Definitions,
    found?: Scan,
  ) {
    this.#readable = readable;
    this.#window = new Window(readable, size);
    this.summary = summary;
    this.#definitions = definitions;
    this.scanned = found;
    this.fault = found?.hasAllData ? undefined : found?.fault;
    this.warning = found?.hasAllData ? found.fault : undefined;
  }

  /** Rejects with `mcap.malformed` when the file does not start like one, and with I/O errors. */
  static async open(readable: Readable): Promise<McapReader> {
    const size = await readable.size();
    const index = await indexOf(readable, size);
    if (index) {
      const definitions = new Definitions(index.summary, readable.subject);
      definitions.adopt();
      return new McapReader(readable, size, index.summary, definitions);
    }
    const found = await scan(readable);
    const { tail } = found;
    if (tail) found.summary.addMessages(tail.counts, tail.startTime, tail.endTime);
    return new McapReader(readable, size, found.summary, found.definitions, found);
  }

  schemaOf(channel: Channel): Schema | undefined {
    return this.summary.schemas.get(channel.schemaId);
  }

  /** Messages by log time; those of the same time in the order of the file. */
  async *messages(filter: MessageFilter = {}): AsyncGenerator<ReadMessage> {
    let fault: EdgeError | undefined;
    const report: Damaged = filter.onDamage ?? ((error) => (fault ??= error));
    const missing = this.scanned ? undefined : Missing.of(this.summary, filter);
    const damaged: Damaged = (error, lost) => report(error, missing ? missing.lost(lost) : lost);
    const pieces = this.#pieces(filter);
    const runs: Run[] = [];
    let opened = 0;
    let held = 0;
    for (;;) {
      let first = earliest(runs);
      for (;;) {
        const piece = pieces[opened];
        if (!piece || (first && piece.startTime > first.entries[first.next]!.time)) break;
        opened += 1;
        if (held + piece.size > LIMITS.MCAP_READ_BYTES_MAX)
          throw malformed(this.#readable.subject, piece.at, 'too many chunks overlap in time');
        const run = await this.#open(piece, damaged);
        if (!run || run.entries.length === 0) continue;
        held += run.bytes.length;
        runs.push(run);
        first = earliest(runs);
      }
      if (!first) break;
      const { span, channel } = first.entries[first.next]!;
      first.next += 1;
      if (first.next === first.entries.length) {
        runs.splice(runs.indexOf(first), 1);
        held -= first.bytes.length;
      }
      missing?.read(channel);
      yield { message: messageAt(first.bytes, span, first.base, this.#readable.subject), channel };
    }
    await this.#tellHoles(filter, damaged);
    const rest = missing?.rest(this.#readable.subject, this.#window.size);
    if (rest) report(rest.fault, rest.lost);
    if (fault) throw fault;
  }

  async #open(piece: Piece, damaged: Damaged): Promise<Run | undefined> {
    try {
      return await piece.open(damaged);
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      damaged(error, await piece.lost?.());
      return undefined;
    }
  }

  /** What the scan could not read. */
  async #tellHoles(filter: MessageFilter, damaged: Damaged): Promise<void> {
    if (!this.scanned) return;
    const { holes, endFault } = this.scanned;
    for (const hole of holes) {
      const lost = hole.isChunk ? await this.#lostWith(hole.indexes, hole.version, filter) : undefined;
      damaged(hole.fault, lost);
    }
    // The file ends too early; what it would have held is not known.
    if (endFault) damaged(endFault, undefined);
  }

  /** Parts that may hold a wanted message, in the order of their first message. */
  #pieces(filter: MessageFilter): Piece[] {
    const chunks = this.summary.chunks
      .filter((chunk) => overlaps(chunk, filter) && this.#mayHold(chunk, filter))
      .map((chunk) => ({
        startTime: chunk.startTime,
        at: chunk.chunkStart,
        size: chunk.uncompressedSize,
        open: (damaged: Damaged) => this.#chunkRun(chunk, filter, damaged),
        lost: () => this.#lostWith(chunk.messageIndexOffsets, this.#versionOf(chunk), filter),
      }));
    return [...chunks, ...this.#tailPieces(filter), ...this.#loosePieces(filter)].sort(
      (a, b) => compare(a.startTime, b.startTime) || a.at - b.at,
    );
  }

  #versionOf(chunk: ChunkIndex): number {
    return this.scanned?.versions.get(chunk) ?? this.#definitions.version;
  }

  /** The indexes of a chunk name its channels; of a file that was scanned they may be missing. */
  #mayHold({ messageIndexOffsets }: ChunkIndex, filter: MessageFilter): boolean {
    if (!filter.topics || this.scanned || messageIndexOffsets.size === 0) return true;
    for (const id of messageIndexOffsets.keys()) {
      const channel = this.summary.channels.get(id);
      if (!channel || filter.topics.has(channel.topic)) return true;
    }
    return false;
  }

  async #chunkRun(index: ChunkIndex, filter: MessageFilter, damaged: Damaged): Promise<Run> {
    const { chunkStart } = index;
    if (chunkStart >= this.#window.size || index.chunkLength < RECORD_HEAD_BYTES) {
      throw malformed(this.#readable.subject, chunkStart, 'the index points to a chunk outside the file');
    }
    const { contents } = await chunkAt(this.#window, chunkStart);
    return this.#run(contents, chunkStart, this.#versionOf(index), filter, damaged);
  }

  *#tailPieces(filter: MessageFilter): Generator<Piece> {
    const tail = this.scanned?.tail;
    if (!tail) return;
    const { at, contents, startTime, version } = tail;
    const size = contents.length;
    // The fault of the file says where it ends.
    yield { startTime, at, size, open: async () => this.#run(contents, at, version, filter, () => {}) };
  }

  *#loosePieces(filter: MessageFilter): Generator<Piece> {
    const found = (this.scanned?.loose ?? [])
      .filter(({ logTime }) => isWithin(logTime, filter))
      .sort((a, b) => compare(a.logTime, b.logTime) || a.offset - b.offset);
    for (let from = 0; from < found.length; ) {
      let to = from;
      let size = 0;
      const { version, logTime: startTime, offset: at } = found[from]!;
      while (
        to < found.length &&
        found[to]!.version === version &&
        (size === 0 || size + found[to]!.length <= LOOSE_PIECE_BYTES)
      )
        size += found[to++]!.length;
      const entries = found.slice(from, to);
      yield {
        startTime,
        at,
        size,
        open: (damaged) => this.#looseRun(entries, size, version, filter, damaged),
      };
      from = to;
    }
  }

  async #looseRun(
    entries: readonly LooseMessage[],
    size: number,
    version: number,
    filter: MessageFilter,
    damaged: Damaged,
  ): Promise<Run> {
    const bytes = new Uint8Array(size);
    let at = 0;
    for (let i = 0; i < entries.length; ) {
      // Neighbours in the file are read at once.
      const { offset } = entries[i]!;
      let length = 0;
      while (i < entries.length && entries[i]!.offset === offset + length) length += entries[i++]!.length;
      bytes.set(await this.#readable.read(offset, length), at);
      at += length;
    }
    return this.#run(bytes, 0, version, filter, damaged);
  }

  #run(bytes: Uint8Array, base: number, version: number, filter: MessageFilter, damaged: Damaged): Run {
    const entries: Entry[] = [];
    const unknown = new Map<number, number>();
    const { subject } = this.#readable;
    const { fault } = walkRecords(
      bytes,
      base,
      subject,
      this.#definitions,
      version,
      ({ key, channelId, logTime, span }) => {
        if (!isWithin(logTime, filter)) return;
        const channel = key === undefined ? undefined : this.summary.channels.get(key);
        if (!channel) unknown.set(channelId, (unknown.get(channelId) ?? 0) + 1);
        else if (!filter.topics || filter.topics.has(channel.topic))
          entries.push({ time: logTime, span, channel });
      },
    );
    if (fault) damaged(fault, undefined);
    for (const [id, count] of unknown)
      damaged(unknownChannel(subject, base, id, count), new Map([[`(channel ${id})`, count]]));
    entries.sort((a, b) => compare(a.time, b.time) || a.span.bodyAt - b.span.bodyAt);
    return { bytes, base, entries, next: 0 };
  }

  /** Counts the messages of a lost chunk by its message indexes, which stand behind it. */
  async #lostWith(
    indexes: ReadonlyMap<number, number>,
    version: number,
    filter: MessageFilter,
  ): Promise<Lost> {
    if (indexes.size === 0) return undefined;
    const lost = new Map<string, number>();
    try {
      for (const [id, offset] of indexes) {
        const record = await this.#indexAt(offset);
        if (record?.channelId !== id) return undefined;
        const key = this.#definitions.keyOf(id, version);
        const topic =
          (key === undefined ? undefined : this.summary.channels.get(key)?.topic) ?? `(channel ${id})`;
        if (filter.topics && !filter.topics.has(topic)) continue;
        const count = record.records.filter(([time]) => isWithin(time, filter)).length;
        if (count > 0) lost.set(topic, (lost.get(topic) ?? 0) + count);
      }
      return lost;
    } catch (error) {
      if (error instanceof EdgeError) return undefined;
      throw error;
    }
  }

  async #indexAt(offset: number) {
    const head = await this.#window.read(offset, RECORD_HEAD_BYTES);
    if (head.length < RECORD_HEAD_BYTES || head[0] !== OP.messageIndex) return undefined;
    const length = new DataView(head.buffer, head.byteOffset).getUint32(1, true);
    if (length > LIMITS.MCAP_CHUNK_BYTES_MAX) return undefined;
    const body = await this.#window.read(offset + RECORD_HEAD_BYTES, length);
    const record = decodeRecord(OP.messageIndex, body, offset, this.#readable.subject);
    return record.kind === 'messageIndex' ? record : undefined;
  }
}

/** The summary of a file, if everything of the file is in it. */
async function indexOf(readable: Readable, size: number): Promise<FoundSummary | undefined> {
  try {
    const found = await readSummary(readable);
    if (!found?.isIndex) return undefined;
    return (await hasOnlyIndexed(new Window(readable, size), found)) ? found : undefined;
  } catch (error) {
    if (error instanceof EdgeError) return undefined;
    throw error;
  }
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isWithin(time: bigint, { startTime, endTime }: MessageFilter): boolean {
  return (startTime === undefined || time >= startTime) && (endTime === undefined || time < endTime);
}

function overlaps(chunk: ChunkIndex, filter: MessageFilter): boolean {
  if (filter.startTime !== undefined && chunk.endTime < filter.startTime) return false;
  return filter.endTime === undefined || chunk.startTime < filter.endTime;
}

/** The run whose next message is first; of equals the one that was opened first. */
function earliest(runs: readonly Run[]): Run | undefined {
  let best: Run | undefined;
  for (const run of runs) {
    if (!best || run.entries[run.next]!.time < best.entries[best.next]!.time) best = run;
  }
  return best;
}
