import { EdgeError, LIMITS } from '../../contract/core.ts';
import { ATTACHMENT_HEAD_BYTES, attachmentHead } from './attachment-head.ts';
import {
  CHUNK_HEAD_BYTES_MAX,
  chunkAt,
  chunkHead,
  type FoundChunk,
  isChunkHead,
  truncatedChunkAt,
} from './chunk-at.ts';
import { partialContents } from './chunk-contents.ts';
import { walkRecords } from './chunk-records.ts';
import { decodeRecord } from './decode.ts';
import { Definitions } from './definitions.ts';
import { malformed } from './malformed.ts';
import type { Readable } from './readable.ts';
import { type ChunkIndex, MAGIC, OP, RECORD_HEAD_BYTES } from './records.ts';
import { headAt, isBorder, isMagicAt, Resync } from './resync.ts';
import { type Hole, type LooseMessage, type Scan, type Tail, unknownChannel } from './scan-result.ts';
import { Summary } from './summary.ts';
import { readSummary } from './summary-section.ts';
import { Window } from './window.ts';

type Indexing = { -readonly [K in keyof ChunkIndex]: ChunkIndex[K] } & {
  messageIndexOffsets: Map<number, number>;
  channels: Set<number>;
};

/** Holes that are kept apart; of a file with more the last one grows. */
const HOLES_MAX = 10_000;

/**
 * Reads a file record by record, checks every chunk against its CRC and rebuilds its summary. Damage costs the record
 * it is in: the walk continues with the next record that can be found. Rejects only when reading fails or
 * the file does not start like an MCAP file.
 */
export async function scan(readable: Readable): Promise<Scan> {
  const magic = (await readable.size()) < MAGIC.length ? undefined : await readable.read(0, MAGIC.length);
  if (!magic || !MAGIC.every((byte, i) => magic[i] === byte)) {
    throw malformed(readable.subject, 0, 'the magic bytes of an MCAP file are missing');
  }
  const walk = new Walk(readable, await readable.size());
  return walk.run();
}

class Walk {
  readonly #readable: Readable;
  readonly #window: Window;
  readonly #subject: string;
  readonly #size: number;
  readonly #resync: Resync;
  readonly #summary = new Summary();
  readonly #definitions: Definitions;
  readonly #versions = new Map<ChunkIndex, number>();
  readonly #loose: LooseMessage[] = [];
  readonly #holes: Hole[] = [];
  /** Messages whose channel nothing defines so far, by its id. */
  readonly #undefined = new Map<number, number>();
  /** What the message indexes that follow belong to. */
  #last: Indexing | undefined;
  /** A summary whose CRC matches. */
  #valid: Summary | undefined;
  /** How many of its chunks lie before the last hole. */
  #asked = 0;
  #lastHole: Hole | undefined;
  #at = MAGIC.length;
  #dataEnd = 0;
  #isEnded = false;
  #hasHeader = false;
  #tail: Tail | undefined;
  #endFault: EdgeError | undefined;
  /** Of a record within a chunk that is whole. */
  #innerFault: EdgeError | undefined;

  constructor(readable: Readable, size: number) {
    this.#readable = readable;
    this.#window = new Window(readable, size);
    this.#resync = new Resync(this.#window);
    this.#subject = readable.subject;
    this.#size = size;
    this.#definitions = new Definitions(this.#summary, this.#subject);
  }

  async run(): Promise<Scan> {
    const summaryFault = await this.#readValid();
    while (await this.#step());
    if (this.#valid) this.#definitions.correct(this.#valid);
    const unknown = this.#settleUndefined();
    // Behind the data there is nothing to be lost.
    const holes = this.#holes.filter(({ at }) => this.#dataEnd === 0 || at < this.#dataEnd);
    const last = this.#last;
    const isIndexed = !last || [...last.channels].every((channel) => last.messageIndexOffsets.has(channel));
    const fault = this.#holes[0]?.fault ?? this.#innerFault ?? unknown ?? this.#endFault ?? summaryFault;
    return {
      summary: this.#summary,
      definitions: this.#definitions,
      versions: this.#versions,
      hasHeader: this.#hasHeader,
      complete: this.#isEnded && fault === undefined,
      goodEnd: this.#dataEnd > 0 ? this.#dataEnd : this.#at,
      fault,
      endFault: this.#dataEnd > 0 ? undefined : this.#endFault,
      hasAllData: this.#dataEnd > 0 && holes.length === 0 && !unknown && !this.#innerFault,
      unindexed: isIndexed ? undefined : last,
      loose: this.#loose,
      holes,
      tail: this.#tail,
    };
  }

  /** One record; false at the end of the file. */
  async #step(): Promise<boolean> {
    const at = this.#at;
    const head = await headAt(this.#window, at);
    if (!head) return this.#end(malformed(this.#subject, at, 'the file ends before its footer'));
    const end = at + RECORD_HEAD_BYTES + head.length;
    try {
      if (head.opcode === OP.footer && head.length === 20) return await this.#footer(end);
      if (head.opcode !== OP.message && (await this.#isChunk(head.opcode, at))) {
        await this.#chunk(await chunkAt(this.#window, at));
        return true;
      }
      if (head.opcode === 0) throw malformed(this.#subject, at, 'opcode 0 is not valid');
      if (end > this.#size)
        throw malformed(this.#subject, at, `a record of ${head.length} bytes is truncated`);
      if (!(await isBorder(this.#window, end)) && (await this.#resync.hasOtherLength(at, head.length))) {
        throw malformed(
          this.#subject,
          at,
          `a record of ${head.length} bytes does not end where another one starts`,
        );
      }
      await this.#enter(head.opcode, head.length);
      this.#at = end;
      return true;
    } catch (error) {
      if (!(error instanceof EdgeError)) throw error;
      return this.#damage(at, error);
    }
  }

  /** Also under another opcode, if all the rest is that of a chunk. */
  async #isChunk(opcode: number, at: number): Promise<boolean> {
    if (opcode === OP.chunk) return true;
    return isChunkHead(chunkHead(await this.#window.read(at, CHUNK_HEAD_BYTES_MAX)));
  }

  /** Leaves out what stands at `at` and continues behind it; false where the file has nothing more. */
  async #damage(at: number, fault: EdgeError): Promise<boolean> {
    const head = chunkHead(await this.#window.read(at, CHUNK_HEAD_BYTES_MAX));
    const chunkEnd = isChunkHead(head) ? at + head.headBytes + head.inner : undefined;
    if (chunkEnd === undefined && (await this.#isReadable(at))) {
      this.#chunk(await chunkAt(this.#window, at));
      return true;
    }
    if (chunkEnd !== undefined && chunkEnd <= this.#size) {
      // Messages within it are not searched for: nothing could confirm them.
      const next = (await isBorder(this.#window, chunkEnd))
        ? chunkEnd
        : await this.#resync.next(chunkEnd, false);
      return this.#skip(at, next, fault, next === chunkEnd);
    }
    if (chunkEnd !== undefined) return this.#skip(at, await this.#resync.next(at + 1, false), fault, false);
    const record = await headAt(this.#window, at);
    const recordEnd = record && record.opcode !== 0 ? at + RECORD_HEAD_BYTES + record.length : undefined;
    const isWhole =
      recordEnd !== undefined && recordEnd < this.#size && (await isBorder(this.#window, recordEnd));
    if (isWhole) return this.#skip(at, recordEnd, fault, record?.opcode === OP.chunk);
    return this.#skip(at, await this.#next(at + 1), fault, false);
  }

  /** Continues at `next`; without it the file ends here. */
  async #skip(at: number, next: number | undefined, fault: EdgeError, isChunk: boolean): Promise<boolean> {
    const known = await this.#knownChunk(at, next ?? this.#size);
    if (known !== undefined || next !== undefined) {
      this.#hole(at, known ?? next!, fault, isChunk && known === undefined);
      return true;
    }
    await this.#truncated(at);
    this.#endFault = fault;
    return false;
  }

  async #next(from: number): Promise<number | undefined> {
    if (this.#loose.length > 0) return this.#resync.next(from, true);
    const chunk = await this.#resync.next(from, false);
    return chunk === undefined && this.#summary.chunks.length === 0 ? this.#resync.next(from, true) : chunk;
  }

  /** A chunk that an index with a valid CRC names, if it can be read although its head is damaged. */
  async #knownChunk(from: number, to: number): Promise<number | undefined> {
    const chunks = this.#valid?.chunks ?? [];
    // Holes follow each other: what stands before one of them is not looked at again, nor the same place twice.
    for (let last = from; ; this.#asked += 1) {
      const chunkStart = chunks[this.#asked]?.chunkStart;
      if (chunkStart === undefined || chunkStart >= to) return undefined;
      if (chunkStart <= last) continue;
      if (await this.#isReadable(chunkStart)) return chunkStart;
      last = chunkStart;
    }
  }

  /** Whether a chunk stands here whose CRC matches, whatever its opcode and its length say. */
  async #isReadable(at: number): Promise<boolean> {
    const head = chunkHead(await this.#window.read(at, CHUNK_HEAD_BYTES_MAX));
    if (!head || head.uncompressedCrc === 0 || !['', 'lz4', 'zstd'].includes(head.compression)) return false;
    try {
      await chunkAt(this.#window, at);
      return true;
    } catch (error) {
      if (error instanceof EdgeError) return false;
      throw error;
    }
  }

  #hole(at: number, end: number, fault: EdgeError, isChunk: boolean): void {
    const before = this.#holes.at(-1);
    if (before && this.#holes.length >= HOLES_MAX) {
      this.#holes[this.#holes.length - 1] = { ...before, length: end - before.at, isChunk: false };
      this.#lastHole = undefined;
    } else {
      const hole = {
        at,
        length: end - at,
        fault,
        isChunk,
        version: this.#definitions.version,
        indexes: new Map(),
      };
      this.#holes.push(hole);
      this.#lastHole = hole;
    }
    this.#last = undefined;
    this.#at = end;
  }

  #end(fault: EdgeError): false {
    this.#endFault = fault;
    return false;
  }

  /** The file ends within this record: what can be read of a chunk is kept. */
  async #truncated(at: number): Promise<void> {
    const chunk = await truncatedChunkAt(this.#window, at);
    if (!chunk) return;
    const contents = partialContents(chunk, at, this.#subject);
    const { version } = this.#definitions;
    const found = this.#count(contents, at, version);
    if (found.counts.size > 0 || found.size > 0) this.#tail = { at, contents, version, ...found };
  }

  /** Messages by channel, and their span in time. */
  #count(contents: Uint8Array, at: number, version: number) {
    const counts = new Map<number, number>();
    const ids = new Set<number>();
    const unknown = new Map<number, number>();
    let startTime: bigint | undefined;
    let endTime = 0n;
    const { overlay, fault } = walkRecords(
      contents,
      at,
      this.#subject,
      this.#definitions,
      version,
      (message) => {
        const { key, channelId, logTime } = message;
        ids.add(channelId);
        if (startTime === undefined || logTime < startTime) startTime = logTime;
        if (logTime > endTime) endTime = logTime;
        if (key === undefined) unknown.set(channelId, (unknown.get(channelId) ?? 0) + 1);
        else counts.set(key, (counts.get(key) ?? 0) + 1);
      },
    );
    this.#definitions.commit(overlay);
    for (const [id, count] of unknown) this.#undefined.set(id, (this.#undefined.get(id) ?? 0) + count);
    return { counts, ids, size: overlay.channels.size, startTime: startTime ?? 0n, endTime, fault };
  }

  #chunk({ chunk, length, contents }: FoundChunk): void {
    const { version } = this.#definitions;
    const { counts, ids, startTime, endTime, fault } = this.#count(contents, this.#at, version);
    const entry: Indexing = {
      startTime,
      endTime,
      chunkStart: this.#at,
      chunkLength: length,
      messageIndexOffsets: new Map(),
      messageIndexLength: 0,
      compression: chunk.compression,
      compressedSize: chunk.records.length,
      uncompressedSize: contents.length,
      channels: ids,
    };
    this.#last = entry;
    this.#lastHole = undefined;
    this.#summary.chunks.push(entry);
    this.#summary.chunkCount += 1;
    this.#versions.set(entry, version);
    this.#summary.addMessages(counts, startTime, endTime);
    this.#innerFault ??= fault;
    this.#at += length;
  }

  async #enter(opcode: number, length: number): Promise<void> {
    if (opcode >= 0x80) return;
    const at = this.#at;
    const wanted = opcode === OP.attachment ? Math.min(length, ATTACHMENT_HEAD_BYTES) : length;
    if (wanted > LIMITS.MCAP_CHUNK_BYTES_MAX + 4096)
      throw malformed(this.#subject, at, `a record of ${length} bytes`);
    const bodyAt = at + RECORD_HEAD_BYTES;
    const body = await this.#window.read(bodyAt, wanted);
    if (opcode === OP.attachment) {
      this.#summary.attachments.push(attachmentHead(body, at, length, this.#subject));
      return;
    }
    const record = decodeRecord(opcode, isKept(opcode) ? body.slice() : body, bodyAt, this.#subject);
    const whole = RECORD_HEAD_BYTES + length;
    switch (record.kind) {
      case 'header':
        this.#hasHeader = true;
        return;
      case 'schema':
        // Behind the data the summary repeats them; there it only fills in what was lost.
        if (this.#dataEnd === 0 || !this.#summary.schemas.has(record.id)) this.#definitions.schema(record);
        return;
      case 'channel':
        if (this.#dataEnd === 0 || this.#definitions.keyOf(record.id, 0) === undefined)
          this.#definitions.channel(record);
        return;
      case 'message': {
        const { channelId, logTime } = record;
        const { version } = this.#definitions;
        this.#loose.push({ offset: at, length: whole, channelId, logTime, version });
        const key = this.#definitions.keyOf(channelId, version);
        if (key === undefined) this.#undefined.set(channelId, (this.#undefined.get(channelId) ?? 0) + 1);
        else this.#summary.addMessages(new Map([[key, 1]]), logTime, logTime);
        return;
      }
      case 'messageIndex':
        this.#lastHole?.indexes.set(record.channelId, at);
        this.#last?.messageIndexOffsets.set(record.channelId, at);
        if (this.#last) this.#last.messageIndexLength += whole;
        return;
      case 'metadata':
        this.#summary.metadata.push({ offset: at, length: whole, name: record.name });
        return;
      case 'dataEnd':
        this.#dataEnd = at;
        return;
    }
  }

  /** The end of the file, or of one of several files that were put together. */
  async #footer(end: number): Promise<boolean> {
    if (!(await isMagicAt(this.#window, end))) {
      throw malformed(this.#subject, end, 'the magic bytes behind the footer are missing');
    }
    const after = end + MAGIC.length;
    if (after === this.#size) {
      this.#isEnded = true;
      if (this.#dataEnd === 0) this.#dataEnd = this.#at;
      return false;
    }
    this.#at = (await isMagicAt(this.#window, after)) ? after + MAGIC.length : after;
    this.#dataEnd = 0;
    return true;
  }

  /** Keeps a summary whose CRC matches, for what the data section cannot prove; the fault of a damaged one. */
  async #readValid(): Promise<EdgeError | undefined> {
    try {
      const found = await readSummary(this.#readable);
      if (found?.isChecked) this.#valid = found.summary;
      this.#valid?.chunks.sort((a, b) => a.chunkStart - b.chunkStart);
      return undefined;
    } catch (error) {
      if (error instanceof EdgeError) return error;
      throw error;
    }
  }

  /** Counts the messages whose channel was defined later after all; the fault of the others. */
  #settleUndefined(): EdgeError | undefined {
    let fault: EdgeError | undefined;
    for (const [id, count] of this.#undefined) {
      const key = this.#definitions.keyOf(id, 0);
      if (key !== undefined) {
        const { startTime, endTime } = this.#summary;
        this.#summary.addMessages(new Map([[key, count]]), startTime, endTime);
      } else fault ??= unknownChannel(this.#subject, 0, id, count);
    }
    return fault;
  }
}

function isKept(opcode: number): boolean {
  return opcode === OP.schema || opcode === OP.channel;
}
