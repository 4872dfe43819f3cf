import { setImmediate as turn } from 'node:timers/promises';
import {
  CELL_NAMES,
  type CellName,
  type Clock,
  type DocumentFile,
  type DocumentShelf,
  EdgeError,
  type EventReader,
  type LakeCursor,
  type RecallBatch,
  type RecallIndex,
  withDeadline,
} from '../../contract/core.ts';
import type { OpenReader } from './projector.ts';
import { chunksOf } from './recall-chunks.ts';
import { changeOf, cleanText, RECALLED_KINDS } from './recall-texts.ts';

/** One piece of work between two turns of the event loop: some ten milliseconds. */
const BATCH_EVENTS = 250;
const BATCH_BYTES = 1024 * 1024;
const BATCH_TEXTS = 250;
/** Documents are looked at again after this, milliseconds. */
const LOOK_MS = 2_000;
/** A folder that does not answer (a disk in the network that is gone) holds up no question longer than this, milliseconds. */
const SHELF_MS = 3_000;
const OWNER = 'local';

export type FeedParts = {
  readonly clock: Clock;
  readonly openReader: OpenReader;
  readonly shelf: DocumentShelf;
};
/** What is not read yet (events and documents), and what is missing, in words. */
export type Fed = { readonly unread: number; readonly notes: readonly string[] };

/** Carries texts from the logs and documents into the index, in short batches between which others have their turn. */
export class RecallFeed {
  readonly #parts: FeedParts;
  readonly #readers = new Map<CellName, EventReader>();
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** Running, also where a question did not wait for it: at most one at a time. */
  #listing: ReturnType<DocumentShelf['list']> | undefined;
  #documents: Fed = { unread: 0, notes: [] };
  /** In this round: what was read before it is gone too. */
  #dropped = false;

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** Reads what is new, up to this time of the monotonic clock. Rejects when the index does; a log that cannot be read is a note. */
  async catchUp(index: RecallIndex, untilMs: number): Promise<Fed> {
    this.#dropped = false;
    const fed = await this.#round(index, untilMs);
    return this.#dropped ? await this.#round(index, untilMs) : fed;
  }

  async #round(index: RecallIndex, untilMs: number): Promise<Fed> {
    let unread = 0;
    const notes: string[] = [];
    for (const cell of CELL_NAMES) {
      try {
        unread += await this.#readLog(index, cell, untilMs);
      } catch (thrown) {
        const { code, message } = EdgeError.from(thrown, 'log.failed', 'recall', `log of ${cell}`);
        if (code === 'lake.failed') throw thrown;
        notes.push(`the log of ${cell} cannot be read: ${message}`.slice(0, 512));
      }
    }
    const { clock } = this.#parts;
    if (this.#documents.unread > 0 || clock.monotonicMs() - this.#lookedMs >= LOOK_MS) {
      this.#documents = await this.#readDocuments(index, untilMs);
      this.#lookedMs = clock.monotonicMs();
    }
    return { unread: unread + this.#documents.unread, notes: [...notes, ...this.#documents.notes] };
  }

  /** Removes all that the logs and documents give again; the next `catchUp` fills it. */
  async drop(index: RecallIndex): Promise<void> {
    const keep: Partial<Record<CellName, number>> = {};
    for (const cell of CELL_NAMES) keep[cell] = this.#reader(cell).cutThrough?.() ?? 0;
    // The places first: one that is interrupted is filled again from the start.
    index.batch((batch) => {
      for (const cell of CELL_NAMES) batch.reach(cell, undefined);
    });
    const known = index.heldFrom('document:').map(({ key }) => key);
    for (let at = 0; at < known.length; at += BATCH_TEXTS) {
      index.batch((batch) => {
        for (const key of known.slice(at, at + BATCH_TEXTS)) batch.hold(key, undefined);
      });
      await turn();
    }
    while (index.drop(keep, BATCH_TEXTS)) await turn();
    this.#lookedMs = Number.NEGATIVE_INFINITY;
  }

  reader(cell: CellName): EventReader {
    return this.#reader(cell);
  }

  /** Gives its files back; it may be used again. */
  close(): void {
    for (const reader of this.#readers.values()) reader.close();
    this.#readers.clear();
  }

  /** Resolves to how many events are left. */
  async #readLog(index: RecallIndex, cell: CellName, untilMs: number): Promise<number> {
    const reader = this.#reader(cell);
    const target = reader.lastSeq();
    if (target === 0) return 0;
    const epoch = reader.read(0, 1)[0]?.event_id ?? '';
    let at = await this.#start(index, cell, epoch);
    while (at < target) {
      if (this.#parts.clock.monotonicMs() > untilMs) return target - at;
      const options = { kinds: RECALLED_KINDS, bytesMax: BATCH_BYTES };
      const events = reader.read(at, BATCH_EVENTS, options);
      const last = events.at(-1) ?? reader.read(target - 1, 1)[0];
      if (!last) return 0;
      index.batch((batch) => {
        for (const event of events) {
          const { put, remove } = changeOf(event, batch);
          for (const text of put) batch.put(text);
          batch.remove(remove);
        }
        batch.reach(cell, { epoch, seq: last.seq, hash: last.hash });
      });
      at = last.seq;
      await turn();
    }
    return 0;
  }

  /** Where to continue. A log that lost its end (a disk lied) no longer has what the index read: all is read again. */
  async #start(index: RecallIndex, cell: CellName, epoch: string): Promise<number> {
    const cursor = index.cursor(cell);
    if (!cursor || cursor.epoch !== epoch) return 0;
    if (this.#has(cell, cursor)) return cursor.seq;
    await this.drop(index);
    this.#dropped = true;
    return 0;
  }

  #has(cell: CellName, { seq, hash }: LakeCursor): boolean {
    const reader = this.#reader(cell);
    if (seq <= (reader.cutThrough?.() ?? 0)) return true;
    return reader.read(seq - 1, 1)[0]?.hash === hash;
  }

  async #readDocuments(index: RecallIndex, untilMs: number): Promise<Fed> {
    const { shelf, clock } = this.#parts;
    this.#listing ??= shelf.list();
    const listed = await this.#within(this.#listing);
    if (!listed)
      return { unread: 0, notes: ['the folders of documents do not answer: they are looked at later'] };
    this.#listing = undefined;
    const { files, notes } = listed;
    const known = new Map(index.heldFrom('document:').map(({ key, value }) => [key, value]));
    let unread = 0;
    for (const file of files) {
      const key = `document:${file.name}`;
      const before = known.get(key);
      known.delete(key);
      if (before !== undefined && stampOf(before) === file.stamp) continue;
      const content =
        clock.monotonicMs() > untilMs
          ? undefined
          : await this.#within(shelf.read(file.name).then((is) => is ?? ''));
      if (content === undefined) unread += 1;
      else await this.#take(index, key, before, file, content);
    }
    // These are gone.
    for (const [key, before] of known) {
      await this.#take(index, key, before, undefined, '');
    }
    return { unread, notes };
  }

  /** Undefined: no answer in time. */
  #within<T>(work: Promise<T>): Promise<T | undefined> {
    return withDeadline(this.#parts.clock, SHELF_MS, work, 'recall', 'documents').catch(() => undefined);
  }

  /** Its texts give way to those of today, in batches: the mark that it is known comes with the last of them. */
  async #take(
    index: RecallIndex,
    key: string,
    before: string | undefined,
    file: DocumentFile | undefined,
    content: string,
  ): Promise<void> {
    const chunks = chunksOf(content).map(cleanText);
    const nowUs = Number(this.#parts.clock.now() / 1_000n);
    const count = Math.max(chunks.length, countOf(before));
    for (let from = 0; from === 0 || from < count; from += BATCH_TEXTS) {
      const through = Math.min(count, from + BATCH_TEXTS);
      index.batch((batch) => {
        for (let at = from; at < through; at++) {
          const id = `${key}#${at + 1}`;
          const text = chunks[at] ?? '';
          if (!file || text === '') batch.remove([id]);
          else putChunk(batch, id, text, file, nowUs);
        }
        const isEnd = through === count;
        // While it is read it counts as of no time, with all that may be there.
        if (isEnd) batch.hold(key, file && `${file.stamp} ${chunks.length}`);
        else batch.hold(key, ` ${count}`);
      });
      await turn();
    }
  }

  #reader(cell: CellName): EventReader {
    const known = this.#readers.get(cell);
    if (known) return known;
    const reader = this.#parts.openReader(cell);
    this.#readers.set(cell, reader);
    return reader;
  }
}

function putChunk(batch: RecallBatch, id: string, text: string, file: DocumentFile, nowUs: number): void {
  const atUs = Math.max(0, Math.min(file.changedUs, nowUs));
  batch.put({ id, kind: 'document', tenant: OWNER, atUs, source: file.name, text });
}

/** The mark of a document that was read: its stamp, and how many texts it has. */
function stampOf(mark: string): string {
  return mark.split(' ')[0]!;
}

function countOf(mark: string | undefined): number {
  return Number(mark?.split(' ')[1] ?? 0);
}
