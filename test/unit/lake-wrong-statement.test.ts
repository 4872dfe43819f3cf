import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';

const dataDir = mkdtempSync(join(tmpdir(), 'auraison-lake-'));
let lake: Awaited<ReturnType<typeof DuckLakeLake.open>>;
beforeAll(async () => {
  lake = await DuckLakeLake.open({ dataDir, extensionDirectories: [], clock: new SystemClock() });
});
afterAll(async () => {
  await lake?.close();
  rmSync(dataDir, { recursive: true, force: true });
});

it.each([
  ['a table that is not there', 'select 1 from nope', 'nope'],
  ['a column that is not there', 'select kynd from events', 'kynd'],
  ['a value that is no number', "select cast('x' as integer)", 'x'],
])('a statement with %s is wrong, and is not to be tried again', async (_, sql, named) => {
  await expect(lake.query(sql, { limit: 1, timeoutMs: 30_000 })).rejects.toMatchObject({
    ...{ code: 'lake.failed', retryable: false },
    message: expect.stringContaining(named),
  });
});
