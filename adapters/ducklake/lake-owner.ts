import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fsyncPath } from './data-files.ts';

const ID = /^[0-9a-f-]{36}$/;

/** What a lake on servers knows this data directory by; made once, durable when it resolves. */
export async function ownerOf(dataDir: string): Promise<string> {
  const path = join(dataDir, 'lake-owner');
  const found = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  if (ID.test(found)) return found;
  const made = randomUUID();
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(`${path}.partial`, `${made}\n`);
  await fsyncPath(`${path}.partial`);
  renameSync(`${path}.partial`, path);
  await fsyncPath(dataDir);
  return made;
}
