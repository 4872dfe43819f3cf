import { createHash } from 'node:crypto';
import { lstatSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** Where Linux keeps files in memory. */
const MEMORY = '/dev/shm';

/**
 * The folder in memory (tmpfs) for one data directory; made if it is not there. `what` is empty or names its use.
 * Undefined where there is no such place, or another user made a folder of that name.
 */
export function memoryFolder(dataDir: string, what: string, memoryRoot = MEMORY): string | undefined {
  const name = `auraison-${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
  return privateFolder(join(memoryRoot, what === '' ? name : `${name}-${what}`));
}

/** The folder, made if it is not there; undefined where it is not only this user's. */
export function privateFolder(path: string): string | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const found = lstatSync(path);
    const isOwn = found.isDirectory() && process.getuid?.() === found.uid && (found.mode & 0o022) === 0;
    return isOwn ? path : undefined;
  } catch {
    return undefined;
  }
}
