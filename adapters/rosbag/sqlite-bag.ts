import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { EdgeError, type Nanoseconds, type Sample } from '../../contract/core.ts';
import { headerStamp } from '../../formats/ros2/index.ts';
import type { Bag, BagChannel, BagExtra, BagFilter, BagMessage, BagTopic, Lost } from './bag.ts';
import { malformed } from './malformed.ts';
import { type Definition, definitionOf, type TopicRow, topicRow, unpackPayload } from './sqlite-rows.ts';
import { Given, SqliteSalvage } from './sqlite-salvage.ts';

type Contents = { topics: TopicRow[]; startNs: bigint; endNs: bigint; fault: EdgeError | undefined };

/** Messages given out between two turns of the event loop: SQLite reads synchronously. */
const TURN_MESSAGES = 64;
/** Rows counted between two turns. */
const TURN_ROWS = 4096;

/** One `.db3` file of rosbag2, of any ROS 2 release; per-message zstd is undone. Reads only. */
export class SqliteBag implements Bag {
  readonly storage = 'sqlite3';
  readonly warning = undefined;
  readonly path: string;
  readonly bytes: number;
  /** Undefined where SQLite refuses the file. */
  readonly #database: DatabaseSync | undefined;
  readonly #salvage: SqliteSalvage;
  readonly #contents: Contents;

  private constructor(
    path: string,
    bytes: number,
    database: DatabaseSync | undefined,
    salvage: SqliteSalvage,
    contents: Contents,
  ) {
    this.path = path;
    this.bytes = bytes;
    this.#database = database;
    this.#salvage = salvage;
    this.#contents = contents;
  }

  /** Rejects with `bag.malformed` when it is no rosbag2 database, or too damaged to list its topics. */
  static async open(path: string): Promise<SqliteBag> {
    const bytes = statSync(path).size;
    const shortage = shortageOf(path, bytes);
    let database: DatabaseSync | undefined;
    let fault: EdgeError;
    try {
      database = openReadOnly(path, shortage !== undefined);
      const contents = await readContents(database, path, shortage);
      const salvage = SqliteSalvage.open(path, bytes);
      if (!contents.fault) return new SqliteBag(path, bytes, database, salvage, contents);
      salvage.close();
      fault = contents.fault;
    } catch (error) {
      fault = shortage ?? malformed(path, 'it cannot be read as a rosbag2 database', error);
    }
    database?.close();
    const salvage = SqliteSalvage.open(path, bytes);
    const found = await salvage.contents();
    if (found.topics.length > 0) return new SqliteBag(path, bytes, undefined, salvage, { ...found, fault });
    salvage.close();
    throw fault;
  }

  get topics(): readonly BagTopic[] {
    return this.#contents.topics;
  }

  get startNs(): Nanoseconds {
    return this.#contents.startNs;
  }

  get endNs(): Nanoseconds {
    return this.#contents.endNs;
  }

  get fault(): EdgeError | undefined {
    return this.#contents.fault;
  }

  get channels(): readonly BagChannel[] {
    return this.#contents.topics.map(({ channel }) => channel);
  }

  /** SQLite has one time only: the publish time is the log time. */
  async *records(filter: BagFilter = {}): AsyncGenerator<BagMessage> {
    let fault: EdgeError | undefined;
    const damaged = (error: EdgeError, lost?: Lost) => {
      fault ??= error;
      filter.onDamage?.(error, lost);
    };
    const given = new Given();
    if (this.#database) {
      try {
        yield* given.note(this.#rows(this.#database, filter, damaged));
        if (fault && !filter.onDamage) throw fault;
        return;
      } catch (error) {
        if (error === fault) throw error;
        damaged(malformed(this.path, 'unreadable', error));
      }
    } else if (this.fault) damaged(this.fault);
    // What SQLite did not give is searched for in the pages.
    yield* this.#salvage.messages(this.#contents.topics, filter, damaged, given.last);
    if (fault && !filter.onDamage) throw fault;
  }

  async *messages(filter: BagFilter = {}): AsyncGenerator<Sample> {
    for await (const { channel, logTime, bytes } of this.records(filter)) {
      const { topic, type } = channel;
      yield { topic, type, stamp: headerStamp(type, bytes) ?? logTime, received: logTime, bytes };
    }
  }

  async *extras(): AsyncGenerator<BagExtra> {}

  async *#rows(
    database: DatabaseSync,
    filter: BagFilter,
    damaged: (fault: EdgeError, lost?: Lost) => void,
  ): AsyncGenerator<BagMessage & { readonly rowId: bigint }> {
    const topics = new Map(this.#contents.topics.map((topic) => [topic.id, topic]));
    const statement = this.#prepare(
      database,
      'SELECT id, topic_id, timestamp, data FROM messages WHERE timestamp >= ? AND timestamp < ? ORDER BY timestamp, id',
    );
    statement.setReadBigInts(true);
    const rows = statement.iterate(filter.startNs ?? -(2n ** 63n), filter.endNs ?? 2n ** 63n - 1n);
    let last = 'the first message';
    const unknown = new Map<string, number>();
    for (let count = 1; ; count++) {
      let row: Record<string, unknown>;
      try {
        const next = rows.next();
        if (next.done) break;
        row = next.value as Record<string, unknown>;
      } catch (cause) {
        throw malformed(this.path, `unreadable after ${last}: ${(cause as Error).message}`, cause);
      }
      const rowId = row['id'] as bigint;
      last = `message ${rowId} at ${row['timestamp']}`;
      if (count % TURN_MESSAGES === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      const topic = topics.get(row['topic_id'] as bigint);
      if (!topic) {
        const name = `(topic ${row['topic_id']})`;
        unknown.set(name, (unknown.get(name) ?? 0) + 1);
        continue;
      }
      if (filter.topics && !filter.topics.has(topic.topic)) continue;
      const time = row['timestamp'] as bigint;
      try {
        const bytes = unpackPayload(row['data'], this.path, last);
        yield { channel: topic.channel, sequence: 0, logTime: time, publishTime: time, bytes, rowId };
      } catch (error) {
        if (!(error instanceof EdgeError)) throw error;
        damaged(error, new Map([[topic.topic, 1]]));
      }
    }
    for (const [name, count] of unknown)
      damaged(
        malformed(this.path, `${count} messages belong to the unknown topic ${name}`),
        new Map([[name, count]]),
      );
  }

  /** A damaged schema may lack a column that reading the topics did not need. */
  #prepare(database: DatabaseSync, sql: string): StatementSync {
    try {
      return database.prepare(sql);
    } catch (cause) {
      throw malformed(this.path, (cause as Error).message, cause);
    }
  }

  async close(): Promise<void> {
    this.#database?.close();
    this.#salvage.close();
  }
}

/** A file without a write-ahead log is opened as immutable: it may lie on a medium that cannot be written. */
function openReadOnly(path: string, isShort: boolean): DatabaseSync {
  const url = pathToFileURL(path);
  url.searchParams.set('mode', 'ro');
  if (!existsSync(`${path}-wal`)) url.searchParams.set('immutable', '1');
  if (!isShort) return new DatabaseSync(url, { readOnly: true });
  // SQLite refuses a file that is shorter than its header says, unless protection of the schema is switched off.
  const database = new DatabaseSync(url, { readOnly: true, defensive: false });
  database.exec('PRAGMA writable_schema = ON');
  return database;
}

async function readContents(
  database: DatabaseSync,
  path: string,
  shortage: EdgeError | undefined,
): Promise<Contents> {
  const all = (sql: string): Record<string, unknown>[] => {
    const statement = database.prepare(sql);
    statement.setReadBigInts(true);
    return statement.all() as Record<string, unknown>[];
  };
  const tables = new Set(
    all("SELECT name FROM sqlite_master WHERE type = 'table'").map((row) => row['name']),
  );
  if (!tables.has('topics') || !tables.has('messages')) {
    throw malformed(path, 'the tables of rosbag2 (topics, messages) are missing');
  }
  const definitions = new Map<unknown, Definition>();
  if (tables.has('message_definitions')) {
    for (const row of all(
      'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions',
    )) {
      const text = String(row['encoded_message_definition'] ?? '');
      if (text !== '') definitions.set(row['topic_type'], definitionOf(String(row['encoding'] ?? ''), text));
    }
  }
  const spans = await spansOf(database, path, shortage);
  const topics = all('SELECT * FROM topics ORDER BY id').map((row) => {
    return topicRow(
      {
        id: row['id'] as bigint,
        name: String(row['name']),
        type: String(row['type']),
        serialization: String(row['serialization_format'] ?? 'cdr'),
        profiles: String(row['offered_qos_profiles'] ?? ''),
        hash: String(row['type_description_hash'] ?? ''),
      },
      definitions.get(row['type']),
      spans.counts.get(row['id'] as bigint) ?? 0,
    );
  });
  return { topics, startNs: spans.startNs, endNs: spans.endNs, fault: spans.fault };
}

/** Counts and time span; of a damaged file as far as it can be read in the order of its rows. */
async function spansOf(database: DatabaseSync, path: string, shortage: EdgeError | undefined) {
  const counts = new Map<bigint, number>();
  let startNs: bigint | undefined;
  let endNs = 0n;
  let fault = shortage;
  const statement = database.prepare('SELECT id, topic_id, timestamp FROM messages ORDER BY id');
  statement.setReadBigInts(true);
  let last = 'the first message';
  let rows = 0;
  try {
    for (const { id, topic_id, timestamp } of statement.iterate() as Iterable<Record<string, bigint>>) {
      counts.set(topic_id!, (counts.get(topic_id!) ?? 0) + 1);
      if (startNs === undefined || timestamp! < startNs) startNs = timestamp!;
      if (timestamp! > endNs) endNs = timestamp!;
      last = `message ${id}`;
      // A bag of millions of messages must not hold the thread that plays it beside a robot.
      if (++rows % TURN_ROWS === 0) await new Promise<void>((resolve) => setImmediate(resolve));
    }
  } catch (cause) {
    fault ??= malformed(path, `unreadable after ${last}`, cause);
  }
  return { counts, startNs: startNs ?? 0n, endNs, fault };
}

/** The fault of a file that is shorter than its own header says. */
function shortageOf(path: string, bytes: number): EdgeError | undefined {
  const head = new Uint8Array(100);
  const file = openSync(path, 'r');
  try {
    readSync(file, head, 0, 100, 0);
  } finally {
    closeSync(file);
  }
  if (Buffer.from(head.subarray(0, 15)).toString() !== 'SQLite format 3') {
    return bytes === 0 ? undefined : malformed(path, 'at byte 0: not an SQLite file');
  }
  const view = new DataView(head.buffer);
  const pageSize = view.getUint16(16) === 1 ? 65_536 : view.getUint16(16);
  const declared = pageSize * view.getUint32(28);
  if (declared <= bytes) return undefined;
  return malformed(path, `at byte ${bytes}: the file is truncated; its header declares ${declared} bytes`);
}
