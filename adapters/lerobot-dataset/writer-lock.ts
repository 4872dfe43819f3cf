import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { copyFile, link, mkdir, readdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import { WORK } from './layout.ts';

/** The lock, and what lets those by one at a time who find it dead; both hold the number of a process. */
const LOCK = 'writer';
const GUARD = 'writer.taking';
/** Others start, end and clear up at the same moment: so often it is tried again. */
const TRIES_MAX = 20;
/** What filesystems say that know no links, as those of memory sticks. */
const NO_LINKS: readonly (string | undefined)[] = ['EPERM', 'ENOTSUP', 'ENOSYS'];

/**
 * Makes this process the only writer of a dataset. Rejects with `cell.overloaded` while another one lives; what a
 * killed one left half goes with its lock.
 */
export async function lockDataset(root: string): Promise<void> {
  const folder = join(root, WORK);
  for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
    if (await claim(folder, LOCK)) return;
    const pid = await holderOf(folder, LOCK);
    if (pid === undefined) continue;
    if (isAlive(pid))
      throw new EdgeError('cell.overloaded', {
        operation: 'export',
        subject: root,
        message: `process ${pid} is writing this dataset`,
        hint: `wait until it ends; if that process ID belongs to another program, remove ${join(folder, LOCK)}`,
      });
    if (await takeOver(folder)) return;
  }
  throw new EdgeError('cell.overloaded', {
    operation: 'export',
    subject: root,
    message: 'another process started to write this dataset',
    hint: `wait until it ends; if there is no such process, remove ${join(folder, GUARD)}`,
  });
}

/** Removes the lock and all that was being written. The lock of another process stays, and what it writes. */
export async function unlockDataset(root: string): Promise<void> {
  const folder = join(root, WORK);
  if ((await holderOf(folder, LOCK)) !== process.pid) return;
  await clear(folder);
  await rm(join(folder, LOCK), { force: true });
  // Not where the next one has started meanwhile.
  await rmdir(folder).catch(() => {});
}

/**
 * True: `name` is this process's. It comes with the number in it: no process reads an empty lock, which would be that
 * of a dead one. False: somebody has it, or cleared up in this moment.
 */
async function claim(folder: string, name: string): Promise<boolean> {
  const own = join(folder, `${LOCK}.${randomUUID()}`);
  await mkdir(folder, { recursive: true });
  try {
    await writeFile(own, String(process.pid));
    await link(own, join(folder, name)).catch((error) => {
      if (!NO_LINKS.includes(codeOf(error))) throw error;
      return copyFile(own, join(folder, name), constants.COPYFILE_EXCL);
    });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Puts a lock of this process in the place of a dead one. Of several one gets it: the next finds it alive. */
async function takeOver(folder: string): Promise<boolean> {
  if (!(await claim(folder, GUARD))) return false;
  const guard = join(folder, GUARD);
  try {
    const pid = await holderOf(folder, LOCK);
    if (pid === undefined || isAlive(pid)) {
      await rm(guard, { force: true });
      return false;
    }
    // The guard holds the number of this process: by its new name it is the lock, and the next may look.
    await rename(guard, join(folder, LOCK));
  } catch (error) {
    await rm(guard, { force: true });
    throw error;
  }
  await clear(folder);
  return true;
}

/** Removes everything but the lock that this process holds, and the guard of one that looks at it. */
async function clear(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name === LOCK || (name === GUARD && isAlive((await holderOf(folder, GUARD)) ?? 0))) continue;
    await rm(join(folder, name), { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Undefined: no process holds it. What holds no number is of one that died as it was written: 0. */
async function holderOf(folder: string, name: string): Promise<number | undefined> {
  try {
    return Number(await readFile(join(folder, name), 'utf8')) || 0;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
