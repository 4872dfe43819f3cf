import { existsSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import { edgeError } from './edge-error.ts';
import { FileLock } from './file-lock.ts';
import { fsyncPath } from './log-schema.ts';

/**
 * The repair that an operator asks for when a log cannot be trusted: renames the file and what belongs to it
 * to `<path>.aside-<n>` and returns that name. Nothing is deleted; the next start starts a new epoch. Throws
 * `host.data_dir_in_use` while a daemon writes it, `log.failed` when there is nothing to move.
 */
export function setLogAside(path: string): string {
  // Also a lone -wal file, which open refuses.
  if (!existsSync(path) && !existsSync(`${path}-wal`)) {
    throw new EdgeError('log.failed', {
      operation: 'log.set-aside',
      subject: path,
      message: `${path}: no such file`,
      retryable: false,
    });
  }
  const lock = acquire(path);
  try {
    let n = 1;
    while (existsSync(`${path}.aside-${n}`)) n += 1;
    const target = `${path}.aside-${n}`;
    // The database goes first: a crash in between leaves a -wal without a database, which open refuses.
    for (const suffix of ['', '-wal', '-shm'])
      if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
    fsyncPath(dirname(path));
    return target;
  } finally {
    lock.release();
  }
}

function acquire(path: string): FileLock {
  try {
    return FileLock.acquire(`${path}.lock`, path);
  } catch (thrown) {
    throw edgeError(thrown, 'log.set-aside', path);
  }
}
