import { statSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { AgentEvent, CellName, EventReader, ReadFilter } from '../../contract/index.ts';
import { checkpointsOf } from './checkpoint.ts';
import { edgeError } from './edge-error.ts';
import { type EventRow, sizedEventOf } from './event-row.ts';
import { checkFormat } from './log-schema.ts';
import type { WholeRow } from './repeats.ts';
import { wholeRows } from './whole-rows.ts';

/** One read stops after this many bytes of payload, whatever its limit: what a reader may cost in memory. */
const READ_BYTES_MAX = 8 * 1024 * 1024;

/**
 * Reads a log file, from any process, while it is written. A file that is not there yet is an empty log; a
 * file that was replaced (moved aside, new epoch) is noticed at the first read that finds nothing more.
 * Throws `log.damaged` or `log.failed`; the next call tries again.
 */
export class SqliteEventReader implements EventReader {
  readonly #path: string;
  readonly #cell: CellName;
  readonly #statements = new Map<string, StatementSync>();
  #database: DatabaseSync | undefined;
  #wholeRow: WholeRow = () => undefined;
  #inode = 0n;
  #closed = false;

  constructor(path: string, cell: CellName) {
    this.#path = path;
    this.#cell = cell;
  }

  read(after: number, limit: number, filter: ReadFilter = {}): AgentEvent[] {
    return this.#guard('log.read', () => {
      const events = this.#rows(after, limit, filter);
      return events.length === 0 && this.#replaced() ? this.#rows(after, limit, filter) : events;
    });
  }

  lastSeq(): number {
    return this.#guard('log.read', () => {
      this.#replaced();
      const row = this.#prepare('SELECT max(seq) AS seq FROM events')?.get();
      return (row?.['seq'] as number | null | undefined) ?? 0;
    });
  }

  cutThrough(): number {
    return this.#guard('log.read', () => {
      this.#replaced();
      const database = this.#connection();
      return database ? (checkpointsOf(database).at(-1)?.through ?? 0) : 0;
    });
  }

  close(): void {
    this.#closed = true;
    this.#disconnect();
  }

  #rows(after: number, limit: number, filter: ReadFilter): AgentEvent[] {
    const { sql, values } = query(after, limit, filter);
    const statement = this.#prepare(sql);
    if (!statement) return [];
    const events: AgentEvent[] = [];
    let bytes = 0;
    for (const row of statement.iterate(...values) as Iterable<EventRow>) {
      const { event, chars } = sizedEventOf(row, this.#cell, this.#wholeRow);
      events.push(event);
      bytes += chars;
      if (bytes >= Math.min(READ_BYTES_MAX, filter.bytesMax ?? READ_BYTES_MAX)) break;
    }
    return events;
  }

  #prepare(sql: string): StatementSync | undefined {
    const known = this.#statements.get(sql);
    if (known) return known;
    const statement = this.#connection()?.prepare(sql);
    if (statement) this.#statements.set(sql, statement);
    return statement;
  }

  #connection(): DatabaseSync | undefined {
    if (this.#database || this.#closed) return this.#database;
    const inode = inodeOf(this.#path);
    if (inode === undefined) return undefined;
    const database = new DatabaseSync(this.#path, { readOnly: true, timeout: 5_000 });
    try {
      database.exec('PRAGMA cache_size = -256');
      checkFormat(database, this.#path);
    } catch (thrown) {
      database.close();
      throw thrown;
    }
    this.#database = database;
    this.#wholeRow = wholeRows(database);
    this.#inode = inode;
    return database;
  }

  /** Whether the file under our name is another one than the one we read; we look at the new one then. */
  #replaced(): boolean {
    if (!this.#database || inodeOf(this.#path) === this.#inode) return false;
    this.#disconnect();
    return true;
  }

  #guard<T>(operation: string, work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      this.#disconnect();
      throw edgeError(thrown, operation, this.#path);
    }
  }

  #disconnect(): void {
    this.#statements.clear();
    this.#database?.close();
    this.#database = undefined;
  }
}

/**
 * Kinds of all runs are merged from one index range each: with `kind IN (…)` SQLite sorts all that is left of
 * the log for every page, which made reading a log of months quadratic.
 */
function query(after: number, limit: number, { runId, kinds }: ReadFilter) {
  if (kinds === undefined || runId !== undefined) {
    const run = runId === undefined ? '' : ' AND run_id = ?';
    const kind = kinds === undefined ? '' : ' AND kind IN (SELECT value FROM json_each(?))';
    const sql = `SELECT * FROM events WHERE seq > ?${run}${kind} ORDER BY seq LIMIT ?`;
    const values = [
      after,
      ...(runId === undefined ? [] : [runId]),
      ...(kinds === undefined ? [] : [JSON.stringify(kinds)]),
      limit,
    ];
    return { sql, values };
  }
  const each = [...new Set(kinds)];
  if (each.length === 0) return { sql: 'SELECT * FROM events WHERE false', values: [] };
  const one = 'SELECT * FROM (SELECT seq FROM events WHERE kind = ? AND seq > ? ORDER BY seq LIMIT ?)';
  const merged = each.map(() => one).join(' UNION ALL ');
  const sql = `SELECT * FROM events WHERE seq IN (SELECT seq FROM (${merged}) ORDER BY seq LIMIT ?) ORDER BY seq`;
  return { sql, values: [...each.flatMap((kind) => [kind, after, limit]), limit] };
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
