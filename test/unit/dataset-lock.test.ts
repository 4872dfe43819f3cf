import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDataset, unlockDataset } from '../../adapters/lerobot-dataset/writer-lock.ts';

/** No process has it: Linux gives numbers up to 4194304. */
const DEAD = '4194999';
let root: string;
let work: string;
let lock: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'auraison-lock-'));
  work = join(root, '.auraison');
  lock = join(work, 'writer');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function leave(name: string, text: string): void {
  mkdirSync(work, { recursive: true });
  writeFileSync(join(work, name), text);
}

/** Of six that begin almost at once, each `apart` turns of the loop after the one before, those that got it. */
async function begun(apart: number): Promise<number> {
  const begin = async (turns: number) => {
    for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
    return lockDataset(root);
  };
  const all = await Promise.allSettled(Array.from({ length: 6 }, (_, i) => begin(i * apart)));
  for (const one of all)
    if (one.status === 'rejected') expect(one.reason).toMatchObject({ code: 'cell.overloaded' });
  return all.filter(({ status }) => status === 'fulfilled').length;
}

describe('the lock of a dataset', () => {
  it.each([
    ['nobody holds it', undefined],
    ['a dead one holds it', DEAD],
    ['one that died as it wrote it holds it', ''],
  ])('is got by one of several that begin together where %s', async (_, holder) => {
    for (let round = 0; round < 60; round++) {
      if (holder !== undefined) leave('writer', holder);
      expect(await begun(round % 12)).toBe(1);
      expect(readFileSync(lock, 'utf8')).toBe(String(process.pid));
      expect(readdirSync(work)).toEqual(['writer']);
      await unlockDataset(root);
      expect(existsSync(work)).toBe(false);
    }
  });

  it('takes with it what a dead one left half, and a guard of one that died as it took over', async () => {
    leave('writer', DEAD);
    leave('meta-info.json.partial', '{');
    mkdirSync(join(work, DEAD));
    leave(join(DEAD, 'front.mp4'), 'half');
    await lockDataset(root);
    expect(readdirSync(work)).toEqual(['writer']);
    leave('writer.taking', DEAD);
    await unlockDataset(root);
    expect(existsSync(work)).toBe(false);
  });

  it('of another process is not given back by this one, nor what that writes', async () => {
    await lockDataset(root);
    leave('writer', '1');
    leave('meta-info.json.partial', '{');
    await unlockDataset(root);
    expect(readdirSync(work).sort()).toEqual(['meta-info.json.partial', 'writer']);
    await expect(lockDataset(root)).rejects.toThrow('process 1 is writing this dataset');
  });
});
