import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { HostedLake } from '../../adapters/ducklake/hosted-lake.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { LakeProcess } from '../../adapters/ducklake/lake-process.ts';
import type { ToLake } from '../../adapters/ducklake/lake-wire.ts';
import { RestingLake } from '../../adapters/ducklake/resting-lake.ts';
import type { LakeAsk, NewEvent } from '../../contract/index.ts';
import { lakeConformance, logged } from '../conformance/lake.ts';
import { isAlive } from '../support/processes.ts';
import { runEvents } from '../support/sample-events.ts';

const ENTRY = fileURLToPath(new URL('../../daemon/compose/lake-main.ts', import.meta.url));
const ASK: LakeAsk = { limit: 1_000, timeoutMs: 20_000 };
const LONG = 'SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range = b.range * 3';
const clock = new SystemClock();

function parts(said: string[] = []) {
  const spawn = () =>
    fork(ENTRY, [], {
      serialization: 'advanced',
      execArgv: ['--disable-warning=ExperimentalWarning'],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  const commits = { count: 0 };
  return { clock, commits, spawn, report: (_: string, message: string) => void said.push(message) };
}
const orderOf = (dataDir: string) => ({ dataDir, isPlain: true, topics: [] });

/** In place of a process: the host of the lake in this one, with messages copied as between two. */
function pretended(): ChildProcess {
  const child = new EventEmitter();
  const host = new HostedLake({
    clock,
    send: (message) => queueMicrotask(() => child.emit('message', structuredClone(message))),
    open: ({ dataDir, topics, anew }, commits, report) =>
      DuckLakeLake.open({ ...{ dataDir, clock, topics, commits, report }, extensionDirectories: [] }, anew),
    install: () => Promise.reject(new Error('not here')),
  });
  const end = (code: number | null, signal: string | null) => void child.emit('exit', code, signal);
  return Object.assign(child, {
    ...{ pid: undefined, connected: true },
    send: (message: ToLake) => void host.receive(structuredClone(message)),
    disconnect: () => end(0, null),
    kill: () => end(null, 'SIGKILL'),
  }) as unknown as ChildProcess;
}

lakeConformance('plain DuckDB behind messages', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
  return {
    open: () => LakeProcess.open({ ...parts(), spawn: pretended }, orderOf(dataDir)),
    dispose: () => rm(dataDir, { recursive: true, force: true }),
  };
});

describe('the process of a lake', () => {
  let dataDir: string;
  let lake: LakeProcess;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
    lake = await LakeProcess.open(parts(), orderOf(dataDir));
  });
  afterEach(async () => {
    await lake.close();
    await rm(dataDir, { recursive: true, force: true });
  });

  it('ends with the lake, which the next process finds as it was', async () => {
    const events = await logged('runtime', runEvents(100));
    await lake.project('runtime', events);
    const digest = await lake.digest();
    const pid = lake.pid!;
    await lake.close();
    expect(isAlive(pid)).toBe(false);
    await expect(lake.cursors()).rejects.toMatchObject({ code: 'lake.unavailable' });
    lake = await LakeProcess.open(parts(), orderOf(dataDir));
    expect(await lake.digest()).toBe(digest);
    expect((await lake.cursors()).runtime?.seq).toBe(events.length);
  });

  it('killed, rejects what was asked of it, keeps what was projected, and is started again', async () => {
    const events = await logged('runtime', runEvents(100));
    await lake.project('runtime', events);
    const asked = lake.query(LONG, ASK);
    process.kill(lake.pid!, 'SIGKILL');
    await expect(asked).rejects.toMatchObject({
      code: 'lake.failed',
      message: expect.stringContaining('signal SIGKILL'),
    });
    await expect(lake.project('runtime', events)).rejects.toMatchObject({ code: 'lake.failed' });
    await lake.close();
    lake = await LakeProcess.open(parts(), orderOf(dataDir));
    expect((await lake.cursors()).runtime?.seq).toBe(events.length);
    // What was acknowledged is not written twice, what was not is taken again.
    await lake.project('runtime', events);
    expect((await lake.query('SELECT count(*)::INT FROM events', ASK)).rows).toEqual([[events.length]]);
  });

  it('is closed while a statement runs: the statement is interrupted', async () => {
    const asked = lake.query(LONG, ASK).catch((error: unknown) => error);
    await lake.cursors();
    const pid = lake.pid!;
    await lake.close();
    expect(await asked).toMatchObject({ code: expect.stringMatching(/^lake\.|deadline/) });
    expect(isAlive(pid)).toBe(false);
  });

  it('gives rows page by page, and a statement that is closed has no more of them', async () => {
    const reader = await lake.read('SELECT range FROM range(5000)', { ...ASK, limit: 10_000 });
    expect(reader.columns.map(({ name }) => name)).toEqual(['range']);
    await lake.readTopics(() => false);
    expect(lake.isIdle).toBe(false);
    let rows = 0;
    for (;;) {
      const page = await reader.next(4_096);
      rows += page.rows.length;
      if (page.end) break;
    }
    expect(rows).toBe(5_000);
    await reader.close();
    await reader.close();
    await expect(reader.next(10)).rejects.toMatchObject({ code: 'lake.unavailable' });
    await lake.cursors();
    expect(lake.isIdle).toBe(true);
  });

  it('says why it cannot be opened, and leaves no process', async () => {
    const pids: number[] = [];
    const { spawn, ...rest } = parts();
    const noting = {
      ...rest,
      spawn: () => {
        const child = spawn();
        pids.push(child.pid!);
        return child;
      },
    };
    // Another process has it: the one of this test.
    await expect(LakeProcess.open(noting, orderOf(dataDir))).rejects.toMatchObject({
      code: 'lake.unavailable',
      hint: 'another process has the lakehouse open; stop that process',
    });
    expect(pids.map(isAlive)).toEqual([false]);
  });

  it('is not opened to its end where its cell stops meanwhile, and leaves no process', async () => {
    await lake.close();
    const ends = new AbortController();
    const { spawn, ...rest } = parts();
    let pid = 0;
    const noting = () => {
      const child = spawn();
      pid = child.pid!;
      return child;
    };
    const opened = LakeProcess.open({ ...rest, spawn: noting, ends: ends.signal }, orderOf(dataDir));
    ends.abort();
    await expect(opened).rejects.toMatchObject({ code: 'lake.failed' });
    expect(isAlive(pid)).toBe(false);
    lake = await LakeProcess.open(parts(), orderOf(dataDir));
    expect(lake.info().kind).toBe('duckdb');
  });

  it('reports of the lake arrive, and commits are counted on by the next process', async () => {
    await lake.close();
    const broken = join(dataDir, 'lake', 'plain.duckdb');
    await rm(broken);
    await writeFile(broken, 'this is no database');
    const said: string[] = [];
    const counted = parts(said);
    counted.commits.count = 7;
    lake = await LakeProcess.open(counted, orderOf(dataDir));
    expect(said.join()).toContain('the old lake could not be read');
    await lake.project('runtime', await logged('runtime', runEvents(100)));
    expect(counted.commits.count).toBe(8);
  });

  it('rests: the process is gone, and a statement starts another', async () => {
    await lake.close();
    const pids: number[] = [];
    const resting = await RestingLake.open(
      async () => {
        const opened = await LakeProcess.open(parts(), orderOf(dataDir));
        pids.push(opened.pid!);
        return opened;
      },
      clock,
      1,
    );
    const stopped: NewEvent = { kind: 'cell.stopped', payload: { reason: 'test' } };
    await resting.project('runtime', await logged('runtime', [stopped]));
    await expect
      .poll(async () => {
        await resting.unreadSegments('/auraison/actions/', 1);
        await resting.readTopics(() => false);
        return resting.isResting;
      })
      .toBe(true);
    await expect.poll(() => isAlive(pids[0]!)).toBe(false);
    expect((await resting.cursors()).runtime?.seq).toBe(1);
    expect((await resting.query('SELECT count(*)::INT FROM events', ASK)).rows).toEqual([[1]]);
    expect(pids).toHaveLength(2);
    await resting.close();
  });
});
