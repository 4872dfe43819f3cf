import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EdgeError } from '../../contract/core.ts';

const SQLITE_BUSY = 5;

/**
 * One daemon per data directory. The lock is a SQLite exclusive lock, so it ends with the process however
 * that ends, and no stale file has to be judged. Throws `host.data_dir_in_use`, or `host.missing` where
 * the directory cannot be written.
 */
export function lockDataDir(dataDir: string, pid: number): { release(): void } {
  try {
    makeDirectory(dataDir);
  } catch (cause) {
    throw unusable(dataDir, cause);
  }
  const who = join(dataDir, 'daemon.pid');
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(join(dataDir, 'daemon.lock'));
    db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    db?.close();
    if ((cause as { errcode?: number }).errcode !== SQLITE_BUSY) throw unusable(dataDir, cause);
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
    writeFileSync(who, `${pid}\n`);
  } catch (cause) {
    // It only names the owner to others; a full disk is no reason to leave the robot alone.
    if ((cause as NodeJS.ErrnoException).code !== 'ENOSPC') {
      db.close();
      throw unusable(dataDir, cause);
    }
  }
  const held = db;
  return { release: () => held.close() };
}

/** With all its parents. Node's own recursion never ends where a parent is there but takes no children. */
function makeDirectory(path: string): void {
  if (existsSync(path) && statSync(path).isDirectory()) return;
  const parent = dirname(path);
  if (parent !== path) makeDirectory(parent);
  mkdirSync(path, { mode: 0o750 });
}

function unusable(dataDir: string, cause: unknown): EdgeError {
  const { code, message } = cause as NodeJS.ErrnoException;
  const isFile = code === 'EEXIST' || code === 'ENOTDIR';
  return new EdgeError('host.missing', {
    operation: 'open data directory',
    subject: dataDir,
    message: isFile
      ? `the data directory ${dataDir} is a file, or lies below one`
      : `the data directory ${dataDir} cannot be used: ${message}`,
    hint: 'set daemon.data_dir (or --data-dir) to a directory this user may write',
    cause,
  });
}
