import type { KeyObject } from 'node:crypto';
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { CellName, EventKind, LogCut } from '../../contract/core.ts';
import { CHECKPOINT_SCHEMA, type CheckpointRow, checkpointsOf, cutOf, signCheckpoint } from './checkpoint.ts';
import { edgeError } from './edge-error.ts';
import { FileLock } from './file-lock.ts';
import { checkFormat, FORMAT_CUT, raiseFormat } from './log-schema.ts';
import { removeRows } from './whole-rows.ts';

/** Rows that one step removes, and pages that it gives back: the log stands still for so long, a few milliseconds. */
const STEP_ROWS = 128;
const STEP_PAGES = 64;
/** The newest events stay, whatever the limits: readers may be that far behind. */
export const KEEP_EVENTS = 1_024;

/** Runs that overlap one another are followed so far back; then nothing is cut. */
const TRIES_MAX = 64;

export type LogSize = {
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Of the database, without what is free in it and without its -wal file. */
  readonly bytes: number;
  readonly freeBytes: number;
};

/**
 * Removes old events from the log of a cell, beside the process that writes it: in small steps, behind a signed
 * checkpoint that is durable before the first event goes. Killed at any moment it leaves a log that verifies, and the
 * next cutter continues. One cutter per log: another one is refused with `host.data_dir_in_use`. Throws `log.failed`
 * or `log.damaged`.
 */
export class LogCutter {
  readonly #path: string;
  readonly #cell: CellName;
  readonly #lock: FileLock;
  readonly #database: DatabaseSync;

  private constructor(path: string, lock: FileLock, database: DatabaseSync, cell: CellName) {
    this.#path = path;
    this.#lock = lock;
    this.#database = database;
    this.#cell = cell;
  }

  /**
   * Newest event of this kind in whose payload the field has this value; 0: no such event. Throws as a reader does.
   */
  static newestOf(path: string, kind: EventKind, field: string, value: string): number {
    if (!existsSync(path)) return 0;
    const database = new DatabaseSync(path, { readOnly: true, timeout: 1_000 });
    try {
      const found = database
        .prepare(
          `SELECT seq FROM events WHERE kind = ? AND json_extract(payload, '$.' || ?) = ? ORDER BY seq DESC LIMIT 1`,
        )
        .get(kind, field, value);
      return Number(found?.['seq'] ?? 0);
    } catch (thrown) {
      throw edgeError(thrown, 'log.read', path);
    } finally {
      database.close();
    }
  }

  /** Undefined where there is no log yet. */
  static open(path: string): LogCutter | undefined {
    if (!existsSync(path)) return undefined;
    let lock: FileLock | undefined;
    let database: DatabaseSync | undefined;
    try {
      lock = FileLock.acquire(`${path}.cut.lock`, path);
      database = new DatabaseSync(path, { timeout: 1_000 });
      const cell = checkFormat(database, path);
      // What is removed again after a power cut does no harm: steps do not wait for the disk.
      database.exec('PRAGMA synchronous = NORMAL; PRAGMA cache_size = -512');
      return new LogCutter(path, lock, database, cell);
    } catch (thrown) {
      database?.close();
      lock?.release();
      throw edgeError(thrown, 'log.cut', path);
    }
  }

  size(): LogSize {
    return this.#guard(() => {
      const number = (sql: string) => Number(Object.values(this.#database.prepare(sql).get() ?? {})[0] ?? 0);
      const page = number('PRAGMA page_size');
      const free = number('PRAGMA freelist_count');
      return {
        firstSeq: number('SELECT seq FROM events WHERE seq > 1 ORDER BY seq LIMIT 1'),
        lastSeq: number('SELECT max(seq) FROM events'),
        bytes: (number('PRAGMA page_count') - free) * page,
        freeBytes: free * page,
      };
    });
  }

  /** Where the newest event that is older than `ns` stands; 0: no such event. */
  lastBefore(ns: bigint): number {
    // Times may go back where a clock was set; positions do not. The search ends at the first that is not older.
    return this.#guard(() => {
      let low = 0;
      let high = Number(this.#database.prepare('SELECT max(seq) AS s FROM events').get()?.['s'] ?? 0);
      const at = this.#database.prepare('SELECT seq, ts FROM events WHERE seq >= ? ORDER BY seq LIMIT 1');
      while (low < high) {
        const middle = Math.ceil((low + high) / 2);
        const row = at.get(middle) as { seq: number; ts: string } | undefined;
        if (row && BigInt(row.ts) < ns) low = Math.max(middle, row.seq);
        else high = middle - 1;
      }
      return low;
    });
  }

  /**
   * The greatest position up to `through` behind which no run starts that continues after it: runs are removed whole.
   * Runs without an end yet continue.
   */
  wholeRuns(through: number): number {
    return this.#guard(() => {
      const { seq: open } = this.#database
        .prepare(
          `SELECT min(q.seq) AS seq FROM events q WHERE q.kind = 'run.queued' AND q.seq <= ? AND NOT EXISTS (
             SELECT 1 FROM events f WHERE f.run_id = q.run_id AND f.kind = 'run.finished')`,
        )
        .get(through) as { seq: number | null };
      let at = open === null ? through : Math.min(through, open - 1);
      // Runs that ended behind it: where the first of them started before it, that one is where it ends.
      const first = this.#database.prepare(
        `SELECT min(opened) AS seq FROM (SELECT (SELECT min(x.seq) FROM events x WHERE x.run_id = f.run_id) AS opened
           FROM events f WHERE f.kind = 'run.finished' AND f.seq > ?1) WHERE opened <= ?1`,
      );
      for (let tries = 0; tries < TRIES_MAX; tries++) {
        const { seq } = first.get(at) as { seq: number | null };
        if (seq === null) return at;
        at = seq - 1;
      }
      return 1;
    });
  }

  /** What the removed part ends with; undefined where nothing was removed. */
  get cut(): LogCut | undefined {
    const newest = this.#guard(() => checkpointsOf(this.#database).at(-1));
    return newest && cutOf(newest);
  }

  /** Signs what is to go, durably. Nothing is removed yet. */
  checkpoint(through: number, key: KeyObject, nowNs: bigint): LogCut {
    return this.#guard(() => {
      const database = this.#database;
      const at = database.prepare('SELECT hash, ts FROM events WHERE seq = ?').get(through);
      const epoch = database.prepare('SELECT event_id FROM events WHERE seq = 1').get()?.['event_id'];
      const row: CheckpointRow = signCheckpoint(key, {
        ...{ cell: this.#cell, epoch: String(epoch), through },
        ...{ hash: String(at?.['hash']), event_ts: String(at?.['ts']), made_ts: nowNs.toString() },
      });
      database.exec('PRAGMA synchronous = FULL');
      try {
        this.#atOnce(() => {
          if (checkpointsOf(database).length === 0) {
            const there = database.prepare("SELECT 1 FROM sqlite_master WHERE name = 'checkpoints'").get();
            if (!there) database.exec(CHECKPOINT_SCHEMA);
            raiseFormat(database, FORMAT_CUT);
          }
          const { hash, event_ts, made_ts, public_key, signature } = row;
          database
            .prepare('INSERT INTO checkpoints VALUES (?, ?, ?, ?, ?, ?)')
            .run(through, hash, event_ts, made_ts, public_key, signature);
        });
      } finally {
        database.exec('PRAGMA synchronous = NORMAL');
      }
      return cutOf(row);
    });
  }

  /** Removes some events behind the checkpoint, or gives pages back to the disk; false: nothing is left to do. */
  step(): boolean {
    return this.#guard(() => {
      if (this.#removeSome() > 0) return true;
      const free = () => Number(this.#database.prepare('PRAGMA freelist_count').get()?.['freelist_count']);
      const before = free();
      if (before === 0) return false;
      // Files of before this was known keep their free pages, and use them again.
      this.#database.exec(`PRAGMA incremental_vacuum(${STEP_PAGES})`);
      return free() < before;
    });
  }

  /** What rows refer to is kept in the transaction that removes it: there is no moment when it is nowhere. */
  #removeSome(): number {
    const database = this.#database;
    return this.#atOnce(() => removeRows(database, checkpointsOf(database).at(-1)?.through ?? 0, STEP_ROWS));
  }

  /** In one transaction: all of it, or nothing. */
  #atOnce<T>(work: () => T): T {
    const database = this.#database;
    try {
      database.exec('BEGIN IMMEDIATE');
      const done = work();
      database.exec('COMMIT');
      return done;
    } finally {
      if (database.isTransaction) database.exec('ROLLBACK');
    }
  }

  close(): void {
    this.#database.close();
    this.#lock.release();
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (thrown) {
      throw edgeError(thrown, 'log.cut', this.#path);
    }
  }
}
