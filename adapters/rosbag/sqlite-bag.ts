import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { zstdDecompressSync } from 'node:zlib';
import { type EdgeError, LIMITS, type Nanoseconds, type Sample } from '../../contract/core.ts';
import { headerStamp } from '../../formats/ros2/index.ts';
import { parseProfiles, qosOf } from '../../formats/rosbag2/index.ts';
import type { Bag, BagChannel, BagExtra, BagFilter, BagMessage, BagTopic } from './bag.ts';
import { malformed } from './malformed.ts';

type TopicRow = BagTopic & { readonly id: bigint; readonly channel: BagChannel };
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
  readonly #database: DatabaseSync;
  readonly #contents: Contents;

  private constructor(path: string, bytes: number, database: DatabaseSync, contents: Contents) {
    this.path = path;
    this.bytes = bytes;
    this.#database = database;
    this.#contents = contents;
  }

  /** Rejects with `bag.malformed` when it is no rosbag2 database, or too damaged to list its topics. */
  static async open(path: string): Promise<SqliteBag> {
    const bytes = statSync(path).size;
    const shortage = shortageOf(path, bytes);
    let database: DatabaseSync | undefined;
    try {
      database = openReadOnly(path, shortage !== undefined);
      return new SqliteBag(path, bytes, database, await readContents(database, path, shortage));
    } catch (error) {
      database?.close();
      throw shortage ?? malformed(path, 'it cannot be read as a rosbag2 database', error);
    }
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
    if (!filter.onDamage) return yield* this.#rows(filter);
    try {
      yield* this.#rows(filter);
    } catch (error) {
      filter.onDamage(malformed(this.path, 'unreadable', error));
    }
  }

  async *messages(filter: BagFilter = {}): AsyncGenerator<Sample> {
    for await (const { channel, logTime, bytes } of this.records(filter)) {
      const { topic, type } = channel;
      yield { topic, type, stamp: headerStamp(type, bytes) ?? logTime, received: logTime, bytes };
    }
  }

  async *extras(): AsyncGenerator<BagExtra> {}

  async *#rows(filter: BagFilter): AsyncGenerator<BagMessage> {
    const topics = new Map(this.#contents.topics.map((topic) => [topic.id, topic]));
    const by = this.fault ? '+timestamp' : 'timestamp';
    const order = this.fault ? 'id' : 'timestamp, id';
    const statement = this.#prepare(
      // Sorting needs all rows, and an index may be what is damaged: then in the order of writing.
      `SELECT id, topic_id, timestamp, data FROM messages WHERE ${by} >= ? AND ${by} < ? ORDER BY ${order}`,
    );
    statement.setReadBigInts(true);
    const rows = statement.iterate(filter.startNs ?? -(2n ** 63n), filter.endNs ?? 2n ** 63n - 1n);
    let last = 'the first message';
    for (let count = 1; ; count++) {
      let row: Record<string, unknown>;
      try {
        const next = rows.next();
        if (next.done) break;
        row = next.value as Record<string, unknown>;
      } catch (cause) {
        throw (
          this.fault ?? malformed(this.path, `unreadable after ${last}: ${(cause as Error).message}`, cause)
        );
      }
      last = `message ${row['id']} at ${row['timestamp']}`;
      if (count % TURN_MESSAGES === 0) await new Promise<void>((resolve) => setImmediate(resolve));
      const topic = topics.get(row['topic_id'] as bigint);
      if (!topic) throw malformed(this.path, `${last} belongs to the unknown topic ${row['topic_id']}`);
      if (filter.topics && !filter.topics.has(topic.topic)) continue;
      const bytes = this.#payload(row['data'], last);
      const time = row['timestamp'] as bigint;
      yield { channel: topic.channel, sequence: 0, logTime: time, publishTime: time, bytes };
    }
    if (this.fault) throw this.fault;
  }

  /** A damaged schema may lack a column that reading the topics did not need. */
  #prepare(sql: string): StatementSync {
    try {
      return this.#database.prepare(sql);
    } catch (cause) {
      throw this.fault ?? malformed(this.path, (cause as Error).message, cause);
    }
  }

  async close(): Promise<void> {
    this.#database.close();
  }

  #payload(data: unknown, where: string): Uint8Array {
    if (!(data instanceof Uint8Array)) throw malformed(this.path, `${where} holds no bytes`);
    // CDR starts with a zero byte; this is the magic of a zstd frame (rosbag2 compression mode MESSAGE).
    const isZstd = data[0] === 0x28 && data[1] === 0xb5 && data[2] === 0x2f && data[3] === 0xfd;
    if (!isZstd) return data;
    try {
      // Memory of its own and no Buffer, whose `slice` copies nothing.
      return new Uint8Array(zstdDecompressSync(data, { maxOutputLength: LIMITS.SAMPLE_BYTES_MAX }));
    } catch (cause) {
      throw malformed(this.path, `${where} cannot be decompressed`, cause);
    }
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
  const definitions = new Map<unknown, { encoding: string; text: string }>();
  if (tables.has('message_definitions')) {
    for (const row of all(
      'SELECT topic_type, encoding, encoded_message_definition FROM message_definitions',
    )) {
      const text = String(row['encoded_message_definition'] ?? '');
      if (text !== '') definitions.set(row['topic_type'], { encoding: String(row['encoding'] ?? ''), text });
    }
  }
  const spans = await spansOf(database, path, shortage);
  const topics = all('SELECT * FROM topics ORDER BY id').map((row) => {
    const found = definitions.get(row['type']);
    const profiles = String(row['offered_qos_profiles'] ?? '');
    const hash = String(row['type_description_hash'] ?? '');
    const channel: BagChannel = {
      topic: String(row['name']),
      type: String(row['type']),
      schemaEncoding: found?.encoding ?? '',
      schemaData: new TextEncoder().encode(found?.text ?? ''),
      messageEncoding: String(row['serialization_format'] ?? 'cdr'),
      metadata: new Map([
        ['offered_qos_profiles', profiles],
        ...(hash === '' ? [] : [['topic_type_hash', hash] as const]),
      ]),
    };
    return {
      id: row['id'] as bigint,
      topic: channel.topic,
      type: channel.type,
      messages: spans.counts.get(row['id'] as bigint) ?? 0,
      qos: qosOf(parseProfiles(profiles)[0]),
      definition: found?.encoding === 'ros2msg' ? found.text : undefined,
      channel,
    };
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
