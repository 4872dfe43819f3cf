import { crc32 } from 'node:zlib';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import { recordSpans } from './chunk-contents.ts';
import { decodeRecord } from './decode.ts';
import { malformed } from './malformed.ts';
import type { Readable } from './readable.ts';
import { MAGIC, OP, RECORD_HEAD_BYTES, TAIL_BYTES } from './records.ts';
import { Summary } from './summary.ts';

export type FoundSummary = {
  readonly summary: Summary;
  /** Where the section starts: the end of the data. */
  readonly start: number;
  /** Its bytes match a CRC. */
  readonly isChecked: boolean;
  /** It names all chunks and channels. */
  readonly isIndex: boolean;
};

/**
 * The summary section if there is a footer that refers to one; else undefined. Throws `mcap.malformed` for one that is
 * damaged.
 */
export async function readSummary(readable: Readable): Promise<FoundSummary | undefined> {
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
  const isChecked = footer.summaryCrc !== 0;
  if (isChecked && crc32(section.subarray(0, crcEnd)) !== footer.summaryCrc) {
    throw malformed(subject, start, 'the CRC of the summary does not match its bytes');
  }
  const end = (footer.summaryOffsetStart || tailAt) - start;
  if (end < 0 || end > section.length) {
    throw malformed(subject, tailAt, `the footer places the summary offsets at ${footer.summaryOffsetStart}`);
  }
  return { ...collect(section.subarray(0, end), start, subject), start, isChecked };
}

/** The summary if its bytes match a CRC, its chunks in the order of the file; the fault of a damaged one. */
export async function validSummary(
  readable: Readable,
): Promise<{ readonly valid?: Summary; readonly fault?: EdgeError }> {
  try {
    const found = await readSummary(readable);
    if (!found?.isChecked) return {};
    found.summary.chunks.sort((a, b) => a.chunkStart - b.chunkStart);
    return { valid: found.summary };
  } catch (error) {
    if (error instanceof EdgeError) return { fault: error };
    throw error;
  }
}

function collect(section: Uint8Array, start: number, subject: string) {
  const summary = new Summary();
  let hasStatistics = false;
  let isUnique = true;
  for (const span of recordSpans(section, start, subject)) {
    const body = section.subarray(span.bodyAt, span.bodyAt + span.length);
    const record = decodeRecord(span.opcode, body, start + span.bodyAt, subject);
    if (record.kind === 'schema' && record.id !== 0) {
      isUnique &&= !summary.schemas.has(record.id);
      summary.schemas.set(record.id, record);
    }
    if (record.kind === 'channel') {
      isUnique &&= !summary.channels.has(record.id);
      summary.channels.set(record.id, record);
    }
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
  const hasChunks = summary.chunks.length > 0 && summary.chunks.length === summary.chunkCount;
  const isEmpty = hasStatistics && summary.messages === 0 && summary.chunks.length === 0;
  const isIndex = isUnique && ((hasChunks && summary.channels.size > 0) || isEmpty);
  return { summary, isIndex };
}
