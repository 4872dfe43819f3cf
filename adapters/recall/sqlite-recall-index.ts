import { createHash } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import {
  type CellName,
  EdgeError,
  type LakeCursor,
  type RankedRow,
  type RecallBatch,
  type RecallFilter,
  type RecallIndex,
  type RecallText,
} from '../../contract/core.ts';
import { Prepared } from '../../io/prepared.ts';
import { FITS, SCHEMA, VERSION } from './schema.ts';
import { packed, product } from './small-vector.ts';

type Row = Readonly<Record<string, unknown>>;

const CURSOR = 'cursor:';
const MODEL = 'model';
/** SQLITE_CORRUPT and SQLITE_NOTADB. */
const DAMAGE: ReadonlySet<number> = new Set([11, 26]);
/** PERM, BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN: they say nothing of what is in the file. */
const PASSING: ReadonlySet<number> = new Set([3, 5, 6, 7, 8, 10, 13, 14]);

/**
 * Texts, their words (FTS5) and their vectors in one SQLite file. A file that is damaged, or of another layout, is
 * removed and made again: most of what it holds can be read again from the logs and documents. One that was found
 * damaged while it was open is removed when it is closed. A full disk or a locked file removes nothing.
 */
export class SqliteRecallIndex implements RecallIndex {
  readonly #path: string;
  readonly #db: DatabaseSync;
  readonly #sql: Prepared;
  #damaged = false;

  private constructor(path: string, db: DatabaseSync) {
    this.#path = path;
    this.#db = db;
    this.#sql = new Prepared(db);
  }

  /** Throws `lake.failed` where the file cannot be made. */
  static open(path: string): SqliteRecallIndex {
    try {
      mkdirSync(dirname(path), { recursive: true });
      try {
        return new SqliteRecallIndex(path, opened(path));
      } catch (thrown) {
        if (PASSING.has(codeOf(thrown))) throw thrown;
        removed(path);
        return new SqliteRecallIndex(path, opened(path));
      }
    } catch (thrown) {
      throw failed(thrown, path);
    }
  }

  batch(work: (batch: RecallBatch) => void): void {
    this.#guard(() => {
      this.#db.exec('BEGIN IMMEDIATE');
      try {
        work({
          put: (text) => this.#put(text),
          remove: (ids) => {
            for (const id of ids) this.#remove(this.#rowOf(id));
          },
          held: (key) => this.#held(key),
          hold: (key, value) => this.#hold(key, value),
          reach: (cell, cursor) => this.#hold(CURSOR + cell, cursor && JSON.stringify(cursor)),
        });
        this.#db.exec('COMMIT');
      } catch (thrown) {
        // A full disk has ended it already.
        if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
        throw thrown;
      }
    });
  }

  cursor(cell: CellName): LakeCursor | undefined {
    const value = this.held(CURSOR + cell);
    return value === undefined ? undefined : (JSON.parse(value) as LakeCursor);
  }

  held(key: string): string | undefined {
    return this.#guard(() => this.#held(key));
  }

  heldFrom(prefix: string): readonly { readonly key: string; readonly value: string }[] {
    const sql = 'SELECT key, value FROM held WHERE key >= ? AND key < ? ORDER BY key';
    return this.#all(sql, prefix, `${prefix}\u{10FFFF}`).map(({ key, value }) => ({
      key: String(key),
      value: String(value),
    }));
  }

  byWords(words: readonly string[], filter: RecallFilter, limit: number): readonly RankedRow[] {
    if (words.length === 0) return [];
    // Each in quotes: what stands in them is text, whatever it says.
    const quoted = words.map((word) => `"${word.replaceAll('"', '""')}"`);
    const most = this.#weightOf(quoted);
    return this.#ranked(
      `SELECT t.row, -bm25(words) AS fits FROM words JOIN texts t ON t.row = words.rowid
       WHERE words MATCH :match AND ${FITS} ORDER BY fits DESC, t.id LIMIT :limit`,
      { match: quoted.join(' OR '), limit, ...values(filter) },
    ).map(({ row, rank }) => ({ row, rank: Math.min(1, rank / most) }));
  }

  newest(filter: RecallFilter, limit: number): readonly RankedRow[] {
    return this.#ranked(
      `SELECT t.row, 0 AS fits FROM texts t WHERE ${FITS} ORDER BY t.at_us DESC, t.id LIMIT :limit`,
      { limit, ...values(filter) },
    );
  }

  nearness(vector: Float32Array, filter: RecallFilter, after: number, limit: number) {
    const found = this.#guard(() =>
      this.#sql
        .get(
          `SELECT t.row, v.vector FROM texts t JOIN vectors v ON v.number = t.vector
           WHERE t.row > :after AND ${FITS} ORDER BY t.row LIMIT :limit`,
        )
        .all({ after, limit, ...values(filter) }),
    );
    const rows = found.map(({ row, vector: bytes }) => ({
      row: Number(row),
      rank: product(bytes as Uint8Array, vector),
    }));
    return { rows, last: rows.length < limit ? undefined : rows.at(-1)!.row };
  }

  texts(rows: readonly number[]) {
    return rows.flatMap((row) =>
      this.#all('SELECT * FROM texts WHERE row = ?', row).map((found) => ({
        ...textOf(found),
        row,
        sha256: String(found['sha256']),
      })),
    );
  }

  digestOf(id: string): string | undefined {
    return this.#all('SELECT sha256 FROM texts WHERE id = ?', id)[0]?.['sha256'] as string | undefined;
  }

  withoutVector(limit: number): readonly { readonly sha256: string; readonly text: string }[] {
    const sql = 'SELECT sha256, text FROM texts WHERE vector IS NULL ORDER BY row DESC LIMIT ?';
    const found = this.#all(sql, limit).map(({ sha256, text }) => [String(sha256), String(text)] as const);
    return [...new Map(found)].map(([sha256, text]) => ({ sha256, text }));
  }

  putVectors(vectors: readonly { readonly sha256: string; readonly vector: Float32Array }[]): void {
    this.batch(() => {
      for (const { sha256, vector } of vectors) {
        const put = 'INSERT OR REPLACE INTO vectors (sha256, vector) VALUES (?, ?)';
        const { lastInsertRowid } = this.#sql.get(put).run(sha256, packed(vector));
        this.#sql.get('UPDATE texts SET vector = ? WHERE sha256 = ?').run(lastInsertRowid, sha256);
      }
    });
  }

  takeModel(sha256: string, limit: number): boolean {
    if (this.held(MODEL) === sha256) return false;
    let removed = 0;
    this.batch(() => {
      const old = this.#all('SELECT number FROM vectors LIMIT ?', limit);
      removed = old.length;
      this.#forget(old);
      if (removed < limit) this.#hold(MODEL, sha256);
    });
    return removed === limit;
  }

  counts(): { readonly texts: number; readonly waiting: number } {
    const count = (where: string) => Number(this.#all(`SELECT count(*) AS n FROM texts ${where}`)[0]!['n']);
    return { texts: count(''), waiting: count('WHERE vector IS NULL') };
  }

  drop(keepThrough: Readonly<Partial<Record<CellName, number>>>, limit: number): boolean {
    const sql = `SELECT row FROM texts WHERE cell IS NULL OR seq > coalesce(json_extract(?, '$.' || cell), 0) LIMIT ?`;
    let removed = 0;
    this.batch(() => {
      const rows = this.#all(sql, JSON.stringify(keepThrough), limit);
      removed = rows.length;
      for (const { row } of rows) this.#remove(Number(row));
    });
    return removed === limit;
  }

  sweep(limit: number): boolean {
    const sql = `SELECT number FROM vectors v WHERE NOT EXISTS (SELECT 1 FROM texts WHERE vector = v.number) LIMIT ?`;
    let removed = 0;
    this.batch(() => {
      const unused = this.#all(sql, limit);
      removed = unused.length;
      this.#forget(unused);
    });
    return removed === limit;
  }

  close(): void {
    this.#guard(() => this.#db.close());
    if (this.#damaged) removed(this.#path);
  }

  /** What bm25 gives to a text of usual length in which each of the words stands once: rare words weigh more. */
  #weightOf(words: readonly string[]): number {
    const texts = Number(this.#all('SELECT count(*) AS n FROM texts')[0]!['n']);
    const weights = words.map((word) => {
      const having = Number(this.#all('SELECT count(*) AS n FROM words WHERE words MATCH ?', word)[0]!['n']);
      return Math.max(1e-6, Math.log((texts - having + 0.5) / (having + 0.5)));
    });
    return weights.reduce((sum, weight) => sum + weight, 0);
  }

  #forget(vectors: readonly Row[]): void {
    for (const { number } of vectors) {
      this.#sql.get('UPDATE texts SET vector = NULL WHERE vector = ?').run(number as number);
      this.#sql.get('DELETE FROM vectors WHERE number = ?').run(number as number);
    }
  }

  #put({ id, kind, tenant, atUs, source, text, from }: RecallText): void {
    this.#remove(this.#rowOf(id));
    const sha256 = createHash('sha256').update(text).digest('hex');
    const put = `INSERT INTO texts (id, kind, tenant, at_us, source, text, sha256, cell, seq, vector)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, (SELECT number FROM vectors WHERE sha256 = ?))`;
    const { cell = null, seq = null } = from ?? {};
    const { lastInsertRowid } = this.#sql
      .get(put)
      .run(id, kind, tenant, atUs, source, text, sha256, cell, seq, sha256);
    this.#sql.get('INSERT INTO words (rowid, text) VALUES (?, ?)').run(lastInsertRowid, text);
  }

  #rowOf(id: string): number | undefined {
    return this.#sql.get('SELECT row FROM texts WHERE id = ?').get(id)?.['row'] as number | undefined;
  }

  #remove(row: number | undefined): void {
    if (row === undefined) return;
    const { text } = this.#sql.get('SELECT text FROM texts WHERE row = ?').get(row) as { text: string };
    this.#sql.get("INSERT INTO words (words, rowid, text) VALUES ('delete', ?, ?)").run(row, text);
    this.#sql.get('DELETE FROM texts WHERE row = ?').run(row);
  }

  #held(key: string): string | undefined {
    return this.#sql.get('SELECT value FROM held WHERE key = ?').get(key)?.['value'] as string | undefined;
  }

  #hold(key: string, value: string | undefined): void {
    if (value === undefined) this.#sql.get('DELETE FROM held WHERE key = ?').run(key);
    else this.#sql.get('INSERT OR REPLACE INTO held (key, value) VALUES (?, ?)').run(key, value);
  }

  #ranked(sql: string, named: Record<string, SQLInputValue>): readonly RankedRow[] {
    return this.#guard(() => this.#sql.get(sql).all(named)).map(({ row, fits }) => ({
      row: Number(row),
      rank: Number(fits),
    }));
  }

  #all(sql: string, ...given: readonly SQLInputValue[]): readonly Row[] {
    return this.#guard(() => this.#sql.get(sql).all(...given));
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      if (DAMAGE.has(codeOf(thrown))) this.#damaged = true;
      throw failed(thrown, this.#path);
    }
  }
}

/** The primary result code of SQLite; 0: it was not SQLite that failed. */
function codeOf(thrown: unknown): number {
  const { errcode = 0 } = thrown as { errcode?: number };
  return errcode & 0xff;
}

/** Parameters of `FITS`. */
function values({ tenant, kinds, sinceUs, untilUs }: RecallFilter): Record<string, SQLInputValue> {
  return {
    tenant: tenant ?? null,
    kinds: JSON.stringify(kinds),
    since: sinceUs ?? 0,
    until: untilUs ?? Number.MAX_SAFE_INTEGER,
  };
}

function textOf(row: Row): RecallText {
  const { id, kind, tenant, at_us, source, text, cell, seq } = row;
  return {
    id: String(id),
    kind: kind as RecallText['kind'],
    tenant: String(tenant),
    atUs: Number(at_us),
    source: String(source),
    text: String(text),
    ...(cell === null ? {} : { from: { cell: cell as CellName, seq: Number(seq) } }),
  };
}

function opened(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: 5_000 });
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -2048');
    const found = Number(db.prepare('PRAGMA user_version').get()!['user_version']);
    if (found !== 0 && found !== VERSION) throw new Error(`layout ${found}`);
    db.exec(SCHEMA);
    db.exec(`PRAGMA user_version = ${VERSION}`);
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function removed(path: string): void {
  for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true });
}

function failed(thrown: unknown, path: string): EdgeError {
  if (thrown instanceof EdgeError) return thrown;
  return new EdgeError('lake.failed', {
    ...{ operation: 'recall', subject: path, message: `the index of recall: ${(thrown as Error).message}` },
    ...{ hint: 'auraison recall --rebuild makes it again from the logs and documents', cause: thrown },
  });
}
