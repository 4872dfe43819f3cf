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
import { countRecords } from './chunk-records.ts';
import { decodeRecord } from './decode.ts';
import { Definitions } from './definitions.ts';
import { type Entries, type FoundIndex, foundIndex, hasAllIndexes, isTrueIndex } from './found-index.ts';
import { malformed } from './malformed.ts';
import type { Readable } from './readable.ts';
import {
  type ChunkIndex,
  HIDDEN_OPCODE,
  MAGIC,
  type MessageIndex,
  OP,
  RECORD_HEAD_BYTES,
} from './records.ts';
import { headAt, isBorder, isMagicAt, Resync } from './resync.ts';
import type { Hole, LooseMessage, Region, Scan, Tail } from './scan-result.ts';
import { Summary } from './summary.ts';
import { validSummary } from './summary-section.ts';
import { settleUndefined } from './undefined-channels.ts';
import { Window } from './window.ts';

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
  readonly #chunks: FoundIndex[] = [];
  readonly #strays: Region[] = [];
  #last: FoundIndex | undefined;
  /** What the message indexes that follow belong to, and what they have to say. */
  #indexed: FoundIndex | undefined;
  #entries: Entries = new Map();
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
    // For what the data section cannot prove.
    const { valid, fault: summaryFault } = await validSummary(this.#readable);
    this.#valid = valid;
    while (await this.#step());
    if (this.#valid) this.#definitions.correct(this.#valid);
    const unknown = settleUndefined(this.#undefined, this.#definitions, this.#summary, this.#subject);
    // Behind the data there is nothing to be lost.
    const holes = this.#holes.filter(({ at }) => this.#dataEnd === 0 || at < this.#dataEnd);
    const last = this.#last;
    const fault = this.#holes[0]?.fault ?? this.#innerFault ?? unknown ?? this.#endFault ?? summaryFault;
    return {
      summary: this.#summary,
      definitions: this.#definitions,
      versions: this.#versions,
      chunks: this.#chunks,
      hasHeader: this.#hasHeader,
      complete: this.#isEnded && fault === undefined,
      goodEnd: this.#dataEnd > 0 ? this.#dataEnd : this.#at,
      fault,
      endFault: this.#dataEnd > 0 ? undefined : this.#endFault,
      hasAllData: this.#dataEnd > 0 && holes.length === 0 && !unknown && !this.#innerFault,
      unindexed: last && !hasAllIndexes(last) ? last : undefined,
      loose: this.#loose,
      holes,
      strays: this.#strays,
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
        return await this.#chunk(await chunkAt(this.#window, at));
      }
      if (head.opcode === 0) throw malformed(this.#subject, at, 'opcode 0 is not valid');
      if (end > this.#size)
        throw malformed(this.#subject, at, `a record of ${head.length} bytes is truncated`);
      if (!(await isBorder(this.#window, end)) && (await this.#isTooLong(at, head.length))) {
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

  /** Whether another length of the record at `at` leads to a row of records, or it covers a chunk that can be read. */
  async #isTooLong(at: number, length: number): Promise<boolean> {
    if (await this.#resync.hasOtherLength(at, length)) return true;
    return (await this.#knownChunk(at, at + RECORD_HEAD_BYTES + length)) !== undefined;
  }

  /**
   * Also under another opcode, if all the rest is that of a chunk; not under that of a hidden part. One without records proves nothing: a
   * schema whose text is zeros looks like that.
   */
  async #isChunk(opcode: number, at: number): Promise<boolean> {
    if (opcode === OP.chunk) return true;
    if (opcode === HIDDEN_OPCODE) return false;
    const head = chunkHead(await this.#window.read(at, CHUNK_HEAD_BYTES_MAX));
    return isChunkHead(head) && head.inner > 0;
  }

  /** Leaves out what stands at `at` and continues behind it; false where the file has nothing more. */
  async #damage(at: number, fault: EdgeError): Promise<boolean> {
    const head = chunkHead(await this.#window.read(at, CHUNK_HEAD_BYTES_MAX));
    const chunkEnd = isChunkHead(head) ? at + head.headBytes + head.inner : undefined;
    if (chunkEnd === undefined && (await this.#isReadable(at))) {
      return this.#chunk(await chunkAt(this.#window, at));
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
        indexLength: 0,
      };
      this.#holes.push(hole);
      this.#lastHole = hole;
    }
    this.#last = this.#indexed = undefined;
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

  /** Messages by channel, and their span in time; the definitions among them are in force from here on. */
  #count(contents: Uint8Array, at: number, version: number) {
    const found = countRecords(contents, at, this.#subject, this.#definitions, version);
    for (const [id, count] of found.unknown) this.#undefined.set(id, (this.#undefined.get(id) ?? 0) + count);
    return found;
  }

  async #chunk(found: FoundChunk): Promise<true> {
    const { chunk, length, contents } = found;
    const { version } = this.#definitions;
    const counted = this.#count(contents, this.#at, version);
    const { counts, entries, startTime, endTime, fault } = counted;
    const head = await this.#window.own(this.#at, chunk.headBytes);
    const entry = foundIndex(found, this.#at, head, counted);
    // What stood before it was not the end of the data.
    this.#dataEnd = 0;
    this.#last = entry;
    this.#indexed = entry;
    this.#entries = entries;
    this.#chunks.push(entry);
    this.#lastHole = undefined;
    this.#summary.chunks.push(entry);
    this.#summary.chunkCount += 1;
    this.#versions.set(entry, version);
    this.#summary.addMessages(counts, startTime, endTime);
    this.#innerFault ??= fault;
    this.#at += length;
    return true;
  }

  #stray(at: number, end: number): void {
    const before = this.#strays.at(-1);
    if (before?.end === at) this.#strays[this.#strays.length - 1] = { at: before.at, end };
    else if (this.#strays.length < HOLES_MAX) this.#strays.push({ at, end });
  }

  #index(chunk: FoundIndex, record: MessageIndex, at: number, length: number): void {
    if (chunk.messageIndexOffsets.has(record.channelId) || !isTrueIndex(record, this.#entries))
      chunk.hasFalseIndex = true;
    chunk.messageIndexOffsets.set(record.channelId, at);
    chunk.messageIndexLength += length;
  }

  async #enter(opcode: number, length: number): Promise<void> {
    if (opcode !== OP.messageIndex) this.#lastHole = this.#indexed = undefined;
    // Indexes behind it are those of the chunk that it hides.
    if (opcode === HIDDEN_OPCODE) this.#last = undefined;
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
        this.#dataEnd = 0;
        this.#loose.push({ offset: at, length: whole, channelId, logTime, version });
        const key = this.#definitions.keyOf(channelId, version);
        if (key === undefined) this.#undefined.set(channelId, (this.#undefined.get(channelId) ?? 0) + 1);
        else this.#summary.addMessages(new Map([[key, 1]]), logTime, logTime);
        return;
      }
      case 'messageIndex':
        this.#lastHole?.indexes.set(record.channelId, at);
        if (this.#lastHole) this.#lastHole.indexLength += whole;
        if (this.#indexed) this.#index(this.#indexed, record, at, whole);
        else if (!this.#lastHole) this.#stray(at, at + whole);
        return;
      case 'metadata':
        this.#summary.metadata.push({ offset: at, length: whole, name: record.name });
        return;
      case 'dataEnd':
        if (this.#dataEnd === 0) this.#dataEnd = at;
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
    const next = (await isMagicAt(this.#window, after)) ? after + MAGIC.length : after;
    this.#stray(this.#dataEnd || this.#at, next);
    this.#at = next;
    this.#dataEnd = 0;
    return true;
  }
}

function isKept(opcode: number): boolean {
  return opcode === OP.schema || opcode === OP.channel;
}
