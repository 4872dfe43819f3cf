import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EdgeError } from '../../contract/core.ts';

const LOCK = 'daemon.lock';
const OWNER = 'daemon.pid';
const SQLITE_BUSY = 5;
/**
 * A process that only looks for the holder takes the lock for a moment; a start waits this long for it, milliseconds.
 */
const LOOK_MS = 200;

/**
 * One daemon per data directory. The lock is a SQLite exclusive lock, so it ends with the process however
 * that ends, and no stale file has to be judged. A program that takes the place of the daemon for a while names its
 * `work`. Throws `host.data_dir_in_use`, or `host.missing` where the directory cannot be written.
 */
export function lockDataDir(dataDir: string, pid: number, work?: string): { release(): void } {
  try {
    makeDirectory(dataDir);
  } catch (cause) {
    throw unusableDataDir(dataDir, cause);
  }
  const who = join(dataDir, OWNER);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(join(dataDir, LOCK), { timeout: LOOK_MS });
    db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    db?.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw unusableDataDir(dataDir, cause);
    const owner = existsSync(who) ? readFileSync(who, 'utf8').trim() : 'unknown';
    throw new EdgeError('host.data_dir_in_use', {
      operation: 'open data directory',
      subject: dataDir,
      message: `another daemon (process ${owner}) uses ${dataDir}`,
      hint: 'stop it, or choose another daemon.data_dir',
      cause,
    });
  }
  try {
    writeFileSync(who, work === undefined ? `${pid}\n` : `${pid} (${work})\n`);
  } catch (cause) {
    // It only names the owner to others; a full disk is no reason to leave the robot alone.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') {
      db.close();
      throw unusableDataDir(dataDir, cause);
    }
  }
  const held = db;
  return {
    release: () => {
      try {
        rmSync(who, { force: true });
      } catch {
        // It names no process without the lock.
      }
      held.close();
    },
  };
}

/**
 * The daemon that has this data directory now; its `pid` may be unknown. The lock says whether there is one: the file
 * outlives a daemon that is killed, and its number may by now be that of another process. Throws `host.missing` where
 * the lock cannot be looked at.
 */
export function daemonOf(dataDir: string): { readonly pid: number | undefined } | undefined {
  const path = join(dataDir, LOCK);
  let db: DatabaseSync | undefined;
  try {
    if (!statSync(path, { throwIfNoEntry: false })) return undefined;
    db = new DatabaseSync(path, { readOnly: true });
    db.exec('SELECT name FROM sqlite_schema');
    return undefined;
  } catch (cause) {
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY)
      throw new EdgeError('host.missing', {
        operation: 'find the running daemon',
        subject: dataDir,
        message: `cannot determine whether a daemon uses ${dataDir}: ${(cause as Error).message}`,
        hint: 'run this command as the user of that daemon, or with sudo if the daemon is a service',
        cause,
      });
  } finally {
    db?.close();
  }
  const owner = join(dataDir, OWNER);
  const [pid, work] = (existsSync(owner) ? readFileSync(owner, 'utf8') : '').trim().split(/ (.*)/);
  if (work !== undefined) return undefined;
  return { pid: Number(pid) > 0 ? Number(pid) : undefined };
}

/** With all its parents. Node's own recursion never ends where a parent is there but takes no children. */
export function makeDirectory(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  mkdirSync(path, { mode: 0o750 });
}

/** Makes a folder that nothing depends on. Node's recursive `mkdir` never ends where none can be made (below /proc). */
export function canMake(path: string): boolean {
  try {
    makeDirectory(path);
    return true;
  } catch {
    return false;
  }
}

/** `host.missing`, naming the key that moves the directory. */
export function unusableDataDir(dataDir: string, cause: unknown): EdgeError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFile = code === 'EEXIST' || code === 'ENOTDIR';
  return new EdgeError('host.missing', {
    operation: 'open data directory',
    subject: dataDir,
    message: isFile
      ? `the data directory ${dataDir} is a file, or one of its parents is`
      : `the data directory ${dataDir} cannot be used: ${message}`,
    hint: 'set daemon.data_dir (or --data-dir) to a directory that this user can write',
    cause,
  });
}
