import { crc32 } from 'node:zlib';
import { EdgeError, LIMITS, type Nanoseconds } from '../../contract/core.ts';
import { chunkContents, messageAt, type RecordSpan, recordSpans } from './chunk-contents.ts';
import { decodeRecord } from './decode.ts';
import { malformed } from './malformed.ts';
import type { Readable } from './readable.ts';
import {
  type Channel,
  type ChunkIndex,
  MAGIC,
  type Message,
  OP,
  RECORD_HEAD_BYTES,
  type Schema,
  TAIL_BYTES,
} from './records.ts';
import { type LooseMessage, scan } from './scan.ts';
import { Summary } from './summary.ts';

export type ReadMessage = { readonly message: Message; readonly channel: Channel };
export type MessageFilter = {
  readonly topics?: ReadonlySet<string>;
  /** Inclusive. */
  readonly startTime?: Nanoseconds;
  /** Exclusive. */
  readonly endTime?: Nanoseconds;
  /** Called for each chunk that cannot be read, which is left out. Without it reading ends there with the error. */
  readonly onDamage?: (fault: EdgeError) => void;
};

/** A run of messages sorted by time, for the merge: of one chunk, or of a piece of the loose ones. */
type Run = { bytes: Uint8Array; base: number; spans: { time: bigint; span: RecordSpan }[]; next: number };

/** Something that becomes a run when the time of its first message has come. */
type Piece = {
  readonly startTime: bigint;
  /** Its position in the file. */
  readonly at: number;
  readonly size: number;
  open(): Promise<Run>;
};

/** Messages outside chunks are read by pieces of about this size, in the order of their times. */
const LOOSE_PIECE_BYTES = 4 * 1024 * 1024;

/**
 * Reads a file by its index; without one (or with `fault` set: cut off) by the result of a scan. Bounded: it
 * holds the chunks that overlap in time, at most LIMITS.MCAP_READ_BYTES_MAX.
 */
export class McapReader {
  readonly summary: Summary;
  /** Why the file is not complete; everything before this can be read. */
  readonly fault: EdgeError | undefined;
  readonly #readable: Readable;
  readonly #loose: readonly LooseMessage[];

  private constructor(
    readable: Readable,
    summary: Summary,
    loose: readonly LooseMessage[],
    fault: EdgeError | undefined,
  ) {
    this.#readable = readable;
    this.summary = summary;
    this.#loose = loose;
    this.fault = fault;
  }

  /** Rejects with `mcap.malformed` when the file does not start like one, and with I/O errors. */
  static async open(readable: Readable): Promise<McapReader> {
    const summary = await readSummary(readable);
    if (summary) return new McapReader(readable, summary, [], undefined);
    const found = await scan(readable);
    return new McapReader(readable, found.summary, found.loose, found.fault);
  }

  schemaOf(channel: Channel): Schema | undefined {
    return this.summary.schemas.get(channel.schemaId);
  }

  /**
   * Messages by log time; those of the same time in the order of the file. Throws `mcap.malformed` at the
   * first chunk that differs from the index, after everything before it in time.
   */
  async *messages(filter: MessageFilter = {}): AsyncGenerator<ReadMessage> {
    const pieces = this.#pieces(this.#wanted(filter), filter);
    const runs: Run[] = [];
    let opened = 0;
    let held = 0;
    for (;;) {
      let first = earliest(runs);
      for (;;) {
        const piece = pieces[opened];
        if (!piece || (first && piece.startTime > first.spans[first.next]!.time)) break;
        opened += 1;
        if (held + piece.size > LIMITS.MCAP_READ_BYTES_MAX)
          throw malformed(this.#readable.subject, piece.at, 'too many chunks overlap in time');
        const run = await this.#open(piece, filter);
        if (!run || run.spans.length === 0) continue;
        held += run.bytes.length;
        runs.push(run);
        first = earliest(runs);
      }
      if (!first) return;
      const { span } = first.spans[first.next]!;
      first.next += 1;
      if (first.next === first.spans.length) {
        runs.splice(runs.indexOf(first), 1);
        held -= first.bytes.length;
      }
      const message = messageAt(first.bytes, span, first.base, this.#readable.subject);
      yield { message, channel: this.summary.channels.get(message.channelId)! };
    }
  }

  async #open(piece: Piece, { onDamage }: MessageFilter): Promise<Run | undefined> {
    try {
      return await piece.open();
    } catch (error) {
      if (!onDamage || !(error instanceof EdgeError)) throw error;
      onDamage(error);
      return undefined;
    }
  }

  /** Parts that may hold a wanted message, in the order of their first message. */
  #pieces(wanted: ReadonlySet<number>, filter: MessageFilter): Piece[] {
    const chunks = this.summary.chunks
      .filter((chunk) => overlaps(chunk, filter) && this.#mayHold(chunk, wanted))
      .map((chunk) => ({
        startTime: chunk.startTime,
        at: chunk.chunkStart,
        size: chunk.uncompressedSize,
        open: () => this.#chunkRun(chunk, wanted, filter),
      }));
    return [...chunks, ...this.#loosePieces(wanted, filter)].sort(
      (a, b) => compare(a.startTime, b.startTime) || a.at - b.at,
    );
  }

  /** The indexes of a chunk name its channels; of an unfinished file they may be missing. */
  #mayHold({ messageIndexOffsets }: ChunkIndex, wanted: ReadonlySet<number>): boolean {
    if (this.fault || messageIndexOffsets.size === 0) return true;
    for (const id of messageIndexOffsets.keys()) if (wanted.has(id)) return true;
    return false;
  }

  #wanted(filter: MessageFilter): Set<number> {
    const ids = [...this.summary.channels.values()].filter(
      (channel) => !filter.topics || filter.topics.has(channel.topic),
    );
    return new Set(ids.map((channel) => channel.id));
  }

  async #chunkRun(index: ChunkIndex, wanted: ReadonlySet<number>, filter: MessageFilter): Promise<Run> {
    const size = await this.#readable.size();
    if (index.chunkStart + index.chunkLength > size || index.chunkLength < RECORD_HEAD_BYTES) {
      throw this.#malformed(index, 'the index points to a chunk outside the file');
    }
    if (index.chunkLength > LIMITS.MCAP_CHUNK_BYTES_MAX + 4096) {
      throw this.#malformed(index, `a chunk of ${index.chunkLength} bytes`);
    }
    const bytes = await this.#readable.read(index.chunkStart, index.chunkLength);
    const { subject } = this.#readable;
    const record = decodeRecord(bytes[0]!, bytes.subarray(RECORD_HEAD_BYTES), index.chunkStart, subject);
    if (record.kind !== 'chunk')
      throw this.#malformed(index, 'the index points to a record that is not a chunk');
    return this.#run(chunkContents(record, index.chunkStart, subject), index.chunkStart, wanted, filter);
  }

  *#loosePieces(wanted: ReadonlySet<number>, filter: MessageFilter): Generator<Piece> {
    const found = this.#loose
      .filter(({ channelId, logTime }) => wanted.has(channelId) && isWithin(logTime, filter))
      .sort((a, b) => compare(a.logTime, b.logTime) || a.offset - b.offset);
    for (let from = 0; from < found.length; ) {
      let to = from;
      let size = 0;
      while (to < found.length && (size === 0 || size + found[to]!.length <= LOOSE_PIECE_BYTES))
        size += found[to++]!.length;
      const entries = found.slice(from, to);
      const { logTime: startTime, offset: at } = entries[0]!;
      yield { startTime, at, size, open: () => this.#looseRun(entries, size, wanted, filter) };
      from = to;
    }
  }

  async #looseRun(
    entries: readonly LooseMessage[],
    size: number,
    wanted: ReadonlySet<number>,
    filter: MessageFilter,
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
    return this.#run(bytes, 0, wanted, filter);
  }

  #run(bytes: Uint8Array, base: number, wanted: ReadonlySet<number>, filter: MessageFilter): Run {
    const spans: Run['spans'] = [];
    for (const span of recordSpans(bytes, base, this.#readable.subject)) {
      if (span.opcode !== OP.message) continue;
      const message = messageAt(bytes, span, base, this.#readable.subject);
      if (!this.summary.channels.has(message.channelId)) {
        throw malformed(this.#readable.subject, base + span.bodyAt, `unknown channel ${message.channelId}`);
      }
      const time = message.logTime;
      if (!wanted.has(message.channelId)) continue;
      if (!isWithin(time, filter)) continue;
      spans.push({ time, span });
    }
    spans.sort((a, b) => compare(a.time, b.time) || a.span.bodyAt - b.span.bodyAt);
    return { bytes, base, spans, next: 0 };
  }

  #malformed(chunk: ChunkIndex, fault: string): EdgeError {
    return malformed(this.#readable.subject, chunk.chunkStart, fault);
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
    if (!best || run.spans[run.next]!.time < best.spans[best.next]!.time) best = run;
  }
  return best;
}

/** The summary section if there is a footer that leads to one which suffices for reading; else undefined. */
async function readSummary(readable: Readable): Promise<Summary | undefined> {
  const size = await readable.size();
  if (size < MAGIC.length * 2 + TAIL_BYTES) return undefined;
  const { subject } = readable;
  const tailAt = size - TAIL_BYTES;
  const tail = await readable.read(tailAt, TAIL_BYTES);
  const closing = tail.subarray(TAIL_BYTES - MAGIC.length);
  if (tail[0] !== OP.footer || !MAGIC.every((byte, i) => closing[i] === byte)) return undefined;
  const footer = decodeRecord(OP.footer, tail.subarray(RECORD_HEAD_BYTES, -MAGIC.length), tailAt, subject);
  if (footer.kind !== 'footer' || footer.summaryStart === 0) return undefined;
  const start = footer.summaryStart;
  if (start < MAGIC.length || start > tailAt) {
    throw malformed(subject, tailAt, `the footer places the summary at ${start}`);
  }
  if (tailAt - start > LIMITS.MCAP_CHUNK_BYTES_MAX)
    throw malformed(subject, start, 'the summary is too large');
  const section = await readable.read(start, size - start);
  const crcEnd = section.length - MAGIC.length - 4;
  if (footer.summaryCrc !== 0 && crc32(section.subarray(0, crcEnd)) !== footer.summaryCrc) {
    throw malformed(subject, start, 'the CRC of the summary does not match its bytes');
  }
  const end = (footer.summaryOffsetStart || tailAt) - start;
  if (end < 0 || end > section.length) {
    throw malformed(subject, tailAt, `the footer places the summary offsets at ${footer.summaryOffsetStart}`);
  }
  return collect(section.subarray(0, end), start, subject);
}

function collect(section: Uint8Array, start: number, subject: string): Summary | undefined {
  const summary = new Summary();
  let hasStatistics = false;
  for (const span of recordSpans(section, start, subject)) {
    const body = section.subarray(span.bodyAt, span.bodyAt + span.length);
    const record = decodeRecord(span.opcode, body, start + span.bodyAt, subject);
    if (record.kind === 'schema' && record.id !== 0) summary.schemas.set(record.id, record);
    if (record.kind === 'channel') summary.channels.set(record.id, record);
    if (record.kind === 'chunkIndex') summary.chunks.push(record);
    if (record.kind === 'attachmentIndex') summary.attachments.push(record);
    if (record.kind === 'metadataIndex') summary.metadata.push(record);
    if (record.kind === 'statistics') {
      hasStatistics = true;
      summary.messages = record.messageCount;
      summary.chunkCount = record.chunkCount;
      summary.startTime = record.startTime;
      summary.endTime = record.endTime;
      for (const [channel, count] of record.channelMessageCounts) summary.counts.set(channel, count);
    }
  }
  // Without chunk indexes, counts or channels the messages can only be found by a scan.
  const isIndexed = summary.chunks.length > 0 && summary.chunks.length === summary.chunkCount;
  const isEmpty = hasStatistics && summary.messages === 0;
  const hasChannels = summary.channels.size > 0;
  return (isIndexed && hasChannels) || isEmpty ? summary : undefined;
}
