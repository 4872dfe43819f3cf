import { existsSync, renameSync, statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { ObjectLaneName, ObjectReceipt } from '../contract/core.ts';
import { Prepared } from '../io/prepared.ts';

/** Where the receipts of files are, in the data directory. */
export const CUSTODY_FILE = 'link.db';

/** A file that central is to hold. */
export type Waiting = {
  /** Relative to the data directory. */
  readonly path: string;
  readonly lane: ObjectLaneName;
  readonly epoch: string;
  readonly seq: number;
  readonly sha256: string;
  readonly bytes: number;
};

export type LaneTotals = {
  readonly waiting: number;
  readonly waiting_bytes: number;
  readonly held: number;
  readonly held_bytes: number;
  /** Files that went before central held them. */
  readonly gone: number;
};

/** How far a log was read: `epoch` is its first event. */
export type Place = { readonly epoch: string; readonly seq: number };

/** Earlier states of central that are kept until it is asked for them. */
const PAST_MAX = 64;

/** Numbers of SQLite for damaged files. */
const CORRUPT = 11;
const NOT_A_DATABASE = 26;

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS object (
    path TEXT PRIMARY KEY, lane TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL, sha256 TEXT NOT NULL,
    bytes INTEGER NOT NULL, state TEXT NOT NULL, root TEXT, signature TEXT
  ) STRICT;
  CREATE INDEX IF NOT EXISTS object_waiting ON object (state, lane, seq);
  CREATE TABLE IF NOT EXISTS clip (bag TEXT PRIMARY KEY) STRICT;
  CREATE TABLE IF NOT EXISTS place (log TEXT PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS spent (day TEXT NOT NULL, network TEXT NOT NULL, bytes INTEGER NOT NULL,
    PRIMARY KEY (day, network)) STRICT;
  CREATE TABLE IF NOT EXISTS central (only INTEGER PRIMARY KEY CHECK (only = 1), head TEXT NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS past (n INTEGER PRIMARY KEY, head TEXT NOT NULL UNIQUE) STRICT;
`;

/**
 * Which files central is to hold and which it holds, with its receipts, in one SQLite file that is synced with each change.
 * The link writes it; the recorder reads it before it deletes anything.
 */
export class CustodyBook {
  readonly #path: string;
  readonly #report: (message: string) => void;
  #db: DatabaseSync;
  #prepared: Prepared;

  /** Throws where it cannot be opened. `report`: that it was found damaged later, and replaced. */
  constructor(path: string, report: (message: string) => void = () => {}) {
    this.#path = path;
    this.#report = report;
    this.#db = openBook(path);
    this.#prepared = new Prepared(this.#db);
  }

  /**
   * Where `error` says that the file is damaged: it is moved aside, and a new one takes its place, which is filled from the log
   * again. False: it is another error.
   */
  repair(error: unknown): boolean {
    if (!isDamage(error)) return false;
    this.#db.close();
    moveAside(this.#path, error, this.#report);
    this.#db = openBook(this.#path);
    this.#prepared = new Prepared(this.#db);
    return true;
  }

  place(log: string): Place | undefined {
    const row = this.#prepared.get('SELECT epoch, seq FROM place WHERE log = ?').get(log);
    return row && { epoch: String(row['epoch']), seq: Number(row['seq']) };
  }

  /** All that `work` does, and where the log was read to, in one transaction. */
  readTo(log: string, { epoch, seq }: Place, work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#prepared.get('INSERT OR REPLACE INTO place VALUES (?, ?, ?)').run(log, epoch, seq);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  noteClip(bag: string): void {
    this.#prepared.get('INSERT OR IGNORE INTO clip VALUES (?)').run(bag);
  }

  isClip(bag: string): boolean {
    return this.#prepared.get('SELECT 1 FROM clip WHERE bag = ?').get(bag) !== undefined;
  }

  /** A file that appeared. The same path with the same content changes nothing, unless it was gone. */
  add({ path, lane, epoch, seq, sha256, bytes }: Waiting): void {
    this.#prepared
      .get(
        `INSERT INTO object VALUES (?, ?, ?, ?, ?, ?, 'waiting', NULL, NULL) ON CONFLICT (path) DO UPDATE
          SET lane = excluded.lane, epoch = excluded.epoch, seq = excluded.seq, sha256 = excluded.sha256,
              bytes = excluded.bytes, state = 'waiting', root = NULL, signature = NULL
        WHERE object.sha256 <> excluded.sha256 OR object.state = 'gone'`,
      )
      .run(path, lane, epoch, seq, sha256, bytes);
  }

  /** The file is gone; a receipt stays. */
  gone(path: string): void {
    this.#prepared.get("UPDATE object SET state = 'gone' WHERE path = ? AND state = 'waiting'").run(path);
  }

  listGone(): Pick<Waiting, 'path' | 'bytes'>[] {
    const rows = this.#prepared.get("SELECT path, bytes FROM object WHERE state = 'gone'").all();
    return rows as unknown as Pick<Waiting, 'path' | 'bytes'>[];
  }

  /** The file is there again. */
  cameBack(path: string): void {
    this.#prepared.get("UPDATE object SET state = 'waiting' WHERE path = ? AND state = 'gone'").run(path);
  }

  /** Durable when it returns. Nothing where the path has another content meanwhile. */
  hold(
    path: string,
    { root, signature, sha256 }: Pick<ObjectReceipt, 'root' | 'signature' | 'sha256'>,
  ): void {
    this.#prepared
      .get("UPDATE object SET state = 'held', root = ?, signature = ? WHERE path = ? AND sha256 = ?")
      .run(root, signature, path, sha256);
  }

  listHeld(): Pick<Waiting, 'path' | 'bytes'>[] {
    const rows = this.#prepared.get("SELECT path, bytes FROM object WHERE state = 'held'").all();
    return rows as unknown as Pick<Waiting, 'path' | 'bytes'>[];
  }

  /** Central may have lost it: its receipt no longer counts. */
  offerAgain(path: string): void {
    this.#prepared
      .get(
        "UPDATE object SET state = 'waiting', root = NULL, signature = NULL WHERE path = ? AND state = 'held'",
      )
      .run(path);
  }

  /** The last state of central that was known; empty: none yet. */
  head(): string {
    return String(this.#prepared.get('SELECT head FROM central').get()?.['head'] ?? '');
  }

  setHead(head: string): void {
    this.#prepared.get('INSERT OR REPLACE INTO central VALUES (1, ?)').run(head);
  }

  /** A state of central by a disk: whether central still knows the one before could not be asked, and is later. */
  noteHead(head: string): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      this.#prepared
        .get('INSERT OR IGNORE INTO past (head) SELECT head FROM central WHERE head <> ?')
        .run(head);
      this.#prepared
        .get('DELETE FROM past WHERE n NOT IN (SELECT n FROM past ORDER BY n DESC LIMIT ?)')
        .run(PAST_MAX);
      this.setHead(head);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#db.exec('ROLLBACK');
      throw error;
    }
  }

  /** States before the last one that central was not asked for yet. */
  pastHeads(): string[] {
    return this.#prepared
      .get('SELECT head FROM past ORDER BY n')
      .all()
      .map(({ head }) => String(head));
  }

  forgetHeads(heads: readonly string[]): void {
    for (const head of heads) this.#prepared.get('DELETE FROM past WHERE head = ?').run(head);
  }

  /** The first that waits in a lane, besides those in `skip`. */
  first(lane: ObjectLaneName, skip: ReadonlySet<string>): Waiting | undefined {
    const rows = this.#prepared
      .get(
        `SELECT path, lane, epoch, seq, sha256, bytes FROM object
        WHERE state = 'waiting' AND lane = ? ORDER BY seq, path LIMIT ?`,
      )
      .all(lane, skip.size + 1);
    return (rows as unknown as Waiting[]).find(({ path }) => !skip.has(path));
  }

  /** The next file of a lane behind `after`: one that waits, with `all` also one that central holds. */
  nextFile(lane: ObjectLaneName, after: Pick<Waiting, 'seq' | 'path'>, all: boolean): Waiting | undefined {
    const row = this.#prepared
      .get(
        `SELECT path, lane, epoch, seq, sha256, bytes FROM object
        WHERE (state = 'waiting' OR (state = 'held' AND ?)) AND lane = ? AND (seq, path) > (?, ?)
        ORDER BY seq, path LIMIT 1`,
      )
      .get(all ? 1 : 0, lane, after.seq, after.path);
    return row as Waiting | undefined;
  }

  /** The files that this cursor names: one content may lie at several paths only where it was logged several times. */
  named({ lane, epoch, seq, sha256 }: Pick<Waiting, 'lane' | 'epoch' | 'seq' | 'sha256'>) {
    const rows = this.#prepared
      .get('SELECT path, bytes, state FROM object WHERE sha256 = ? AND lane = ? AND epoch = ? AND seq = ?')
      .all(sha256, lane, epoch, seq);
    return rows as { path: string; bytes: number; state: 'waiting' | 'held' | 'gone' }[];
  }

  find(path: string): (Waiting & { readonly state: 'waiting' | 'held' | 'gone' }) | undefined {
    const row = this.#prepared
      .get('SELECT path, lane, epoch, seq, sha256, bytes, state FROM object WHERE path = ?')
      .get(path);
    return row as ReturnType<CustodyBook['find']>;
  }

  isHeld(path: string): boolean {
    return (
      this.#prepared.get("SELECT 1 FROM object WHERE path = ? AND state = 'held'").get(path) !== undefined
    );
  }

  totals(): Record<string, LaneTotals> {
    const sum = (state: string, of: string) => `coalesce(sum(${of}) FILTER (WHERE state = '${state}'), 0)`;
    const rows = this.#prepared
      .get(
        `SELECT lane, ${sum('waiting', '1')} AS waiting, ${sum('waiting', 'bytes')} AS waiting_bytes,
              ${sum('held', '1')} AS held, ${sum('held', 'bytes')} AS held_bytes, ${sum('gone', '1')} AS gone
         FROM object GROUP BY lane`,
      )
      .all() as (LaneTotals & { lane: string })[];
    return Object.fromEntries(rows.map(({ lane, ...totals }) => [lane, totals]));
  }

  spent(day: string, network: string): number {
    const row = this.#prepared.get('SELECT bytes FROM spent WHERE day = ? AND network = ?').get(day, network);
    return Number(row?.['bytes'] ?? 0);
  }

  /** Counts bytes of a day; other days are forgotten. */
  spend(day: string, network: string, bytes: number): void {
    this.#prepared
      .get(
        `INSERT INTO spent VALUES (?, ?, ?)
       ON CONFLICT (day, network) DO UPDATE SET bytes = bytes + excluded.bytes`,
      )
      .run(day, network, bytes);
    this.#prepared.get('DELETE FROM spent WHERE day < ?').run(day);
  }

  close(): void {
    this.#db.close();
  }
}

class Damaged extends Error {
  readonly errcode = CORRUPT;
}

/** Throws where it is damaged, too. */
function openBook(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL');
    db.exec(SCHEMA);
    const found = db.prepare('PRAGMA quick_check(1)').get();
    if (found?.['quick_check'] !== 'ok') throw new Damaged(String(found?.['quick_check']));
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** What SQLite says of it, also within an error of the link. */
function isDamage(error: unknown): boolean {
  const { errcode, cause } = (error ?? {}) as { errcode?: number; cause?: unknown };
  // The upper bits of the number say more about the same fault.
  const code = (errcode ?? 0) & 0xff;
  return code === CORRUPT || code === NOT_A_DATABASE || (cause !== undefined && isDamage(cause));
}

function moveAside(path: string, error: unknown, report: (message: string) => void): void {
  let n = 1;
  while (existsSync(`${path}.damaged-${n}`)) n += 1;
  const aside = `${path}.damaged-${n}`;
  for (const end of ['', '-wal', '-shm'])
    if (existsSync(path + end)) renameSync(path + end, `${aside}${end}`);
  const { message } = error as Error;
  report(`${path} is damaged (${message}): it is now ${aside}, and a new one is filled from the log`);
}

/**
 * The book at `path`. A file that is damaged is moved aside and named, and a new book is filled from the log again. Throws
 * where there can be no book.
 */
export function openCustody(path: string, report: (message: string) => void = () => {}): CustodyBook {
  try {
    return new CustodyBook(path, report);
  } catch (error) {
    if (!isDamage(error)) throw error;
    moveAside(path, error, report);
    return new CustodyBook(path, report);
  }
}

/** What central holds, for other processes: asked before a file is deleted. Without a book it holds nothing. */
export class CustodyReader {
  readonly #path: string;
  #db: DatabaseSync | undefined;
  #held: StatementSync | undefined;
  #inode = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** `unknown`: the link has not heard of it; `unreadable`: nothing can be said now. */
  state(path: string): 'waiting' | 'held' | 'gone' | 'unknown' | 'unreadable' {
    try {
      // The link may have replaced a damaged file.
      const { ino } = statSync(this.#path);
      if (ino !== this.#inode) this.close();
      this.#inode = ino;
      this.#db ??= new DatabaseSync(this.#path, { readOnly: true, timeout: 1_000 });
      this.#held ??= this.#db.prepare('SELECT state FROM object WHERE path = ?');
      const row = this.#held.get(path);
      return row ? (row['state'] as 'waiting' | 'held' | 'gone') : 'unknown';
    } catch {
      this.close();
      return 'unreadable';
    }
  }

  close(): void {
    this.#held = undefined;
    this.#db?.close();
    this.#db = undefined;
  }
}
