import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../../../contract/core.ts';
import { WORK } from './layout.ts';

/**
 * Makes this process the only writer of a dataset. Rejects with `cell.overloaded` while another one lives; what a killed one
 * left half goes with its lock.
 */
export async function lockDataset(root: string): Promise<void> {
  const path = join(root, WORK, 'writer');
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      const handle = await open(path, 'wx');
      await handle.writeFile(String(process.pid));
      await handle.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const pid = Number(await readFile(path, 'utf8').catch(() => ''));
      if (pid > 0 && isAlive(pid))
        throw new EdgeError('cell.overloaded', {
          operation: 'export',
          subject: root,
          message: `process ${pid} writes this dataset`,
          hint: `wait for it; where it is another program that got its number, remove ${path}`,
        });
      // What a killed writer left half goes with its lock.
      await rm(join(root, WORK), { recursive: true, force: true, maxRetries: 5 });
      await mkdir(join(root, WORK), { recursive: true });
    }
  }
  throw new EdgeError('cell.overloaded', {
    operation: 'export',
    subject: root,
    message: 'another process began to write this dataset',
  });
}

/** Removes the lock and all that was being written. */
export async function unlockDataset(root: string): Promise<void> {
  await rm(join(root, WORK), { recursive: true, force: true, maxRetries: 5 });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
