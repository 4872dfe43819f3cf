import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { EdgeError } from '../../contract/index.ts';

/**
 * One daemon per data directory. The lock is a SQLite exclusive lock, so it ends with the process however
 * that ends, and no stale file has to be judged. Throws `host.data_dir_in_use`.
 */
export function lockDataDir(dataDir: string, pid: number): { release(): void } {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o750 });
  } catch (cause) {
    throw new EdgeError('host.missing', {
      operation: 'open data directory',
      subject: dataDir,
      message: `cannot be made: ${(cause as Error).message}`,
      hint: 'set daemon.data_dir to a directory this user may write',
      cause,
    });
  }
  const who = join(dataDir, 'daemon.pid');
  const db = new DatabaseSync(join(dataDir, 'daemon.lock'));
  try {
    db.exec('PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE');
  } catch (cause) {
    db.close();
    const owner = existsSync(who) ? readFileSync(who, 'utf8').trim() : 'unknown';
    throw new EdgeError('host.data_dir_in_use', {
      operation: 'open data directory',
      subject: dataDir,
      message: `another daemon (process ${owner}) uses ${dataDir}`,
      hint: 'stop it, or choose another daemon.data_dir',
      cause,
    });
  }
  writeFileSync(who, `${pid}\n`);
  return { release: () => db.close() };
}
