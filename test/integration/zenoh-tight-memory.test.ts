import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import type { ErrorBody } from '../../contract/index.ts';
import { freePort } from '../support/zenoh.ts';

const MAIN = join(import.meta.dirname, '..', 'support', 'zenoh-tight-main.ts');
type Seen = { bytes: number; answered: boolean; faults: ErrorBody[] };

/** As in a container with next to no shared memory: a file system of that size in the place of /dev/shm. */
async function withSharedMemory(size: string): Promise<Seen> {
  const inside = `mount -t tmpfs -o size=${size} tmpfs /dev/shm && exec "$0" "$@"`;
  const order = [process.execPath, MAIN, String(await freePort())];
  const { stdout } = await promisify(execFile)('unshare', ['-m', 'sh', '-c', inside, ...order], {
    timeout: 60_000,
  });
  return JSON.parse(stdout) as Seen;
}

it.skipIf(process.getuid?.() !== 0).each(['4k', '40k', '1m', '20m'])(
  'goes on with %s of shared memory: large values are copied',
  async (size) => {
    const { faults, ...seen } = await withSharedMemory(size);
    expect(seen).toEqual({ bytes: 1_000_000, answered: true });
    // With too little even for the bookkeeping it says so, and what to do.
    for (const fault of faults)
      expect(fault).toMatchObject({
        code: 'zenoh.failed',
        subject: '/dev/shm',
        hint: expect.stringContaining('--shm-size'),
      });
    if (size === '4k') expect(faults.length).toBeGreaterThan(0);
  },
);
