import { closeSync, openSync, readSync } from 'node:fs';
import { EdgeError, LIMITS } from '../../contract/core.ts';
import type { BagFilter, BagMessage, Lost } from './bag.ts';
import { malformed } from './malformed.ts';
import { type FoundRow, SqlitePages, type Value } from './sqlite-pages.ts';
import { type Definition, type TopicRow, topicRow, unpackPayload } from './sqlite-rows.ts';

/** Where a message stands; its bytes are read when its turn comes. */
type Place = { readonly time: bigint; readonly topicId: bigint; readonly row: FoundRow };
type Position = { readonly time: bigint; readonly rowId: bigint };

const TURN_PAGES = 256;
const TURN_MESSAGES = 64;

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
  readonly #file: number;
  readonly #pages: SqlitePages;
  #places: Place[] | undefined;
  readonly #topics: { readonly rowId: bigint; readonly texts: readonly string[] }[] = [];
  readonly #definitions = new Map<string, Definition>();

  constructor(path: string, bytes: number) {
    this.#path = path;
    this.#file = openSync(path, 'r');
    const read = (into: Uint8Array, offset: number) => readSync(this.#file, into, 0, into.length, offset);
    this.#pages = new SqlitePages({ bytes, read }, LIMITS.SAMPLE_BYTES_MAX);
  }

  close(): void {
    closeSync(this.#file);
  }

  /** Topics and span. Empty where no page holds a topic. */
  async contents(): Promise<{ topics: TopicRow[]; startNs: bigint; endNs: bigint }> {
    const places = await this.#search();
    const counts = new Map<bigint, number>();
    for (const { topicId } of places) counts.set(topicId, (counts.get(topicId) ?? 0) + 1);
    const topics = this.#topics.map(({ rowId, texts }) => {
      const [name = '', type = '', serialization = 'cdr', profiles = '', hash = ''] = texts;
      const row = { id: rowId, name, type, serialization, profiles, hash };
      return topicRow(row, this.#definitions.get(type), counts.get(rowId) ?? 0);
    });
    return { topics, startNs: places[0]?.time ?? 0n, endNs: places.at(-1)?.time ?? 0n };
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
    let count = 0;
    for (const { time, topicId, row } of await this.#search()) {
      if (after && (time < after.time || (time === after.time && row.rowId <= after.rowId))) continue;
      if ((startNs !== undefined && time < startNs) || (endNs !== undefined && time >= endNs)) continue;
      if (++count % TURN_MESSAGES === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      const topic = known.get(topicId);
      const name = topic?.topic ?? `(topic ${topicId})`;
      if (topic && wanted && !wanted.has(name)) continue;
      const bytes = topic && this.#bytesOf(row);
      if (bytes) yield { channel: topic.channel, sequence: 0, logTime: time, publishTime: time, bytes };
      else lost.set(name, (lost.get(name) ?? 0) + 1);
    }
    if (lost.size === 0) return;
    const sum = [...lost.values()].reduce((total, one) => total + one, 0);
    damaged(malformed(this.#path, `pages of ${sum} messages, or their topics, are missing`), lost);
  }

  #bytesOf(row: FoundRow): Uint8Array | undefined {
    try {
      return unpackPayload(this.#pages.blob(row), this.#path, `message ${row.rowId}`);
    } catch (error) {
      if (error instanceof EdgeError) return undefined;
      throw error;
    }
  }

  async #search(): Promise<readonly Place[]> {
    if (this.#places) return this.#places;
    const places = new Map<bigint, Place>();
    const topics = new Set<bigint>();
    for (let page = 1; page <= this.#pages.pages; page++) {
      for (const row of this.#pages.rows(page).rows) {
        const message = messageOf(row);
        const texts = textsOf(row.columns);
        if (message) {
          if (!places.has(row.rowId)) places.set(row.rowId, message);
        } else if (texts && /^ros2(?:msg|idl)$/.test(texts[1] ?? '')) {
          this.#definitions.set(texts[0]!, { encoding: texts[1]!, text: texts[2] ?? '' });
        } else if (texts && isTopic(texts) && !topics.has(row.rowId)) {
          topics.add(row.rowId);
          this.#topics.push({ rowId: row.rowId, texts });
        }
      }
      if (page % TURN_PAGES === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
    this.#places = [...places.values()].sort((a, b) =>
      a.time !== b.time ? (a.time < b.time ? -1 : 1) : a.row.rowId < b.row.rowId ? -1 : 1,
    );
    return this.#places;
  }
}

/** messages(id, topic_id, timestamp, data): the id is the row's own, and not stored. */
function messageOf(row: FoundRow): Place | undefined {
  const [id, topicId, time, ...more] = row.columns;
  if (id !== null || typeof topicId !== 'bigint' || typeof time !== 'bigint' || more.length > 0)
    return undefined;
  return row.blobBytes === undefined ? undefined : { time, topicId, row: { ...row, columns: [] } };
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
