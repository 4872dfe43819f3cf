import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { REMOTE_EXTENSIONS } from '../../adapters/ducklake/extension-files.ts';
import { cacheDirectory, DuckLakeLake, installDucklakeExtension } from '../../adapters/ducklake/index.ts';
import { probeRemote } from '../../adapters/ducklake/probe-remote.ts';
import type { RemotePlace } from '../../adapters/ducklake/remote-place.ts';
import { lakeConformance, logged } from '../conformance/lake.ts';
import { evicted, lakeSegmentConformance, stepOf, stepSegment } from '../conformance/lake-segments.ts';
import { KEY_ID, LakeServers, PASSWORD, SECRET } from '../support/lake-servers.ts';
import { runEvents } from '../support/sample-events.ts';

const clock = new SystemClock();
const extensionDirectories = [cacheDirectory()];
const ASK = { limit: 1000, timeoutMs: 20_000 };
const KINDS = ['seaweedfs', 'rclone over TLS'] as const;

beforeAll(async () => {
  for (const extension of REMOTE_EXTENSIONS)
    await installDucklakeExtension({ directory: cacheDirectory(), clock, extension });
}, 300_000);

/** Each suite runs against one of both servers: both would take twice the time, and differ in nothing that it asks. */
const SUITES = { seaweedfs: lakeConformance, 'rclone over TLS': lakeSegmentConformance } as const;

for (const kind of KINDS)
  describe(kind, () => {
    let servers: LakeServers;
    let dataDir: string;
    const lakes: DuckLakeLake[] = [];
    const open = async (place: RemotePlace) => {
      const lake = await DuckLakeLake.open({ dataDir, extensionDirectories, clock, remote: () => place });
      lakes.push(lake);
      return lake;
    };
    const figure = async (lake: DuckLakeLake, sql: string) => (await lake.query(sql, ASK)).rows[0]?.[0];

    beforeAll(async () => {
      servers = await LakeServers.start(kind);
      dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
    });
    afterEach(async () => {
      for (const lake of lakes.splice(0)) await lake.close();
    });
    afterAll(async () => {
      await servers?.stop();
      await rm(dataDir, { recursive: true, force: true });
    });

    SUITES[kind](`PostgreSQL and ${kind}`, async () => {
      const place = servers.place();
      return {
        open: () => DuckLakeLake.open({ dataDir, extensionDirectories, clock, remote: () => place }),
        dispose: async () => {},
      };
    });

    it('keeps rows through maintenance and retention, with one owner, and gives the storage its room back', async () => {
      const place = servers.place();
      const lake = await open(place);
      expect(lake.info()).toMatchObject({ kind: 'ducklake', place: 'remote', path: place.storage.url });
      const other = { dataDir: join(dataDir, 'other'), extensionDirectories, clock, remote: () => place };
      await expect(DuckLakeLake.open(other)).rejects.toMatchObject({
        code: 'lake.unavailable',
        message: expect.stringContaining('belongs to another data directory'),
      });
      const events = await logged(
        'runtime',
        Array.from({ length: 4 }, (_, i) => runEvents(i * 50, 10)).flat(),
      );
      for (let at = 0; at < events.length; at += 130)
        await lake.project('runtime', events.slice(at, at + 130));
      const sealed = [...stepSegment('ring', 1, 3000), ...stepSegment('ring', 2, 3000)];
      const log = await logged('execution', [...sealed, evicted('ring', 1)]);
      await lake.project('execution', log.slice(0, sealed.length));
      for (const segment of await lake.unreadSegments('/auraison/actions/', 9)) {
        const first = segment.path.endsWith('1.mcap') ? 0 : 3000;
        const steps = Array.from({ length: 3000 }, (_, i) => stepOf(first + i));
        await lake.addSteps(segment, { from: 0, steps, end: { fault: '', unreadable: 0 } });
      }
      await lake.maintain();
      const digest = await lake.digest();
      const size = "SELECT sum(data_file_size_bytes) FROM ducklake_list_files('lake', 'action_steps')";
      const before = Number(await figure(lake, size));
      await lake.project('execution', log);
      await lake.maintain();
      expect(Number(await figure(lake, size))).toBeLessThan(before * 0.7);
      expect(await figure(lake, 'SELECT count(*) FROM actions')).toBe(3000);
      expect(await figure(lake, 'SELECT count(*) FROM events')).toBe(events.length + log.length);
      expect(await lake.digest()).not.toBe(digest);
      // Another client of S3 sees the files, and nothing of it after the lake was dropped.
      expect(servers.objects(place).some((name) => name.endsWith('.parquet'))).toBe(true);
      await lake.rebuild();
      expect(servers.objects(place).filter((name) => name.endsWith('.parquet'))).toEqual([]);
      expect(await lake.cursors()).toEqual({});
    });

    // How a commit is settled is the matter of PostgreSQL: one storage is enough.
    if (kind !== 'seaweedfs') return;
    it('has all that was acknowledged and no event twice after kills during its commits', async () => {
      const place = servers.place();
      let acknowledged = 0;
      for (let round = 0; round < 3; round++) {
        const child = spawn(
          process.execPath,
          [join(import.meta.dirname, '..', 'support', 'remote-lake-load.ts')],
          {
            stdio: ['pipe', 'pipe', 'inherit'],
          },
        );
        child.stdin.end(JSON.stringify({ dataDir, extensionDirectories, place }));
        const from = acknowledged;
        for await (const line of createInterface({ input: child.stdout })) {
          acknowledged = Math.max(acknowledged, Number(line));
          // Somewhere within the next commits, which follow one another without a pause.
          if (acknowledged > from + 150) setTimeout(() => child.kill('SIGKILL'), 40 * round);
        }
      }
      const lake = await open(place);
      expect(acknowledged).toBeGreaterThan(300);
      const { runtime } = await lake.cursors();
      expect(runtime!.seq).toBeGreaterThanOrEqual(acknowledged);
      const found = 'SELECT count(*) || count(DISTINCT seq) || max(seq) FROM events';
      expect(await figure(lake, found)).toBe(`${runtime!.seq}`.repeat(3));
    });
  });

describe('credentials and addresses', () => {
  let servers: LakeServers;
  let dataDir: string;
  const open = (place: RemotePlace) =>
    DuckLakeLake.open({ dataDir, extensionDirectories, clock, remote: () => place });
  beforeAll(async () => {
    servers = await LakeServers.start('rclone, virtual style');
    dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
  });
  afterAll(async () => {
    await servers?.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('names the bucket in the host, and shows no secret in SQL', async () => {
    const place = servers.place();
    const lake = await open(place);
    await lake.project('runtime', await logged('runtime', runEvents(1, 60)));
    expect(servers.objects(place).length).toBeGreaterThan(0);
    const { rows } = await lake.query('SELECT name, value FROM duckdb_settings()', ASK);
    for (const secret of [SECRET, KEY_ID, PASSWORD]) expect(JSON.stringify(rows)).not.toContain(secret);
    for (const table of [
      'duckdb_secrets()',
      'duckdb_databases()',
      "postgres_query('lake_owner', 'SELECT 1')",
      `lake_owner."${place.catalog.schema}".auraison_owner`,
      `__ducklake_metadata_lake."${place.catalog.schema}".auraison_owner`,
    ])
      await expect(lake.query(`SELECT * FROM ${table}`, ASK)).rejects.toMatchObject({ code: 'lake.failed' });
    await lake.close();
  });

  it('says which of both does not take its credentials, and no secret', async () => {
    const place = servers.place();
    const { catalog, storage } = place;
    const wrong = { ...place, catalog: { ...catalog, password: 'not-this-one' } };
    const refused = await open(wrong).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'lake.unavailable',
      message: expect.stringMatching(/password authentication failed/),
    });
    expect(JSON.stringify(refused)).not.toContain('not-this-one');
    expect(await probeRemote(extensionDirectories, place, clock)).toEqual({});
    expect(await probeRemote(extensionDirectories, wrong, clock)).toEqual({
      catalog: expect.stringContaining('password'),
    });
    const other = { ...place, storage: { ...storage, secret: 'nor-this' } };
    expect(await probeRemote(extensionDirectories, other, clock)).toEqual({ storage: expect.any(String) });
  });
});
