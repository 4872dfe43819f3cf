import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { CellName } from '../../contract/index.ts';
import type { Draft } from './draft.ts';
import { draftHashInput, sha256 } from './draft-hash.ts';
import { FileLock } from './file-lock.ts';
import { checkFormat, ensureLogFile, FORMAT_REPEATS, fsyncPath, raiseFormat } from './log-schema.ts';
import { REPEAT_WINDOW, type RepeatRow, Repeats } from './repeats.ts';
import { damaged, isBusy, sqliteFault } from './sqlite-faults.ts';

/** Where the chain ends. `epoch` is the id of the first event, `lastEventId` that of the last. */
export type LogHead = {
  readonly lastSeq: number;
  readonly lastHash: string;
  readonly lastEventId: string | undefined;
  readonly epoch: string | undefined;
};

/** A commit as it went to the disk: positions are `firstSeq`, `firstSeq + 1`, …; hashes in the same order. */
export type Committed = { readonly firstSeq: number; readonly prevHash: string; readonly hashes: string[] };

/** What a store is opened with. `genesis` is the contract's hash before the first event. */
export type StoreInput = { readonly path: string; readonly cell: CellName; readonly genesis: string };

/**
 * The database of one log and the lock of its only writer. Synchronous: every commit waits for the disk.
 * After any failure the end of the chain is read again from the file, never remembered. Throws LogFault.
 */
export class LogStore {
  readonly #path: string;
  readonly #cell: CellName;
  readonly #genesis: string;
  readonly #lock: FileLock;
  #database: DatabaseSync | undefined;
  #insert: StatementSync | undefined;
  /** What rows may refer to; undefined after a commit that failed. */
  #repeats: Repeats | undefined;
  #lastSeq = 0;
  #lastHash: string;

  private constructor(input: StoreInput, lock: FileLock) {
    this.#path = input.path;
    this.#cell = input.cell;
    this.#genesis = input.genesis;
    this.#lastHash = input.genesis;
    this.#lock = lock;
  }

  /** Opens or makes the log: `host.data_dir_in_use`, `log.damaged` or `log.failed` when it cannot. */
  static open(input: StoreInput): LogStore {
    const { path, cell } = input;
    let store: LogStore | undefined;
    try {
      mkdirSync(dirname(path), { recursive: true });
      store = new LogStore(input, FileLock.acquire(`${path}.lock`, path));
      ensureLogFile(path, cell);
      store.#connect();
      return store;
    } catch (thrown) {
      store?.close();
      throw sqliteFault(thrown, 'log.open', path);
    }
  }

  head(): LogHead {
    const at = (order: string) =>
      this.#db().prepare(`SELECT event_id FROM events ORDER BY seq ${order} LIMIT 1`).get()?.['event_id'] as
        | string
        | undefined;
    return { lastSeq: this.#lastSeq, lastHash: this.#lastHash, lastEventId: at('DESC'), epoch: at('ASC') };
  }

  /** All or nothing, durable on return. Throws `log.failed` or `log.damaged`: nothing was written then. */
  commit(drafts: readonly Draft[]): Committed {
    try {
      const database = this.#db();
      database.exec('BEGIN IMMEDIATE');
      const done = this.#insertAll(drafts);
      database.exec('COMMIT');
      this.#lastSeq = done.firstSeq + drafts.length - 1;
      this.#lastHash = done.hashes.at(-1) ?? done.prevHash;
      return done;
    } catch (thrown) {
      this.#recover(thrown);
      throw sqliteFault(thrown, 'log.append', this.#path);
    }
  }

  close(): void {
    try {
      this.#database?.close();
    } finally {
      this.#database = undefined;
      this.#lock.release();
    }
  }

  #insertAll(drafts: readonly Draft[]): Committed {
    const insert = this.#insert!;
    const repeats = this.#repeatsOf(this.#db());
    const firstSeq = this.#lastSeq + 1;
    const prevHash = this.#lastHash;
    const hashes: string[] = [];
    let previous = prevHash;
    let hasRepeats = false;
    for (const [i, draft] of drafts.entries()) {
      const seq = firstSeq + i;
      const hash = sha256(draftHashInput(draft, this.#cell, seq, previous));
      const { event_id, run_id, kind, ts, payload } = draft;
      const written = repeats.written(kind, run_id, seq, payload);
      if (written !== payload && !hasRepeats) {
        raiseFormat(this.#db(), FORMAT_REPEATS);
        hasRepeats = true;
      }
      insert.run(seq, event_id, run_id ?? null, kind, ts, written, previous, hash);
      hashes.push(hash);
      previous = hash;
    }
    return { firstSeq, prevHash, hashes };
  }

  #connect(): void {
    const database = new DatabaseSync(this.#path, { timeout: 5_000 });
    this.#database = database;
    const cell = checkFormat(database, this.#path);
    if (cell !== this.#cell)
      throw damaged(this.#path, 'log.open', `this is the log of cell ${cell}, not of ${this.#cell}`);
    database.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -512;' +
        'PRAGMA wal_autocheckpoint = 1000; PRAGMA journal_size_limit = 8388608',
    );
    // A commit that a killed process had written but not yet synced counts from now on: make it durable
    // before anybody builds on it.
    const wal = `${this.#path}-wal`;
    if (existsSync(wal)) fsyncPath(wal);
    this.#insert = database.prepare('INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
    this.#readHead();
  }

  #readHead(): void {
    const last = this.#db().prepare('SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1').get();
    this.#lastSeq = (last?.['seq'] as number | undefined) ?? 0;
    this.#lastHash = (last?.['hash'] as string | undefined) ?? this.#genesis;
  }

  #repeatsOf(database: DatabaseSync): Repeats {
    if (this.#repeats) return this.#repeats;
    const rows = database
      .prepare(
        "SELECT seq, run_id, payload FROM events WHERE kind = 'policy.decided' AND seq > ? ORDER BY seq",
      )
      .all(this.#lastSeq - REPEAT_WINDOW) as RepeatRow[];
    const stored = database.prepare('SELECT payload FROM events WHERE seq = ?');
    // Read again for each row that refers to it: a cutter may have removed it meanwhile.
    this.#repeats = new Repeats(rows, (seq) => stored.get(seq)?.['payload'] as string | undefined);
    return this.#repeats;
  }

  /** Leaves no half transaction behind; a connection that failed in an unknown way is opened again. */
  #recover(thrown: unknown): void {
    this.#repeats = undefined;
    try {
      if (this.#database?.isTransaction) this.#database.exec('ROLLBACK');
      if (isBusy(thrown)) return;
      this.#database?.close();
    } catch {
      // What could not be rolled back here is rolled back by the next opener of the file.
    }
    this.#database = undefined;
  }

  #db(): DatabaseSync {
    if (!this.#database) {
      try {
        this.#connect();
      } catch (thrown) {
        this.#recover(thrown);
        throw thrown;
      }
    }
    return this.#database!;
  }
}
