import { cpSync, existsSync, readdirSync, renameSync, rmSync, statSync, truncateSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { cacheDirectory, DuckLakeLake, installDucklakeExtension } from '../../adapters/ducklake/index.ts';
import { type AgentEvent, type LakeRows, topicTables } from '../../contract/index.ts';
import { cursorOf, lakeConformance, logged } from '../conformance/lake.ts';
import { evicted, lakeSegmentConformance, stepOf, stepSegment } from '../conformance/lake-segments.ts';
import { Recordings, recorded, sealedEvent } from '../support/recorded-topics.ts';
import { runEvents, segmentEvents } from '../support/sample-events.ts';

const clock = new SystemClock();
const extensionDirectories = [cacheDirectory()];
const openDuckLake = (dataDir: string) => DuckLakeLake.open({ dataDir, extensionDirectories, clock });
const openPlain = (dataDir: string) => DuckLakeLake.open({ dataDir, extensionDirectories: [], clock });
const ASK = { limit: 1000, timeoutMs: 20_000 };

beforeAll(async () => {
  await installDucklakeExtension({ directory: cacheDirectory(), clock });
}, 200_000);

const ducklake = async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
  return { open: () => openDuckLake(dataDir), dispose: () => rm(dataDir, { recursive: true, force: true }) };
};
lakeConformance('DuckLake', ducklake);
lakeSegmentConformance('DuckLake', ducklake);

describe('DuckLake', () => {
  let dataDir: string;
  let events: readonly AgentEvent[];
  const lakes: DuckLakeLake[] = [];
  const keep = (lake: DuckLakeLake): DuckLakeLake => {
    lakes.push(lake);
    return lake;
  };
  const count = async (lake: DuckLakeLake, table = 'events') =>
    ((await lake.query(`SELECT count(*) FROM ${table}`, ASK)) as LakeRows).rows[0]?.[0];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
    events = await logged('runtime', Array.from({ length: 40 }, (_, i) => runEvents(i * 50, 10)).flat());
  });
  afterEach(async () => {
    for (const lake of lakes.splice(0)) await lake.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('has tables of topics with nested fields, also after maintenance, a restart and an eviction', async () => {
    const recordings = new Recordings();
    const open = () =>
      DuckLakeLake.open({
        ...{ dataDir, extensionDirectories, clock },
        ...{ openRecorded: recordings.open, topics: topicTables([], true) },
      });
    const sealed = [2, 400].map((count, n) => {
      const path = `bags/a/${n}.mcap`;
      const messages = Array.from({ length: count }, (_, i) =>
        recorded(
          '/tf',
          'tf2_msgs/msg/TFMessage',
          { transforms: [{ child_frame_id: `f${i}` }] },
          n * 1_000 + i,
        ),
      );
      recordings.segments.set(path, messages);
      return sealedEvent(path, messages);
    });
    const log = await logged('execution', [...sealed, evicted('a', 1)]);
    const frames = async (lake: DuckLakeLake) => {
      while (await lake.readTopics(() => false));
      const sql = 'SELECT count(*), count(DISTINCT transforms[1].child_frame_id) FROM tf';
      return ((await lake.query(sql, ASK)) as LakeRows).rows[0];
    };
    const first = keep(await open());
    await first.project('execution', log.slice(0, 2));
    expect(await frames(first)).toEqual([402, 400]);
    await first.maintain();
    expect(await frames(first)).toEqual([402, 400]);
    await first.close();
    const second = keep(await open());
    await second.project('execution', log);
    expect(await frames(second)).toEqual([2, 2]);
    await second.maintain();
    expect(await frames(second)).toEqual([2, 2]);
    const both = await second.query("SELECT count(*) FROM messages('/tf') JOIN tf USING (log_time)", ASK);
    expect(both.rows).toEqual([[2]]);
  });

  it('says what it is, keeps Parquet, and notes batch and position in each snapshot', async () => {
    const lake = keep(await openDuckLake(dataDir));
    expect(lake.info()).toMatchObject({ kind: 'ducklake', path: join(dataDir, 'lake', 'catalog.ducklake') });
    await lake.project('runtime', events.slice(0, 20));
    await lake.project('runtime', events);
    const files = readdirSync(join(dataDir, 'lake', 'files'), { recursive: true }).map(String);
    expect(files.filter((file) => file.endsWith('.parquet')).length).toBeGreaterThan(0);
    const { rows } = await lake.query(
      `SELECT commit_extra_info FROM ducklake_snapshots('lake') ORDER BY snapshot_id DESC LIMIT 1`,
      ASK,
    );
    expect(JSON.parse(String(rows[0]?.[0]))).toEqual({
      batch: `runtime:${events[0]?.event_id}:21`,
      last_seq: events.length,
    });
  });

  it('takes over what plain DuckDB kept, without loss, and only once', async () => {
    const plain = keep(await openPlain(dataDir));
    expect(plain.info()).toMatchObject({ kind: 'duckdb', why: expect.stringContaining('not installed') });
    await plain.project('runtime', events.slice(0, 300));
    await plain.project('execution', await logged('execution', segmentEvents('hall', 1, 2)));
    const digest = await plain.digest();
    const cursors = await plain.cursors();
    await plain.close();
    const lake = keep(await openDuckLake(dataDir));
    expect(lake.info().kind).toBe('ducklake');
    expect(await lake.digest()).toBe(digest);
    expect(await lake.cursors()).toEqual(cursors);
    expect(existsSync(join(dataDir, 'lake', 'plain.duckdb'))).toBe(false);
    await lake.project('runtime', events);
    expect(await count(lake)).toBe(events.length + 2);
  });

  it('takes over only what it lacks when the extension was away for a while', async () => {
    const first = keep(await openDuckLake(dataDir));
    await first.project('runtime', events.slice(0, 100));
    await first.close();
    const without = keep(await openPlain(dataDir));
    expect(await without.cursors()).toEqual({});
    await without.project('runtime', events.slice(0, 250));
    await without.close();
    const again = keep(await openDuckLake(dataDir));
    expect(await again.cursors()).toEqual({ runtime: cursorOf(events, 250) });
    expect(await count(again)).toBe(250);
    await again.project('runtime', events);
    expect(await count(again)).toBe(events.length);
    expect(await count(again, 'runs')).toBe(40);
  });

  it('keeps rows and digest through maintenance, and has fewer files after it', async () => {
    const lake = keep(await openDuckLake(dataDir));
    for (let i = 0; i < events.length; i += 130) await lake.project('runtime', events.slice(i, i + 130));
    for (let i = 0; i < 5; i++) {
      const more = await logged('link', runEvents(5000 + i));
      await lake.project('link', more);
    }
    const digest = await lake.digest();
    await lake.maintain();
    await lake.maintain();
    expect(await lake.digest()).toBe(digest);
    await lake.close();
    const again = keep(await openDuckLake(dataDir));
    expect(await again.digest()).toBe(digest);
  });

  it('gives the disk back what the steps of evicted segments took', async () => {
    const lake = keep(await openDuckLake(dataDir));
    const sealed = [...stepSegment('ring', 1, 3000), ...stepSegment('ring', 2, 3000)];
    const log = await logged('execution', [...sealed, evicted('ring', 1)]);
    await lake.project('execution', log.slice(0, sealed.length));
    for (const segment of await lake.unreadSegments('/auraison/actions/', 9)) {
      const first = segment.path.endsWith('1.mcap') ? 0 : 3000;
      const steps = Array.from({ length: 3000 }, (_, i) => stepOf(first + i));
      await lake.addSteps(segment, { from: 0, steps, end: { fault: '', unreadable: 0 } });
    }
    await lake.maintain();
    const rows = () =>
      lake.query(`SELECT sum(data_file_size_bytes) FROM ducklake_list_files('lake', 'action_steps')`, ASK);
    const before = Number((await rows()).rows[0]?.[0]);
    await lake.project('execution', log);
    await lake.maintain();
    expect(Number((await rows()).rows[0]?.[0])).toBeLessThan(before * 0.7);
    expect(await count(lake, 'actions')).toBe(3000);
  });

  it('works from another place when the data directory was moved', async () => {
    const lake = keep(await openDuckLake(dataDir));
    await lake.project('runtime', events);
    const digest = await lake.digest();
    await lake.close();
    const moved = `${dataDir}-moved`;
    renameSync(dataDir, moved);
    dataDir = moved;
    expect(await keep(await openDuckLake(moved)).digest()).toBe(digest);
  });

  it('puts a lake that cannot be read aside, says so, and begins anew', async () => {
    const lake = keep(await openDuckLake(dataDir));
    await lake.project('runtime', events);
    const digest = await lake.digest();
    await lake.close();
    const catalog = join(dataDir, 'lake', 'catalog.ducklake');
    truncateSync(catalog, Math.floor(statSync(catalog).size / 3));
    const fresh = keep(await openDuckLake(dataDir));
    expect(fresh.info().why).toMatch(/could not be read .* lies in .*lake\.aside-1/);
    expect(existsSync(join(dataDir, 'lake.aside-1', 'catalog.ducklake'))).toBe(true);
    expect(await fresh.cursors()).toEqual({});
    await fresh.project('runtime', events);
    expect(await fresh.digest()).toBe(digest);
  });

  it('puts a lake aside whose events cannot be read, and begins anew', async () => {
    const lake = keep(await openDuckLake(dataDir));
    await lake.project('runtime', events);
    const digest = await lake.digest();
    await lake.close();
    const folder = join(dataDir, 'lake', 'files', 'main', 'events');
    for (const file of readdirSync(folder)) rmSync(join(folder, file));
    const fresh = keep(await openDuckLake(dataDir));
    expect(fresh.info().why).toMatch(/could not be read .* lies in .*lake\.aside-1.*logs/);
    await fresh.project('runtime', events);
    expect(await fresh.digest()).toBe(digest);
  });

  it('keeps the three latest lakes that could not be read', async () => {
    const asides = () => readdirSync(dataDir).filter((name) => name.includes('aside'));
    for (let i = 0; i < 5; i++) {
      await keep(await openDuckLake(dataDir)).close();
      truncateSync(join(dataDir, 'lake', 'catalog.ducklake'), 5_000);
    }
    await keep(await openDuckLake(dataDir)).close();
    expect(asides().sort()).toEqual(['lake.aside-3', 'lake.aside-4', 'lake.aside-5']);
  });

  it('falls back to plain DuckDB when the extension file is damaged', async () => {
    const broken = join(dataDir, 'extensions');
    const installed = await installDucklakeExtension({ directory: cacheDirectory(), clock });
    const inside = installed.path.slice(cacheDirectory().length + 1);
    cpSync(installed.path, join(broken, inside));
    truncateSync(join(broken, inside), 1_000_000);
    const lake = keep(await DuckLakeLake.open({ dataDir, extensionDirectories: [broken], clock }));
    expect(lake.info()).toMatchObject({ kind: 'duckdb', why: expect.stringContaining('cannot be loaded') });
    await lake.project('runtime', events);
    expect(await count(lake)).toBe(events.length);
  });
});

describe('installing the extension', () => {
  it('says what was tried when it cannot be had, and leaves nothing behind', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'auraison-ext-'));
    const attempt = installDucklakeExtension({ directory, clock, python: 'no-such-python' });
    const outcome = await attempt.catch((error: unknown) => error);
    if (outcome instanceof Error) {
      expect(outcome).toMatchObject({
        code: 'host.missing',
        message: expect.stringContaining('no-such-python'),
      });
      expect(readdirSync(directory)).toEqual([]);
    } else expect(outcome).toMatchObject({ from: 'server' });
    await rm(directory, { recursive: true, force: true });
  });
});
