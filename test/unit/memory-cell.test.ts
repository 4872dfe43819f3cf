import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { segmentMessages } from '../../adapters/rosbag/index.ts';
import {
  type CellContext,
  type CellName,
  EdgeError,
  type EventReader,
  type Lake,
  type LakeInfo,
  type LakeRows,
  type LakeSyncReply,
  METHODS,
  type MemoryStatus,
  type NewEvent,
} from '../../contract/index.ts';
import { MemoryCell, type MemoryPorts } from '../../daemon/memory/memory-cell.ts';
import { stepOf } from '../conformance/lake-segments.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { MemoryEventLog, MemoryLogDisk } from '../fakes/memory-event-log.ts';
import { runEvents, segmentEvents } from '../support/sample-events.ts';
import { writeSteps } from '../support/step-segment.ts';

const clock = new SystemClock();
const { memory } = METHODS;

/** The logs of a whole daemon in memory, a real lake in plain DuckDB, and the cell between them. */
class Rig {
  readonly disks = new Map<CellName, MemoryLogDisk>();
  readonly logs = new Map<CellName, MemoryEventLog>();
  readonly bus = new FakeBus(clock);
  readonly reports: string[] = [];
  /** When set, opening the lake, or every projection, fails with it. */
  openFault: EdgeError | undefined;
  projectFault: EdgeError | undefined;
  /** When set, the lake takes no control steps, or cannot say which it lacks. */
  stepFault: Error | undefined;
  unreadFault: Error | undefined;
  readFault = new Map<CellName, EdgeError>();
  opened = 0;
  lake: DuckLakeLake | undefined;
  cell: MemoryCell;
  readonly dataDir: string;

  constructor(dataDir: string, more: Partial<MemoryPorts> = {}) {
    this.dataDir = dataDir;
    this.cell = new MemoryCell(this.#context(), {
      openLake: () => this.#openLake(),
      openReader: (cell) => this.#reader(cell),
      openSegment: async function* () {},
      ...more,
    });
  }

  log(cell: CellName): MemoryEventLog {
    const known = this.logs.get(cell);
    if (known) return known;
    const disk = new MemoryLogDisk();
    const log = new MemoryEventLog({ cell, clock, disk });
    this.disks.set(cell, disk);
    this.logs.set(cell, log);
    return log;
  }

  ask<T>(method: string, body: unknown = {}): Promise<T> {
    return this.bus.request<T>('memory', method, body, 20_000);
  }

  async count(sql: string): Promise<unknown> {
    return (await this.ask<LakeRows>(memory.query, { sql })).rows[0]?.[0];
  }

  ownKinds(): string[] {
    return this.log('memory').events.map((event) => event.kind);
  }

  #context(): CellContext {
    const log = this.log('memory');
    return {
      name: 'memory',
      clock,
      log,
      bus: this.bus,
      dataDir: this.dataDir,
      attempt: 0,
      startReason: 'test',
      report: (level, message) => this.reports.push(`${level} ${message}`),
      emit: async (events) => void (await log.append(events)),
    };
  }

  async #openLake(): Promise<Lake> {
    this.opened += 1;
    if (this.openFault) throw this.openFault;
    const lake = await DuckLakeLake.open({ dataDir: this.dataDir, extensionDirectories: [], clock });
    this.lake = lake;
    return {
      info: () => lake.info(),
      project: async (cell, events) => {
        if (this.projectFault) throw this.projectFault;
        return lake.project(cell, events);
      },
      cursors: () => lake.cursors(),
      ...{ query: lake.query.bind(lake), read: lake.read.bind(lake), overdue: lake.overdue.bind(lake) },
      rebuild: (cell) => lake.rebuild(cell),
      unreadSegments: async (topicsBegin, limit) => {
        if (this.unreadFault) throw this.unreadFault;
        return lake.unreadSegments(topicsBegin, limit);
      },
      addSteps: async (segment, batch) => {
        if (this.stepFault) throw this.stepFault;
        return lake.addSteps(segment, batch);
      },
      close: () => lake.close(),
    };
  }

  /** Looks the log up at every call: it may appear, and be replaced, later. */
  #reader(cell: CellName): EventReader {
    const now = () => {
      const fault = this.readFault.get(cell);
      if (fault) throw fault;
      return this.logs.get(cell)?.reader();
    };
    return {
      read: (after, limit, filter) => now()?.read(after, limit, filter) ?? [],
      lastSeq: () => now()?.lastSeq() ?? 0,
      close: () => {},
    };
  }
}

const stopped: NewEvent = { kind: 'cell.stopped', payload: { reason: 'test' } };
const broken = new EdgeError('lake.failed', {
  operation: 'test',
  subject: 'lake',
  message: 'the disk is full',
});

describe('memory cell', () => {
  let dataDir: string;
  let rig: Rig;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'auraison-memory-'));
    rig = new Rig(dataDir);
  });
  afterEach(async () => {
    await rig.cell.stop();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('projects what is in the logs by the time it is asked, also logs that appear later', async () => {
    await rig.log('runtime').append(runEvents(1));
    await rig.cell.start();
    const reply = await rig.ask<LakeSyncReply>(memory.sync);
    expect(reply.projected).toEqual({ runtime: runEvents(1).length });
    expect(await rig.count('SELECT count(*) FROM runs')).toBe(1);
    await rig.log('execution').append(segmentEvents('hall', 1));
    await rig.log('runtime').append(runEvents(300));
    expect((await rig.ask<LakeSyncReply>(memory.sync)).projected).toMatchObject({ execution: 2 });
    expect(await rig.count('SELECT count(*) FROM runs')).toBe(2);
    expect(await rig.count('SELECT sum(messages) FROM bags')).toBe(300);
    expect(rig.cell.work()[0]).toMatchObject({ done: 2 * runEvents(1).length + 2, waiting: 0 });
  });

  it('projects by itself, without being asked', async () => {
    await rig.cell.start();
    await rig.log('runtime').append(runEvents(1));
    await expect.poll(() => rig.count('SELECT count(*) FROM runs'), { timeout: 15_000 }).toBe(1);
  });

  it('shows the steps of controllers that a sealed segment holds, also those of before its restart', async () => {
    const openSegment = segmentMessages(dataDir);
    rig = new Rig(dataDir, { openSegment });
    const steps = (from: number) => Array.from({ length: 3_000 }, (_, i) => stepOf(from + i));
    const log = rig.log('execution');
    await log.append([await writeSteps(dataDir, 'bags/a/a_0.mcap', steps(0))]);
    await rig.cell.start();
    const shown = () => rig.count('SELECT count(*) FROM actions');
    await expect.poll(shown, { timeout: 10_000 }).toBe(3_000);
    await rig.cell.stop();
    const other = new Rig(dataDir, { openSegment });
    for (const [cell, one] of rig.logs) other.logs.set(cell, one);
    rig = other;
    await log.append([await writeSteps(dataDir, 'bags/a/a_1.mcap', steps(3_000))]);
    await rig.cell.start();
    await expect.poll(shown, { timeout: 10_000 }).toBe(6_000);
    await rig.ask(memory.rebuild);
    await expect.poll(shown, { timeout: 10_000 }).toBe(6_000);
  });

  it('stays open and projects while steps cannot be written, says so once, and recovers', async () => {
    rig = new Rig(dataDir, { openSegment: segmentMessages(dataDir) });
    let asked = 0;
    const get = () => (++asked < 5 ? new Error(`no table step_segments, ${asked}`) : undefined);
    Object.defineProperty(rig, 'unreadFault', { get });
    await rig.log('execution').append([await writeSteps(dataDir, 'bags/a/a_0.mcap', [stepOf(1)])]);
    await rig.cell.start();
    const status = () => rig.ask<MemoryStatus>(memory.status);
    await expect.poll(async () => (await status()).reason, { timeout: 10_000 }).toContain('control steps');
    expect(await status()).toMatchObject({ ready: true });
    await rig.log('runtime').append(runEvents(1));
    await rig.ask(memory.sync);
    expect(await rig.count('SELECT count(*) FROM runs')).toBe(1);
    await expect.poll(() => rig.count('SELECT count(*) FROM actions'), { timeout: 25_000 }).toBe(1);
    await expect.poll(() => rig.ownKinds()).toEqual(['cell.degraded', 'cell.recovered']);
    rig.stepFault = new Error('not these');
    for (const n of [1, 2])
      await rig.log('execution').append([await writeSteps(dataDir, `bags/a/a_${n}.mcap`, [stepOf(n + 1)])]);
    await expect.poll(() => rig.ownKinds(), { timeout: 10_000 }).toHaveLength(3);
    await rig.ask(memory.sync);
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    await rig.ask(memory.sync);
    expect(rig.ownKinds()).toEqual(['cell.degraded', 'cell.recovered', 'cell.degraded']);
    expect(rig.opened).toBe(1);
  }, 60_000);

  it('reports its lag and its lake', async () => {
    await rig.cell.start();
    await rig.ask(memory.sync);
    await rig.log('runtime').append([stopped, stopped, stopped]);
    const status = await rig.ask<MemoryStatus>(memory.status);
    expect(status).toMatchObject({ ready: true, lake: { kind: 'duckdb' }, reason: '' });
    expect(status.lag['runtime'] ?? 3).toBe(3);
    await rig.ask(memory.sync);
    expect((await rig.ask<MemoryStatus>(memory.status)).lag).toMatchObject({ runtime: 0 });
  });

  it('goes on at its cursor after a restart, and doubles nothing', async () => {
    await rig.log('runtime').append(runEvents(1));
    await rig.cell.start();
    await rig.ask(memory.sync);
    await rig.cell.stop();
    const again = new Rig(dataDir);
    const disk = rig.disks.get('runtime')!;
    await rig.log('runtime').close();
    again.logs.set('runtime', new MemoryEventLog({ cell: 'runtime', clock, disk }));
    rig = again;
    await rig.cell.start();
    await rig.log('runtime').append([stopped]);
    await rig.ask(memory.sync);
    expect(await rig.count('SELECT count(*) FROM events')).toBe(runEvents(1).length + 1);
    expect(rig.cell.work()[0]?.done).toBe(1);
  });

  it('reads a log that was begun anew from its beginning, beside the old rows', async () => {
    await rig.log('runtime').append(runEvents(1));
    await rig.cell.start();
    await rig.ask(memory.sync);
    rig.logs.set(
      'runtime',
      new MemoryEventLog({ cell: 'runtime', clock, random: () => new Uint8Array(10).fill(99) }),
    );
    await rig.log('runtime').append(runEvents(500));
    await rig.log('runtime').append(runEvents(700));
    await rig.ask(memory.sync);
    expect(await rig.count('SELECT count(*) FROM runs')).toBe(3);
    expect(await rig.count('SELECT count(DISTINCT epoch) FROM events')).toBe(2);
  });

  it('believes the log when a lying disk lost its end but not that of the lake', async () => {
    await rig.log('runtime').append(runEvents(1));
    await rig.cell.start();
    await rig.ask(memory.sync);
    const disk = rig.disks.get('runtime')!;
    disk.events.splice(5);
    await rig.log('runtime').append([stopped, stopped]);
    await rig.ask(memory.sync);
    expect(await rig.count('SELECT count(*) FROM events')).toBe(7);
    const { rows } = await rig.ask<LakeRows>(memory.query, { sql: 'SELECT hash FROM events ORDER BY seq' });
    expect(rows.flat()).toEqual(disk.events.map((event) => event.hash));
    expect(rig.reports).toContain(
      'warn the lakehouse did not match the event log of runtime and was rebuilt from it',
    );
  });

  it('rebuilds to the same digest', async () => {
    for (let i = 0; i < 5; i++) await rig.log('runtime').append(runEvents(i * 100));
    await rig.log('execution').append(segmentEvents('hall', 1, 3));
    await rig.cell.start();
    await rig.ask(memory.sync);
    const before = await rig.lake!.digest();
    const reply = await rig.ask<LakeSyncReply>(memory.rebuild);
    expect(reply.projected).toMatchObject({ runtime: 5 * runEvents(1).length, execution: 2 });
    expect(await rig.lake!.digest()).toBe(before);
  });

  it('degrades when the lake cannot be opened, says so once, and recovers', async () => {
    rig.openFault = new EdgeError('lake.unavailable', {
      operation: 'lake.open',
      subject: 'lake',
      message: 'held',
    });
    await rig.log('runtime').append(runEvents(1));
    await rig.cell.start();
    await expect(rig.ask(memory.query, { sql: 'SELECT 1' })).rejects.toMatchObject({
      code: 'lake.unavailable',
    });
    await expect(rig.ask(memory.sync)).rejects.toMatchObject({ code: 'lake.unavailable', message: 'held' });
    await expect.poll(() => rig.opened, { timeout: 10_000 }).toBeGreaterThan(3);
    expect(rig.ownKinds()).toEqual(['cell.degraded']);
    expect(await rig.ask<MemoryStatus>(memory.status)).toMatchObject({ ready: false, reason: 'lake: held' });
    expect(rig.cell.work()[0]?.waiting).toBe(0);
    rig.openFault = undefined;
    await rig.ask(memory.sync);
    expect(rig.ownKinds()).toEqual(['cell.degraded', 'cell.recovered']);
    expect(await rig.count('SELECT count(*) FROM runs')).toBe(1);
  });

  it('loses nothing while the lake refuses to be written', async () => {
    await rig.cell.start();
    await rig.ask(memory.sync);
    rig.projectFault = broken;
    await rig.log('runtime').append(runEvents(1));
    await expect(rig.ask(memory.sync)).rejects.toMatchObject({
      code: 'lake.failed',
      message: 'the disk is full',
    });
    await rig.log('runtime').append(runEvents(200));
    rig.projectFault = undefined;
    await rig.ask(memory.sync);
    expect(await rig.count('SELECT count(*) FROM runs')).toBe(2);
    expect(rig.ownKinds()).toEqual(['cell.degraded', 'cell.recovered']);
  });

  it('is not held up by a log that cannot be read', async () => {
    rig.readFault.set(
      'execution',
      new EdgeError('log.damaged', { operation: 'read', subject: 'execution.db' }),
    );
    await rig.log('runtime').append(runEvents(1));
    await rig.log('execution').append(segmentEvents('hall', 1));
    await rig.cell.start();
    const reply = await rig.ask<LakeSyncReply>(memory.sync);
    expect(reply.projected).toMatchObject({ runtime: runEvents(1).length });
    expect(await rig.ask<MemoryStatus>(memory.status)).toMatchObject({
      ready: true,
      reason: expect.stringContaining('log of execution'),
    });
    rig.readFault.clear();
    await rig.ask(memory.sync);
    expect(await rig.count('SELECT count(*) FROM segments')).toBe(1);
    expect(rig.ownKinds()).toEqual(['cell.degraded', 'cell.recovered']);
  });

  it('refuses malformed requests and passes on the engine’s refusals', async () => {
    await rig.cell.start();
    await expect(rig.ask(memory.query, { sql: 7 })).rejects.toMatchObject({ code: 'schema.invalid' });
    await expect(rig.ask(memory.query, { sql: 'SELECT 1', limit: 0 })).rejects.toMatchObject({
      code: 'schema.invalid',
    });
    await expect(rig.ask(memory.query, { sql: 'DROP TABLE events' })).rejects.toMatchObject({
      code: 'lake.failed',
    });
  });

  it('stops without a finished start, twice, and settles who waits', async () => {
    await rig.cell.stop();
    const other = new Rig(dataDir);
    other.openFault = broken;
    await other.cell.start();
    const waiting = other.ask(memory.sync).catch((error: unknown) => error);
    await other.cell.stop();
    await other.cell.stop();
    expect(await waiting).toBeInstanceOf(EdgeError);
    await expect(other.ask(memory.sync)).rejects.toMatchObject({ code: 'lake.unavailable' });
  });
});

it('opens the lake again when the extension arrived', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'auraison-memory-'));
  let kind: LakeInfo['kind'] = 'duckdb';
  let opened = 0;
  const openLake = async (): Promise<Lake> => {
    opened += 1;
    const lake = await DuckLakeLake.open({ dataDir, extensionDirectories: [], clock });
    const info = { ...lake.info(), kind };
    return Object.assign(lake, { info: () => info });
  };
  const upgrade = async () => {
    kind = 'ducklake';
    return true;
  };
  const rig = new Rig(dataDir, { openLake, upgrade });
  await rig.log('runtime').append(runEvents(1));
  await rig.cell.start();
  await expect
    .poll(async () => (await rig.ask<MemoryStatus>(memory.status)).lake?.kind, { timeout: 10_000 })
    .toBe('ducklake');
  await rig.ask(memory.sync);
  expect(await rig.count('SELECT count(*) FROM runs')).toBe(1);
  expect(opened).toBe(2);
  await rig.cell.stop();
  await rm(dataDir, { recursive: true, force: true });
});
