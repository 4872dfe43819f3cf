import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import {
  cacheDirectory,
  type DuckLakeLake,
  installDucklakeExtension,
  LakePlaces,
  REMOTE_EXTENSIONS,
  type RemotePlace,
} from '../../adapters/ducklake/index.ts';
import { type AgentEvent, type CellContext, METHODS, topicTables } from '../../contract/index.ts';
import { MemoryCell } from '../../daemon/memory/memory-cell.ts';
import { logged } from '../conformance/lake.ts';
import { evicted, stepOf, stepSegment } from '../conformance/lake-segments.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';
import { LakeServers } from '../support/lake-servers.ts';
import { Recordings, recorded, sealedEvent } from '../support/recorded-topics.ts';
import { runEvents } from '../support/sample-events.ts';

const clock = new SystemClock();
const extensionDirectories = [cacheDirectory()];
const ASK = { limit: 1000, timeoutMs: 20_000 };
const NEVER = () => false;

let servers: LakeServers;
let dataDir: string;
let place: RemotePlace;
let events: readonly AgentEvent[];
const recordings = new Recordings();

beforeAll(async () => {
  for (const extension of REMOTE_EXTENSIONS)
    await installDucklakeExtension({ directory: cacheDirectory(), clock, extension });
  servers = await LakeServers.start('seaweedfs');
  events = await logged('runtime', Array.from({ length: 200 }, (_, i) => runEvents(i * 50, 12)).flat());
}, 300_000);
afterAll(() => servers?.stop());
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'auraison-promote-'));
  place = servers.place();
});
afterEach(() => rm(dataDir, { recursive: true, force: true }));

const places = (isRemote = true) =>
  new LakePlaces(
    { dataDir, extensionDirectories, clock, openRecorded: recordings.open, topics: topicTables([], true) },
    isRemote ? () => place : undefined,
  );

/** Events, control steps and a table of messages. */
async function fill(lake: DuckLakeLake): Promise<void> {
  await lake.project('runtime', events.slice(0, 5_000));
  const path = 'bags/a/0.mcap';
  const messages = Array.from({ length: 50 }, (_, i) =>
    recorded('/tf', 'tf2_msgs/msg/TFMessage', { transforms: [{ child_frame_id: `f${i}` }] }, i),
  );
  // Few rows, with a time within a struct: DuckLake cannot read these where they stand in PostgreSQL.
  const stamped = { header: { stamp: { sec: 1_700_000_000, nanosec: 1 }, frame_id: 'odom' } };
  messages.push(recorded('/odom', 'nav_msgs/msg/Odometry', stamped, 60));
  recordings.segments.set(path, messages);
  const sealed = [...stepSegment('ring', 1, 3000), sealedEvent(path, messages)];
  await lake.project('execution', await logged('execution', sealed));
  for (const segment of await lake.unreadSegments('/auraison/actions/', 9)) {
    const steps = Array.from({ length: 3000 }, (_, i) => stepOf(i));
    await lake.addSteps(segment, { from: 0, steps, end: { fault: '', unreadable: 0 } });
  }
  while (await lake.readTopics(NEVER));
}

const figure = async (lake: DuckLakeLake, sql: string) => (await lake.query(sql, ASK)).rows[0];
const COUNTS =
  'SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM actions), (SELECT count(*) FROM tf), (SELECT header.frame_id FROM odometry)';

describe('a lake that is moved to servers', () => {
  it('stays where its rows are until it is asked for, and is proven equal there and back', async () => {
    const embedded = await places(false).open();
    await fill(embedded);
    const counts = await figure(embedded, COUNTS);
    const digest = await embedded.digest();
    await embedded.close();

    const there = places();
    const source = await there.open();
    expect(source.info().place).toBe('embedded');
    // Interrupted after its first transactions: what is there is skipped afterwards.
    const cut = await there.mover(source, 'remote');
    let asked = 0;
    await cut.copy(() => ++asked > 3);
    const first = cut.progress().copied;
    await cut.abandon();
    const mover = await there.mover(source, 'remote');
    await mover.copy(NEVER);
    const { copied } = mover.progress();
    expect(first).toBeGreaterThan(0);
    expect(await mover.copy(NEVER)).toBe(0);
    expect(mover.progress().copied).toBe(copied);
    // Written while it is copied: rows that are new, and rows that go.
    await source.project('runtime', events);
    const log = await logged('execution', [
      ...stepSegment('ring', 1, 3000),
      sealedEvent('bags/a/0.mcap', recordings.segments.get('bags/a/0.mcap')!),
      evicted('ring', 1),
    ]);
    await source.project('execution', log);
    const { lake, tables } = await mover.finish();
    const after = await source.digest();
    expect(await lake.cursors()).toEqual(await source.cursors());
    expect(after).not.toBe(digest);
    await source.close();
    await mover.retire();
    const moved = lake as DuckLakeLake;
    expect(await moved.digest()).toBe(after);
    expect(tables.find(({ name }) => name === 'events')).toMatchObject({ rows: events.length + log.length });
    expect(tables.find(({ name }) => name === 'tf')).toMatchObject({ rows: 50 });
    expect(await figure(moved, COUNTS)).toEqual([events.length + log.length, 0, 50, 'odom']);
    expect(counts).toEqual([5_003, 3000, 50, 'odom']);
    expect(existsSync(join(dataDir, 'lake', 'catalog.ducklake'))).toBe(false);
    await moved.project('runtime', events);
    await moved.close();

    // The servers are no longer configured: a new lake beside them would lack what the logs no longer hold.
    await expect(places(false).open()).rejects.toMatchObject({ code: 'lake.unavailable' });

    const again = await places().open();
    expect(again.info()).toMatchObject({ place: 'remote', path: place.storage.url });
    const back = await places().mover(again, 'embedded');
    const home = await back.finish();
    await again.close();
    await back.retire();
    expect(await (home.lake as DuckLakeLake).digest()).toBe(after);
    expect(home.tables).toEqual(tables);
    expect(servers.objects(place)).toEqual([]);
    await home.lake.close();
    const last = await places(false).open();
    expect(await last.digest()).toBe(after);
    await last.close();
  });

  it('is moved by a running memory cell, which continues after a restart and while servers are away', async () => {
    const log = new MemoryEventLog({ cell: 'runtime', clock });
    await log.append(events.slice(0, 2_000).map(({ kind, payload }) => ({ kind, payload }) as never));
    const start = async () => {
      const bus = new FakeBus(clock);
      const context = { name: 'memory', clock, log, bus, dataDir, attempt: 0, startReason: 'test' };
      const own = places();
      const cell = new MemoryCell(
        { ...context, report: () => {}, emit: async () => {} } as unknown as CellContext,
        {
          openLake: (anew) => own.open(anew),
          openReader: (of) =>
            of === 'runtime' ? log.reader() : new MemoryEventLog({ cell: of, clock }).reader(),
          openSegment: async function* () {},
          moves: own,
        },
      );
      await cell.start();
      const ask = <T>(method: string, body: object) => bus.request<T>('memory', method, body, 30_000);
      return { cell, ask };
    };
    type State = {
      ready: boolean;
      lake?: { place?: string };
      move?: { state: string; tables: object[] };
      reason: string;
    };
    const status = (of: Awaited<ReturnType<typeof start>>) => of.ask<State>(METHODS.memory.status, {});

    // Rows first, without servers in the configuration.
    const embedded = await places(false).open();
    await embedded.close();
    await servers.s3.kill();
    const first = await start();
    await first.ask(METHODS.memory.sync, {});
    await first.ask(METHODS.memory.move, { to: 'remote' });
    await expect.poll(async () => (await status(first)).move?.state, { timeout: 60_000 }).toBe('waiting');
    // It answers and takes events meanwhile.
    await log.append(events.slice(2_000, 2_100).map(({ kind, payload }) => ({ kind, payload }) as never));
    await first.ask(METHODS.memory.sync, {});
    const { rows } = await first.ask<{ rows: unknown[][] }>(METHODS.memory.query, {
      sql: 'SELECT count(*) FROM events',
    });
    expect(rows).toEqual([[2_100]]);
    await first.cell.stop();
    await servers.s3.start();

    const second = await start();
    await expect.poll(async () => (await status(second)).lake?.place, { timeout: 90_000 }).toBe('remote');
    expect((await status(second)).move).toMatchObject({ state: 'done' });
    await second.ask(METHODS.memory.sync, {});
    const there = await second.ask<{ rows: unknown[][] }>(METHODS.memory.query, {
      sql: 'SELECT count(*) FROM events',
    });
    expect(there.rows).toEqual([[2_100]]);

    // Both servers go: events wait, the status says why, and all are there once the servers are back.
    await servers.postgres.kill();
    await log.append(events.slice(2_100, 2_400).map(({ kind, payload }) => ({ kind, payload }) as never));
    await second.ask(METHODS.memory.sync, {}).catch(() => {});
    await expect.poll(async () => (await status(second)).ready, { timeout: 60_000 }).toBe(false);
    expect((await status(second)).reason).toMatch(/lake: .*(refused|connect|closed|terminat)/i);
    await servers.postgres.start();
    await expect
      .poll(
        () =>
          second.ask(METHODS.memory.sync, {}).then(
            () => true,
            () => false,
          ),
        { timeout: 90_000 },
      )
      .toBe(true);
    const all = await second.ask<{ rows: unknown[][] }>(METHODS.memory.query, {
      sql: 'SELECT count(*), count(DISTINCT seq) FROM events',
    });
    expect(all.rows).toEqual([[2_400, 2_400]]);
    await second.cell.stop();
  });
});
