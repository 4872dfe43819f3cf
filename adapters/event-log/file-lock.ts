import { DatabaseSync } from 'node:sqlite';
import { LogFault } from './log-fault.ts';
import { isBusy, sqliteFault } from './sqlite-faults.ts';

/** The last holder may be dying; a kill releases its lock within this, milliseconds. */
const WAIT_MS = 500;

/**
 * One holder per file, also across processes and threads; the kernel releases it when the holder dies,
 * however it dies. Node has no file locks, SQLite has: an exclusive transaction on an empty database, which
 * never writes a byte. The lock file stays behind and has no meaning on its own.
 */
export class FileLock {
  readonly #database: DatabaseSync;
  #held = true;

  private constructor(database: DatabaseSync) {
    this.#database = database;
  }

  /** Throws `host.data_dir_in_use` naming `subject` when somebody else holds `path`. */
  static acquire(path: string, subject: string): FileLock {
    let database: DatabaseSync | undefined;
    try {
      database = new DatabaseSync(path, { timeout: WAIT_MS });
      database.exec('PRAGMA journal_mode = MEMORY');
      database.exec('BEGIN EXCLUSIVE');
      return new FileLock(database);
    } catch (thrown) {
      database?.close();
      if (!isBusy(thrown)) throw sqliteFault(thrown, 'log.lock', path);
      throw new LogFault(
        'host.data_dir_in_use',
        'log.open',
        subject,
        `another process is writing ${subject}`,
        'stop the other daemon, or use a different data directory for this one',
        thrown,
      );
    }
  }

  /** May be called twice. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#database.close();
  }
}
