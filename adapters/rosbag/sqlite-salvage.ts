import { closeSync, openSync, readSync } from 'node:fs';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import type { BagFilter, BagMessage, Lost } from './bag.ts';
import { malformed } from './malformed.ts';
import type { OverflowPages } from './overflow-pages.ts';
import { type BlobPlace, type FoundRow, type PageFile, SqlitePages, type Value } from './sqlite-pages.ts';
import { type Definition, definitionOf, type TopicRow, topicRow, unpackPayload } from './sqlite-rows.ts';
import { sortInTurns } from './turns.ts';

/** Where a message stands; its bytes are read when its turn comes. */
type Place = {
  readonly time: bigint;
  readonly topicId: bigint;
  readonly rowId: bigint;
  readonly blob: BlobPlace;
};
type Position = { readonly time: bigint; readonly rowId: bigint };
type Topic = { readonly rowId: bigint; readonly texts: readonly string[] };
type Found = {
  readonly places: readonly Place[];
  readonly topics: readonly Topic[];
  readonly definitions: ReadonlyMap<string, Definition>;
  /** Overflow pages of topics and definitions. */
  readonly overflow: OverflowPages;
  /** Cells of leaf pages that are no valid rows. */
  readonly broken: number;
};

/** No robot has as many; more are counted as broken. */
const TOPICS_MAX = 65_536;
/** Losses are listed by this many topics that nothing defines. */
const UNKNOWN_NAMES_MAX = 256;
/** What a message or a topic costs beside its bytes, in the measure of bytes read. */
const MESSAGE_WORK = 4096;
const FILTERED_WORK = 64;

/** Remembers the last message that SQLite gave, so that the search continues behind it. */
export class Given {
  last: Position | undefined;

  async *note(rows: AsyncGenerator<BagMessage & { readonly rowId: bigint }>): AsyncGenerator<BagMessage> {
    for await (const { rowId, ...message } of rows) {
      this.last = { time: message.logTime, rowId };
      yield message;
    }
  }
}

/**
 * The messages of a rosbag2 database out of the pages that the file still holds, whatever became of its trees. A row is known
 * by the shape that all releases of rosbag2 give it.
 */
export class SqliteSalvage {
  readonly #path: string;
  readonly #close: () => void;
  readonly #pages: SqlitePages;
  #found: Promise<Found> | undefined;

  constructor(path: string, file: PageFile, close: () => void = () => {}) {
    this.#path = path;
    this.#close = close;
    this.#pages = new SqlitePages(file, LIMITS.SAMPLE_BYTES_MAX);
  }

  static open(path: string, bytes: number): SqliteSalvage {
    const file = openSync(path, 'r');
    const read = (into: Uint8Array, offset: number) => readSync(file, into, 0, into.length, offset);
    return new SqliteSalvage(path, { bytes, read }, () => closeSync(file));
  }

  close(): void {
    this.#close();
  }

  /** Topics and span. Empty where no page holds a topic. */
  async contents(): Promise<{ topics: TopicRow[]; startNs: bigint; endNs: bigint }> {
    const { places, topics, definitions } = await this.#all();
    const { turns } = this.#pages;
    const counts = new Map(topics.map(({ rowId }) => [rowId, 0]));
    for (const { topicId } of places) {
      const count = counts.get(topicId);
      if (count !== undefined) counts.set(topicId, count + 1);
      turns.spend(FILTERED_WORK);
      if (turns.isDue) await turns.take();
    }
    const rows: TopicRow[] = [];
    for (const { rowId, texts } of topics) {
      const [name = '', type = '', serialization = 'cdr', profiles = '', hash = ''] = texts;
      const row = { id: rowId, name, type, serialization, profiles, hash };
      rows.push(topicRow(row, definitions.get(type), counts.get(rowId) ?? 0));
      turns.spend(MESSAGE_WORK + profiles.length);
      if (turns.isDue) await turns.take();
    }
    return { topics: rows, startNs: places[0]?.time ?? 0n, endNs: places.at(-1)?.time ?? 0n };
  }

  /** By time; those behind `after`, where it is given. */
  async *messages(
    topics: readonly TopicRow[],
    { startNs, endNs, topics: wanted }: BagFilter,
    damaged: (fault: EdgeError, lost?: Lost) => void,
    after: Position | undefined,
  ): AsyncGenerator<BagMessage> {
    const known = new Map(topics.map((topic) => [topic.id, topic]));
    const lost = new Map<string, number>();
    const { turns } = this.#pages;
    const found = await this.#all();
    const overflow = this.#pages.overflow(found.overflow);
    for (const { time, topicId, rowId, blob } of found.places) {
      turns.spend(FILTERED_WORK);
      if (turns.isDue) await turns.take();
      if (after && (time < after.time || (time === after.time && rowId <= after.rowId))) continue;
      if ((startNs !== undefined && time < startNs) || (endNs !== undefined && time >= endNs)) continue;
      const topic = known.get(topicId);
      if (topic && wanted && !wanted.has(topic.topic)) continue;
      const bytes = topic && (await this.#bytesOf(rowId, blob, overflow));
      turns.spend(MESSAGE_WORK + (bytes?.length ?? 0));
      if (bytes) yield { channel: topic.channel, sequence: 0, logTime: time, publishTime: time, bytes };
      else {
        const name = topic?.topic ?? `(topic ${topicId})`;
        const listed = lost.has(name) || topic || lost.size < UNKNOWN_NAMES_MAX ? name : '(other topics)';
        lost.set(listed, (lost.get(listed) ?? 0) + 1);
      }
    }
    if (found.broken > 0) damaged(malformed(this.#path, `${found.broken} rows in its pages are not valid`));
    if (lost.size === 0) return;
    const sum = [...lost.values()].reduce((total, one) => total + one, 0);
    damaged(malformed(this.#path, `pages of ${sum} messages, or their topics, are missing`), lost);
  }

  async #bytesOf(rowId: bigint, place: BlobPlace, overflow: OverflowPages): Promise<Uint8Array | undefined> {
    const { turns } = this.#pages;
    const steps = this.#pages.blob(place, overflow);
    let step = steps.next();
    for (; !step.done; step = steps.next()) {
      if (turns.isDue) await turns.take();
    }
    try {
      return unpackPayload(step.value, this.#path, `message ${rowId}`);
    } catch (error) {
      if (error instanceof EdgeError) return undefined;
      throw error;
    }
  }

  #all(): Promise<Found> {
    this.#found ??= this.#search();
    return this.#found;
  }

  async #search(): Promise<Found> {
    const { turns } = this.#pages;
    const places: Place[] = [];
    const topics = new Map<bigint, Topic>();
    const definitions = new Map<string, Definition>();
    const overflow = this.#pages.overflow();
    let broken = 0;
    for (let page = 1; page <= this.#pages.pages; page++) {
      for (const row of this.#pages.rows(page, overflow)) {
        const message = row && messageOf(row);
        const texts = row && textsOf(row.columns);
        if (message) places.push(message);
        else if (texts && /^ros2(?:msg|idl)$/.test(texts[1] ?? '')) {
          if (definitions.size < TOPICS_MAX)
            definitions.set(texts[0]!, definitionOf(texts[1]!, texts[2] ?? ''));
          else broken += 1;
        } else if (texts && isTopic(texts)) {
          if (topics.size >= TOPICS_MAX) broken += 1;
          else if (!topics.has(row.rowId)) topics.set(row.rowId, { rowId: row.rowId, texts });
        } else if (!row) broken += 1;
        if (turns.isDue) await turns.take();
      }
      if (turns.isDue) await turns.take();
    }
    return {
      places: await this.#ordered(places),
      topics: [...topics.values()],
      definitions,
      overflow,
      broken,
    };
  }

  /** By time, and each id once: a page that is no longer in use may hold a row again. */
  async #ordered(places: readonly Place[]): Promise<Place[]> {
    const { turns } = this.#pages;
    const byId = await sortInTurns(places, (a, b) => order(a.rowId, b.rowId), turns);
    const once: Place[] = [];
    for (const place of byId) {
      if (once.at(-1)?.rowId !== place.rowId) once.push(place);
      turns.spend(FILTERED_WORK);
      if (turns.isDue) await turns.take();
    }
    return sortInTurns(once, (a, b) => order(a.time, b.time), turns);
  }
}

function order(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** messages(id, topic_id, timestamp, data): the id is the row's own, and not stored. */
function messageOf(row: FoundRow): Place | undefined {
  const [id, topicId, time, ...more] = row.columns;
  if (id !== null || typeof topicId !== 'bigint' || typeof time !== 'bigint' || more.length > 0)
    return undefined;
  return row.blob && { time, topicId, rowId: row.rowId, blob: row.blob };
}

function textsOf([id, ...columns]: readonly Value[]): string[] | undefined {
  return id === null && columns.length >= 3 && columns.every((column) => typeof column === 'string')
    ? (columns as string[])
    : undefined;
}

/** topics(id, name, type, serialization_format, ...). */
function isTopic([name = '', type = '']: readonly string[]): boolean {
  return name !== '' && /^[\w/]+\/\w+$/.test(type);
}
