import { EdgeError } from '../../contract/core.ts';
import { ATTACHMENT_HEAD_BYTES, attachmentHead } from './attachment-head.ts';
import { CHUNK_HEAD_BYTES_MAX, chunkHead, isChunkHead } from './chunk-at.ts';
import { decodeRecord } from './decode.ts';
import { type Channel, type ChunkIndex, MAGIC, OP, RECORD_HEAD_BYTES, type Schema } from './records.ts';
import { headAt } from './resync.ts';
import type { FoundSummary } from './summary-section.ts';
import type { Window } from './window.ts';

/** Definitions and other small records between chunks are at most this large; else the file is scanned. */
const RECORD_BYTES_MAX = 64 * 1024 * 1024;
/** Each costs a read at another place of the disk. */
const CHUNKS_CHECKED_MAX = 4096;

/**
 * Whether the index names everything that the data section holds. It reads what lies between the chunks that the index
 * names: a chunk or a message there, or an id that is defined twice, can only be read by a scan. Metadata and attachments
 * that are not indexed are entered.
 */
export async function hasOnlyIndexed(window: Window, found: FoundSummary): Promise<boolean> {
  const { summary, start, isChecked } = found;
  const known = [
    ...summary.chunks.map((c) => ({
      from: c.chunkStart,
      to: c.chunkStart + c.chunkLength + c.messageIndexLength,
    })),
    ...[...summary.attachments, ...summary.metadata].map(({ offset, length }) => ({
      from: offset,
      to: offset + length,
    })),
    { from: start, to: start },
  ].sort((a, b) => a.from - b.from);
  const definitions = new Map<string, string>();
  let at: number = MAGIC.length;
  for (const { from, to } of known) {
    while (at < from) {
      const next = await step(window, at, found, definitions).catch((error: unknown) => {
        if (error instanceof EdgeError) return undefined;
        throw error;
      });
      if (next === undefined) return false;
      at = next;
    }
    if (at !== from) return false;
    at = to;
  }
  if (!(await areChunks(window, summary.chunks))) return false;
  if (isChecked) return true;
  for (const channel of summary.channels.values()) {
    const seen = definitions.get(`channel ${channel.id}`);
    if (seen !== undefined && seen !== textOf(channel)) return false;
  }
  return true;
}

/** Whether chunks stand where the index says, as large as it says. Of very many it looks at an even selection. */
async function areChunks(window: Window, chunks: readonly ChunkIndex[]): Promise<boolean> {
  const every = Math.ceil(chunks.length / CHUNKS_CHECKED_MAX);
  for (let i = 0; i < chunks.length; i += every) {
    const { chunkStart, chunkLength } = chunks[i]!;
    const head = chunkHead(await window.own(chunkStart, CHUNK_HEAD_BYTES_MAX));
    if (!isChunkHead(head) || head.headBytes + head.inner !== chunkLength) return false;
  }
  return true;
}

/** The end of the record at `at`; undefined where only a scan can read it. */
async function step(
  window: Window,
  at: number,
  { summary }: FoundSummary,
  definitions: Map<string, string>,
): Promise<number | undefined> {
  const head = await headAt(window, at);
  if (!head) return undefined;
  const { opcode, length } = head;
  const end = at + RECORD_HEAD_BYTES + length;
  if (end > window.size) return undefined;
  if (opcode >= 0x80 || opcode === OP.header || opcode === OP.dataEnd || opcode === OP.messageIndex)
    return end;
  if (opcode === OP.attachment) {
    const body = await window.read(at + RECORD_HEAD_BYTES, Math.min(length, ATTACHMENT_HEAD_BYTES));
    summary.attachments.push(attachmentHead(body, at, length, window.subject));
    return end;
  }
  if (length > RECORD_BYTES_MAX) return undefined;
  const body = await window.read(at + RECORD_HEAD_BYTES, length);
  const record = decodeRecord(opcode, body, at, window.subject);
  if (record.kind === 'metadata') {
    summary.metadata.push({ offset: at, length: RECORD_HEAD_BYTES + length, name: record.name });
    return end;
  }
  if (record.kind !== 'schema' && record.kind !== 'channel') return undefined;
  const key = `${record.kind} ${record.id}`;
  const text = textOf(record);
  if (definitions.has(key) && definitions.get(key) !== text) return undefined;
  definitions.set(key, text);
  const isListed =
    record.kind === 'schema'
      ? record.id === 0 || summary.schemas.has(record.id)
      : summary.channels.has(record.id);
  return isListed ? end : undefined;
}

function textOf(record: Schema | Channel): string {
  if ('topic' in record) {
    return JSON.stringify([
      record.schemaId,
      record.topic,
      record.messageEncoding,
      [...record.metadata].sort(),
    ]);
  }
  return JSON.stringify([record.name, record.encoding, Buffer.from(record.data).toString('base64')]);
}
