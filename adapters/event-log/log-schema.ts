import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { CellName } from '../../contract/index.ts';
import { damaged } from './sqlite-faults.ts';

/** "AURL" in ASCII: what `file(1)` and we know an event log by. */
const APPLICATION_ID = 0x4155524c;
const FORMAT = 1;
/** The same with checkpoints: a log of which events were removed. Older software refuses it. */
export const FORMAT_CUT = 2;
/** The same with rows that refer to others (`repeats.ts`). Older software refuses it. */
export const FORMAT_REPEATS = 3;

/**
 * One row per event. `payload` is canonical JSON (`repeats.ts` has the exception), hashes are lower-case hex, so that
 * any SQLite shell can check the chain. The triggers keep a careless shell from changing history; the chain finds the careful one.
 */
const SCHEMA = `
CREATE TABLE log (cell TEXT NOT NULL) STRICT;
CREATE TABLE events (
  seq INTEGER PRIMARY KEY,
  event_id TEXT NOT NULL,
  run_id TEXT,
  kind TEXT NOT NULL,
  ts TEXT NOT NULL,
  payload TEXT NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL
) STRICT;
CREATE INDEX events_by_run ON events (run_id, seq) WHERE run_id IS NOT NULL;
CREATE INDEX events_by_kind ON events (kind, seq);
CREATE TRIGGER events_keep_rows BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER events_keep_values BEFORE UPDATE ON events BEGIN SELECT RAISE(ABORT, 'append only'); END;
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${FORMAT};
`;

export function eventsDirectory(dataDir: string): string {
  return join(dataDir, 'events');
}

/** Where the log of a cell lies: `<dataDir>/events/<cell>.db`. */
export function logPath(dataDir: string, cell: CellName): string {
  return join(eventsDirectory(dataDir), `${cell}.db`);
}

/**
 * Makes an empty log unless there is one. It appears under its name only when it is complete and durable
 * (temporary name, fsync, rename), so that an empty or half file under that name is always damage.
 */
export function ensureLogFile(path: string, cell: CellName): void {
  if (existsSync(path)) return;
  if (existsSync(`${path}-wal`) && statSync(`${path}-wal`).size > 0)
    throw damaged(path, 'log.open', 'the database is gone but its -wal file is there');
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true });
  const temporary = `${path}.new`;
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(temporary + suffix, { force: true });
  const database = new DatabaseSync(temporary);
  try {
    // Free pages can be given back to the disk in small steps.
    database.exec('PRAGMA auto_vacuum = INCREMENTAL');
    database.exec('PRAGMA journal_mode = WAL');
    database.exec(SCHEMA);
    database.prepare('INSERT INTO log (cell) VALUES (?)').run(cell);
  } finally {
    database.close();
  }
  fsyncPath(temporary);
  renameSync(temporary, path);
  fsyncPath(directory);
  fsyncPath(dirname(directory));
}

/** Throws `log.damaged` unless `database` is an event log of a format we know; returns its cell. */
export function checkFormat(database: DatabaseSync, path: string): CellName {
  const id = database.prepare('PRAGMA application_id').get()?.['application_id'];
  const version = database.prepare('PRAGMA user_version').get()?.['user_version'];
  if (id !== APPLICATION_ID) throw damaged(path, 'log.open', 'this is not an event log');
  if (typeof version !== 'number' || version < FORMAT || version > FORMAT_REPEATS)
    throw damaged(
      path,
      'log.open',
      `format ${String(version)}; this software reads formats ${FORMAT} to ${FORMAT_REPEATS}`,
    );
  return String(database.prepare('SELECT cell FROM log').get()?.['cell']) as CellName;
}

/** From now on older software refuses this log. */
export function raiseFormat(database: DatabaseSync, format: number): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
  if (version < format) database.exec(`PRAGMA user_version = ${format}`);
}

/** Makes a file, or the entries of a directory, durable. */
export function fsyncPath(path: string): void {
  const handle = openSync(path, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
