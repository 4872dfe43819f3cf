import { open, stat, unlink } from 'node:fs/promises';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { BagChannel, BagExtra, BagMessage } from './bag.ts';
import { type BagFileOutput, Tally, type WrittenFile } from './bag-output.ts';
import { malformed } from './malformed.ts';

/** Bytes of messages in one transaction: the page cache grows to about this. */
const TRANSACTION_BYTES = 8 * 1024 * 1024;

/** The tables of rosbag2_storage_sqlite3 in Jazzy, schema version 4. */
const TABLES = `
  CREATE TABLE schema(schema_version INTEGER PRIMARY KEY, ros_distro TEXT NOT NULL);
  CREATE TABLE metadata(id INTEGER PRIMARY KEY, metadata_version INTEGER NOT NULL, metadata TEXT NOT NULL);
  CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
    serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL, type_description_hash TEXT NOT NULL);
  CREATE TABLE message_definitions(id INTEGER PRIMARY KEY, topic_type TEXT NOT NULL, encoding TEXT NOT NULL,
    encoded_message_definition TEXT NOT NULL, type_description_hash TEXT NOT NULL);
  CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL,
    data BLOB NOT NULL);
  INSERT INTO schema(schema_version, ros_distro) VALUES (4, '')`;

/** One `.db3` file as rosbag2 of Jazzy writes it. Only the log time is kept: the format has no other. */
export class SqliteOutput implements BagFileOutput {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #topics = new Map<BagChannel, number>();
  readonly #topicIds = new Map<string, number>();
  readonly #types = new Set<string>();
  readonly #tally = new Tally();
  readonly #insert: StatementSync;
  #bytes = 0;
  #pending = 0;

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
    this.#insert = database.prepare('INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)');
  }

  /** Makes the file; it must not be there yet. */
  static async create(path: string): Promise<SqliteOutput> {
    await (await open(path, 'wx', 0o644)).close();
    // An incomplete file is deleted, so it needs no journal.
    const database = new DatabaseSync(path);
    database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; ${TABLES}; BEGIN`);
    return new SqliteOutput(path, database);
  }

  write(message: BagMessage): Promise<void> | undefined {
    const { channel, logTime, bytes } = message;
    const id = this.#topics.get(channel) ?? this.#declare(channel);
    this.#insert.run(id, logTime, bytes);
    this.#tally.add(message);
    this.#bytes += bytes.length + 32;
    this.#pending += bytes.length;
    if (this.#pending < TRANSACTION_BYTES) return undefined;
    this.#pending = 0;
    this.#database.exec('COMMIT; BEGIN');
    return new Promise((resolve) => setImmediate(resolve));
  }

  declare(channel: BagChannel): void {
    if (!this.#topics.has(channel)) this.#declare(channel);
    this.#tally.declare(channel);
  }

  /** SQLite bags have no place for attachments and metadata records. */
  async extra(_extra: BagExtra): Promise<void> {}

  bytes(): number {
    return this.#bytes;
  }

  async finish(): Promise<WrittenFile> {
    this.#database.exec('CREATE INDEX timestamp_idx ON messages (timestamp ASC); COMMIT; PRAGMA optimize');
    this.#database.close();
    const handle = await open(this.path, 'r+');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
    return this.#tally.written(this.path, (await stat(this.path)).size);
  }

  async abort(): Promise<void> {
    if (this.#database.isOpen) this.#database.close();
    await unlink(this.path).catch(() => {});
  }

  #declare(channel: BagChannel): number {
    const { topic, type, messageEncoding, metadata } = channel;
    if (messageEncoding !== 'cdr' || type === '') {
      const what = type === '' ? 'has no type' : `is encoded as ${messageEncoding}`;
      throw malformed(this.path, `${topic} ${what}: a SQLite bag can store only typed CDR; convert to MCAP`);
    }
    const hash = metadata.get('topic_type_hash') ?? '';
    const key = `${topic}\n${type}`;
    let id = this.#topicIds.get(key);
    if (id === undefined) {
      id = this.#topicIds.size + 1;
      this.#topicIds.set(key, id);
      this.#database
        .prepare('INSERT INTO topics VALUES (?, ?, ?, ?, ?, ?)')
        .run(id, topic, type, messageEncoding, metadata.get('offered_qos_profiles') ?? '', hash);
      this.#define(channel, hash);
    }
    this.#topics.set(channel, id);
    return id;
  }

  #define({ type, schemaEncoding, schemaData }: BagChannel, hash: string): void {
    if (schemaData.length === 0 || this.#types.has(type)) return;
    this.#types.add(type);
    this.#database
      .prepare(
        'INSERT INTO message_definitions(topic_type, encoding, encoded_message_definition, type_description_hash) VALUES (?, ?, ?, ?)',
      )
      .run(type, schemaEncoding, new TextDecoder().decode(schemaData), hash);
  }
}
