import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { cacheDirectory, DuckLakeLake, installDucklakeExtension } from '../../adapters/ducklake/index.ts';
import type { AgentEvent, Clock, NewEvent } from '../../contract/index.ts';
import { logged } from '../conformance/lake.ts';
import { fixedId, runEvents, segmentEvents } from '../support/sample-events.ts';

const system = new SystemClock();
const ASK = { limit: 1000, timeoutMs: 20_000 };
/** More payload than the engine's memory holds once while files are joined. */
const LARGE = { batches: 10, events: 1_000, bytes: 12_800 };

beforeAll(async () => {
  await installDucklakeExtension({ directory: cacheDirectory(), clock: system });
}, 200_000);

/** Entries of a session of an agent, as its log would have them. */
function entries(from: number, count: number, bytes: number): AgentEvent[] {
  return Array.from({ length: count }, (_, i) => {
    const seq = from + i;
    const payload = {
      text: randomBytes(16)
        .toString('hex')
        .repeat(bytes / 32),
    };
    const ts = String(1_700_000_000_000_000_000n + BigInt(seq));
    const event_id = seq === 1 ? fixedId(1) : `entry-${seq}`;
    return {
      event_id,
      kind: 'session.entry',
      payload,
      ts,
      cell: 'runtime',
      seq,
      prev_hash: '',
      hash: `${seq}`,
    };
  }) as unknown as AgentEvent[];
}

describe('a lake that grew', () => {
  let dataDir: string;
  const said: string[] = [];
  const lakes: DuckLakeLake[] = [];
  const open = async (extensionDirectories: string[], clock: Clock = system) => {
    const report = (_: string, message: string) => said.push(message);
    const lake = await DuckLakeLake.open({ dataDir, extensionDirectories, clock, report });
    lakes.push(lake);
    return lake;
  };
  const openDuckLake = (clock?: Clock) => open([cacheDirectory()], clock);
  const openPlain = () => open([]);
  const one = async (lake: DuckLakeLake, sql: string) => (await lake.query(sql, ASK)).rows[0]?.[0];
  const files = (lake: DuckLakeLake, table: string) =>
    one(lake, `SELECT count(*) FROM ducklake_list_files('lake', '${table}')`).then(Number);
  const grow = async (lake: DuckLakeLake) => {
    for (let i = 0; i < LARGE.batches; i++)
      await lake.project('runtime', entries(1 + i * LARGE.events, LARGE.events, LARGE.bytes));
  };
  const inside = async (path: string, sql: string) => {
    const instance = await DuckDBInstance.create(path);
    const connection = await instance.connect();
    await connection.run(sql);
    connection.closeSync();
    instance.closeSync();
  };

  beforeEach(async () => {
    said.length = 0;
    dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
  });
  afterEach(async () => {
    for (const lake of lakes.splice(0)) await lake.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('is maintained beyond what the memory holds at once, also when an older version made it', async () => {
    const young = await openDuckLake();
    await young.close();
    const options = `key IN ('target_file_size', 'parquet_row_group_size')`;
    await inside(join(dataDir, 'lake', 'catalog.ducklake'), `DELETE FROM ducklake_metadata WHERE ${options}`);
    const lake = await openDuckLake();
    await grow(lake);
    const before = await files(lake, 'events');
    await lake.maintain();
    expect(await files(lake, 'events')).toBeLessThan(before);
    expect(await one(lake, 'SELECT count(DISTINCT payload) FROM events')).toBe(LARGE.batches * LARGE.events);
  });

  it('takes a whole batch of large events', async () => {
    const lake = await openDuckLake();
    await lake.project('runtime', entries(1, 2_000, 40_960));
    expect(await one(lake, 'SELECT sum(length(payload)) FROM events')).toBeGreaterThan(80e6);
  });

  it('is maintained in pieces when that takes long, and comes to an end', async () => {
    let ms = 0;
    let maintaining = false;
    const slow: Clock = Object.assign(new SystemClock(), {
      // Each step of the maintenance takes a minute; questions take no time.
      monotonicMs: () => {
        if (maintaining) ms += 60_000;
        return ms;
      },
    });
    const maintain = async () => {
      maintaining = true;
      await lake.maintain();
      maintaining = false;
    };
    const lake = await openDuckLake(slow);
    const log = await logged('runtime', Array.from({ length: 80 }, (_, i) => runEvents(i * 50, 10)).flat());
    const half = log.length / 2;
    await lake.project('runtime', log.slice(0, half));
    await lake.project('runtime', log);
    const digest = await lake.digest();
    const left = async () => {
      const counts = await Promise.all(['events', 'run_events', 'tool_events'].map((t) => files(lake, t)));
      return counts.reduce((sum, n) => sum + n, 0);
    };
    expect(await left()).toBe(6);
    await maintain();
    expect(await left()).toBe(5);
    for (let i = 0; i < 5; i++) await maintain();
    expect(await left()).toBe(3);
    expect(await lake.digest()).toBe(digest);
  });

  it('goes on while it cannot be maintained, and what can be done is done', async () => {
    const lake = await openDuckLake();
    const log = await logged('runtime', Array.from({ length: 80 }, (_, i) => runEvents(i * 50, 10)).flat());
    const half = log.length / 2;
    await lake.project('runtime', log.slice(0, half));
    await lake.project('runtime', log);
    const broken = join(dataDir, 'lake', 'files', 'main', 'run_events');
    for (const file of readdirSync(broken)) rmSync(join(broken, file));
    const stopped: NewEvent = { kind: 'cell.stopped', payload: { reason: 'test' } };
    const link = await logged('link', Array<NewEvent>(256).fill(stopped));
    for (let i = 1; i <= 256; i++) await lake.project('link', link.slice(0, i));
    expect(said).toEqual([expect.stringContaining('maintenance')]);
    expect(await files(lake, 'events')).toBe(1);
    expect(await one(lake, 'SELECT count(*) FROM events')).toBe(log.length + 256);
    await expect(lake.maintain()).rejects.toMatchObject({ code: 'lake.failed' });
  });

  it('is taken over from plain DuckDB whatever its size', async () => {
    const plain = await openPlain();
    await grow(plain);
    await plain.project('execution', await logged('execution', segmentEvents('hall', 1, 2)));
    const told = `SELECT cell, count(*), sum(md5_number_lower(payload)::HUGEINT)::VARCHAR, max(hash)
      FROM events GROUP BY cell ORDER BY cell`;
    const { rows } = await plain.query(told, ASK);
    await plain.close();
    const lake = await openDuckLake();
    expect(lake.info().kind).toBe('ducklake');
    expect((await lake.query(told, ASK)).rows).toEqual(rows);
    expect(await one(lake, 'SELECT sum(messages) FROM segments')).toBe(300);
    expect(existsSync(join(dataDir, 'lake', 'plain.duckdb'))).toBe(false);
  });

  it('stays in plain DuckDB while it cannot be taken over, says so, and is taken over later', async () => {
    const plain = await openPlain();
    const log = await logged('runtime', Array.from({ length: 20 }, (_, i) => runEvents(i * 50, 10)).flat());
    await plain.project('runtime', log.slice(0, 300));
    await plain.close();
    // No file of `events` can be written.
    const folder = join(dataDir, 'lake', 'files', 'main', 'events');
    mkdirSync(dirname(folder), { recursive: true });
    writeFileSync(folder, '');
    const still = await openDuckLake();
    expect(still.info()).toMatchObject({
      kind: 'duckdb',
      why: expect.stringContaining('migration to DuckLake failed'),
    });
    expect(said).toEqual([expect.stringContaining('migration to DuckLake failed')]);
    await still.project('runtime', log);
    const digest = await still.digest();
    await still.close();
    rmSync(folder);
    const lake = await openDuckLake();
    expect(lake.info().kind).toBe('ducklake');
    expect(await lake.digest()).toBe(digest);
  });

  it('is taken over from an older version, whose tables have fewer columns', async () => {
    const plain = await openPlain();
    const log = await logged('execution', segmentEvents('hall', 1, 2));
    await plain.project('execution', log);
    const digest = await plain.digest();
    await plain.close();
    await inside(
      join(dataDir, 'lake', 'plain.duckdb'),
      'ALTER TABLE losses DROP COLUMN hop; ALTER TABLE losses DROP COLUMN forwarded',
    );
    const lake = await openDuckLake();
    expect(lake.info().kind).toBe('ducklake');
    expect(await lake.digest()).toBe(digest);
  });
});
