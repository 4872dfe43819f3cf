import { crc32 } from 'node:zlib';
import { type EdgeError, LIMITS, type Nanoseconds } from '../../contract/core.ts';
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
import { scan } from './scan.ts';
import { Summary } from './summary.ts';

export type ReadMessage = { readonly message: Message; readonly channel: Channel };
export type MessageFilter = {
  readonly topics?: ReadonlySet<string>;
  /** Inclusive. */
  readonly startTime?: Nanoseconds;
  /** Exclusive. */
  readonly endTime?: Nanoseconds;
};

/** A source of messages sorted by time that the merge draws from: one chunk, or the loose messages. */
type Run = { bytes: Uint8Array; base: number; spans: { time: bigint; span: RecordSpan }[]; next: number };

/**
 * Reads a file by its index; without one (or with `fault` set: cut off) by what a scan found. Bounded: it
 * holds the chunks that overlap in time, at most LIMITS.MCAP_READ_BYTES_MAX.
 */
export class McapReader {
  readonly summary: Summary;
  /** Why the file is not complete; everything before this can be read. */
  readonly fault: EdgeError | undefined;
  readonly #readable: Readable;
  readonly #loose: readonly { readonly offset: number; readonly length: number }[];

  private constructor(
    readable: Readable,
    summary: Summary,
    loose: readonly { readonly offset: number; readonly length: number }[],
    fault: EdgeError | undefined,
  ) {
    this.#readable = readable;
    this.summary = summary;
    this.#loose = loose;
    this.fault = fault;
  }

  /** Rejects with `mcap.malformed` when the file does not begin like one, and with I/O errors. */
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
   * first chunk that is not what the index says, after everything before it in time.
   */
  async *messages(filter: MessageFilter = {}): AsyncGenerator<ReadMessage> {
    const wanted = this.#wanted(filter);
    const chunks = this.summary.chunks
      .filter((chunk) => overlaps(chunk, filter))
      .sort((a, b) => compare(a.startTime, b.startTime) || a.chunkStart - b.chunkStart);
    const runs: Run[] = [];
    if (this.#loose.length > 0) runs.push(await this.#looseRun(wanted, filter));
    let opened = 0;
    let held = 0;
    for (;;) {
      let first = earliest(runs);
      for (;;) {
        const chunk = chunks[opened];
        if (!chunk || (first && chunk.startTime > first.spans[first.next]!.time)) break;
        opened += 1;
        held += chunk.uncompressedSize;
        if (held > LIMITS.MCAP_READ_BYTES_MAX)
          throw this.#malformed(chunk, 'too many chunks overlap in time');
        const run = await this.#chunkRun(chunk, wanted, filter);
        if (run.spans.length > 0) runs.push(run);
        else held -= run.bytes.length;
        first = earliest(runs);
      }
      if (!first) return;
      const { span } = first.spans[first.next]!;
      first.next += 1;
      if (first.next === first.spans.length) {
        runs.splice(runs.indexOf(first), 1);
        held = Math.max(0, held - first.bytes.length);
      }
      const message = messageAt(first.bytes, span, first.base, this.#readable.subject);
      yield { message, channel: this.summary.channels.get(message.channelId)! };
    }
  }

  #wanted(filter: MessageFilter): Set<number> {
    const ids = [...this.summary.channels.values()].filter(
      (channel) => !filter.topics || filter.topics.has(channel.topic),
    );
    return new Set(ids.map((channel) => channel.id));
  }

  async #chunkRun(index: ChunkIndex, wanted: Set<number>, filter: MessageFilter): Promise<Run> {
    const size = await this.#readable.size();
    if (index.chunkStart + index.chunkLength > size || index.chunkLength < RECORD_HEAD_BYTES) {
      throw this.#malformed(index, 'the index names a chunk outside the file');
    }
    if (index.chunkLength > LIMITS.MCAP_CHUNK_BYTES_MAX + 4096) {
      throw this.#malformed(index, `a chunk of ${index.chunkLength} bytes`);
    }
    const bytes = await this.#readable.read(index.chunkStart, index.chunkLength);
    const { subject } = this.#readable;
    const record = decodeRecord(bytes[0]!, bytes.subarray(RECORD_HEAD_BYTES), index.chunkStart, subject);
    if (record.kind !== 'chunk') throw this.#malformed(index, 'the index names something that is no chunk');
    return this.#run(chunkContents(record, index.chunkStart, subject), index.chunkStart, wanted, filter);
  }

  async #looseRun(wanted: Set<number>, filter: MessageFilter): Promise<Run> {
    const total = this.#loose.reduce((sum, { length }) => sum + length, 0);
    if (total > LIMITS.MCAP_READ_BYTES_MAX) {
      throw malformed(
        this.#readable.subject,
        0,
        `${total} bytes of messages outside chunks cannot be sorted`,
      );
    }
    const bytes = new Uint8Array(total);
    let at = 0;
    for (const { offset, length } of this.#loose) {
      bytes.set(await this.#readable.read(offset, length), at);
      at += length;
    }
    return this.#run(bytes, 0, wanted, filter);
  }

  #run(bytes: Uint8Array, base: number, wanted: Set<number>, filter: MessageFilter): Run {
    const spans: Run['spans'] = [];
    for (const span of recordSpans(bytes, base, this.#readable.subject)) {
      if (span.opcode !== OP.message) continue;
      const message = messageAt(bytes, span, base, this.#readable.subject);
      if (!this.summary.channels.has(message.channelId)) {
        throw malformed(this.#readable.subject, base + span.bodyAt, `unknown channel ${message.channelId}`);
      }
      const time = message.logTime;
      if (!wanted.has(message.channelId)) continue;
      if (filter.startTime !== undefined && time < filter.startTime) continue;
      if (filter.endTime !== undefined && time >= filter.endTime) continue;
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
    throw malformed(subject, start, 'the CRC of the summary does not fit its bytes');
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
