import { spawnSync } from 'node:child_process';
import { readdirSync, statSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';

/** Where Fast DDS puts its shared memory on Linux. */
const SHARED_MEMORY = '/dev/shm';
/** A segment `fastrtps_<16 hex>` has a lock file of this name, which its owner holds while it lives. */
const LOCK_FILE = /^(fastrtps_[0-9a-f]{16})_el$/;
/** An owner locks its file right after making it; a younger file is left alone, milliseconds. */
const AGE_MIN_MS = 10_000;
/** Looked at per start; a machine with more leftovers gets rid of them over several starts. */
const CHECKED_MAX = 128;
/** `flock` answers at once; this is for a machine in trouble, milliseconds. */
const CHECK_MS = 2_000;

/**
 * Removes the Fast DDS segments (up to 32 MiB each) that killed processes left behind, and says how many.
 * A segment is removed only by the process that gets its lock: the lock is the kernel's, so that owners in other
 * containers count as well. Never throws; without the `flock` command nothing is removed.
 */
export function sweepSharedMemory(nowMs: number, folder = SHARED_MEMORY): number {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return 0;
  }
  let removed = 0;
  for (const lock of names.filter((name) => LOCK_FILE.test(name)).slice(0, CHECKED_MAX)) {
    if (!isOld(join(folder, lock), nowMs)) continue;
    const segment = lock.slice(0, -'_el'.length);
    const check = spawnSync(
      'flock',
      ['--nonblock', '--exclusive', join(folder, lock), 'rm', '-f', join(folder, segment)],
      { timeout: CHECK_MS, stdio: 'ignore' },
    );
    if (check.status !== 0) continue;
    try {
      unlinkSync(join(folder, lock));
      removed += 1;
    } catch {
      // Somebody else swept it at the same time.
    }
  }
  return removed;
}

function isOld(path: string, nowMs: number): boolean {
  try {
    return nowMs - statSync(path).mtimeMs > AGE_MIN_MS;
  } catch {
    return false;
  }
}
