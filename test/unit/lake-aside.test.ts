import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { LakeEngine } from '../../adapters/ducklake/lake-engine.ts';
import { logged } from '../conformance/lake.ts';
import { runEvents } from '../support/sample-events.ts';

/** Lakes that lie aside cannot be removed here, as where their files are root's. */
vi.mock('../../adapters/ducklake/set-aside.ts', async (original) => ({
  ...(await original<typeof import('../../adapters/ducklake/set-aside.ts')>()),
  dropOldest: () => {
    throw new Error('EBUSY: resource busy or locked');
  },
}));

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'lake-aside-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

it('a lake stays where it is when a new one in its place fails in the same way', async () => {
  const options = { dataDir, extensionDirectories: [], clock: new SystemClock() };
  const lake = await DuckLakeLake.open(options);
  await lake.project('runtime', await logged('runtime', runEvents(1)));
  const digest = await lake.digest();
  await lake.close();
  const opening = LakeEngine.open(options, () => Promise.reject(new Error('not the fault of the files')));
  await expect(opening).rejects.toMatchObject({ code: 'lake.unavailable' });
  expect(readdirSync(dataDir)).toEqual(['lake']);
  const again = await DuckLakeLake.open(options);
  expect(await again.digest()).toBe(digest);
  await again.close();
});

it('a new lake stays open where an old one that lies aside cannot be removed, which is told', async () => {
  const reports: string[] = [];
  const report = (_level: string, message: string) => void reports.push(message);
  const options = { dataDir, extensionDirectories: [], clock: new SystemClock(), report };
  const broken = await DuckLakeLake.open(options);
  await broken.close();
  writeFileSync(join(dataDir, 'lake', 'plain.duckdb'), 'no lake');
  const lake = await DuckLakeLake.open(options);
  await lake.project('runtime', await logged('runtime', runEvents(1)));
  const digest = await lake.digest();
  await lake.close();
  expect(reports.at(-1)).toContain('EBUSY');
  expect(readdirSync(dataDir).sort()).toEqual(['lake', 'lake.aside-1']);
  const again = await DuckLakeLake.open(options);
  expect(await again.digest()).toBe(digest);
  await again.close();
});
