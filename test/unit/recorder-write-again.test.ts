import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { writeAgain } from '../../daemon/execution/recorder/files.ts';
import { freshDir } from '../support/daemon.ts';

const MIB = 1024 * 1024;
const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');

it('a file written over itself is the same, synced as it goes on, with a word after each piece', async () => {
  const directory = freshDir('write-again');
  const path = join(directory.path, 'segment.mcap.active');
  writeFileSync(path, randomBytes(50 * MIB + 17));
  const before = hashOf(path);
  const handle = await open(path, 'r+');
  const seen: string[] = [];
  const watched = new Proxy(handle, {
    get(target, name) {
      const value = Reflect.get(target, name, target) as unknown;
      if (typeof value !== 'function') return value;
      if (name === 'datasync') seen.push('sync');
      return value.bind(target) as unknown;
    },
  }) as FileHandle;
  await writeAgain(watched, 5 * MIB, () => seen.push('.'));
  await handle.close();
  expect(hashOf(path)).toBe(before);
  // Never more than 16 MiB since the last sync.
  expect(
    seen
      .join('')
      .split('sync')
      .every((dots) => dots.length <= 5),
  ).toBe(true);
  expect(seen.filter((word) => word === 'sync').length).toBeGreaterThanOrEqual(2);
  directory.remove();
});
