import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake, type RestableLake, RestingLake } from '../../adapters/ducklake/index.ts';
import type { LakeAsk, LakeReader, UnreadSegment } from '../../contract/index.ts';
import { lakeConformance } from '../conformance/lake.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const REST_MS = 30_000;
const ASK: LakeAsk = { limit: 10, timeoutMs: 20_000 };
const CURSORS = { runtime: { epoch: 'e', seq: 7, hash: 'h' } };

/** A lake that counts how often it was opened and closed, beside the one that rests over it. */
async function setup() {
  const clock = new ManualClock();
  const seen = {
    ...{ opened: 0, closed: 0, asked: 0, idle: true },
    unread: [] as UnreadSegment[],
    fault: undefined as Error | undefined,
    query: async () => 'rows',
  };
  const lake = await RestingLake.open(
    async () => {
      if (seen.fault) throw seen.fault;
      seen.opened += 1;
      let isOpen = true;
      const used = async <T>(value: T) => {
        if (!isOpen) throw new Error('used after it was closed');
        return value;
      };
      return {
        info: () => ({ kind: 'duckdb', why: '', path: '' }),
        overdue: () => ({ count: 0, oldest: 0 }),
        get isIdle() {
          return seen.idle;
        },
        cursors: () => {
          seen.asked += 1;
          return used(CURSORS);
        },
        project: () => used(undefined),
        query: async () => used(await seen.query()),
        read: () => used({} as LakeReader),
        unreadSegments: () => used(seen.unread),
        close: async () => {
          isOpen = false;
          seen.closed += 1;
        },
      } as unknown as RestableLake;
    },
    clock,
    REST_MS,
  );
  /** What the memory cell does every two seconds, for a while. */
  const rounds = async (ms: number) => {
    for (let at = 0; at < ms; at += 2_000) {
      await clock.advance(2_000);
      await lake.cursors();
      await lake.unreadSegments('/', 1);
    }
  };
  return { clock, lake, seen, rounds };
}

describe('a lake that is not used', () => {
  it('closes its engine, and still says how far it is without opening it', async () => {
    const { lake, seen, rounds } = await setup();
    await rounds(2 * REST_MS);
    expect(seen).toMatchObject({ opened: 1, closed: 1 });
    const asked = seen.asked;
    expect(await lake.cursors()).toEqual(CURSORS);
    expect(await lake.unreadSegments('/', 1)).toEqual([]);
    expect(lake.info().kind).toBe('duckdb');
    expect(seen).toMatchObject({ opened: 1, asked });
  });

  it.each(['query', 'read', 'project'] as const)(
    'is opened again by %s, once for many, and rests again',
    async (how) => {
      const { lake, seen, rounds } = await setup();
      await rounds(2 * REST_MS);
      const use = () => (how === 'project' ? lake.project('runtime', []) : lake[how]('SELECT 1', ASK));
      await Promise.all([use(), use(), use()]);
      expect(seen).toMatchObject({ opened: 2, closed: 1 });
      await rounds(3 * REST_MS);
      expect(seen).toMatchObject({ opened: 2, closed: 2 });
    },
  );

  it('stays open while it is asked now and then', async () => {
    const { lake, seen, rounds } = await setup();
    for (let i = 0; i < 8; i++) {
      await rounds(REST_MS - 4_000);
      await lake.query('SELECT 1', ASK);
    }
    expect(seen).toMatchObject({ opened: 1, closed: 0 });
  });

  it('stays open while a statement runs, rows are fetched or a segment is left to read', async () => {
    const { lake, seen, rounds } = await setup();
    const slow = Promise.withResolvers<string>();
    seen.query = () => slow.promise;
    const answer = lake.query('SELECT 1', ASK);
    await rounds(3 * REST_MS);
    expect(seen.closed).toBe(0);
    slow.resolve('late');
    expect(await answer).toBe('late');
    seen.idle = false;
    await rounds(3 * REST_MS);
    seen.idle = true;
    seen.unread = [{} as UnreadSegment];
    await rounds(3 * REST_MS);
    expect(seen.closed).toBe(0);
    seen.unread = [];
    await rounds(2 * REST_MS);
    expect(seen).toMatchObject({ opened: 1, closed: 1 });
  });

  it('gives the error where it cannot be opened again, and tries again for the next caller', async () => {
    const { lake, seen, rounds } = await setup();
    await rounds(2 * REST_MS);
    seen.fault = new Error('another process has it');
    await expect(lake.query('SELECT 1', ASK)).rejects.toThrow('another process has it');
    seen.fault = undefined;
    expect(await lake.query('SELECT 1', ASK)).toBe('rows');
    await lake.close();
    await lake.close();
    expect(seen).toMatchObject({ opened: 2, closed: 2 });
  });

  it('closed while it rests, is opened by nothing', async () => {
    const { lake, seen, rounds } = await setup();
    await rounds(2 * REST_MS);
    await lake.close();
    await expect(lake.query('SELECT 1', ASK)).rejects.toMatchObject({ code: 'lake.unavailable' });
    expect(seen).toMatchObject({ opened: 1, closed: 1 });
  });
});

/** Rests after each use that leaves no segment unread: what one engine did, the next one finds. */
async function restless(dataDir: string) {
  const clock = new SystemClock();
  const commits = { count: 0 };
  const open = () => DuckLakeLake.open({ dataDir, extensionDirectories: [], clock, commits });
  const lake = await RestingLake.open(open, clock, 1);
  const rested = async () => {
    if ((await lake.unreadSegments('/auraison/actions/', 1)).length > 0) return;
    await expect.poll(() => lake.isResting, { interval: 2 }).toBe(true);
  };
  const handler: ProxyHandler<typeof lake> = {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name === 'project' || name === 'query')
        return async (...args: unknown[]) => {
          await rested();
          return value.apply(target, args);
        };
      return value.bind(target);
    },
  };
  return Object.assign(new Proxy(lake, handler), { digest: () => lake.with((one) => one.digest()) });
}

lakeConformance('plain DuckDB that rests', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'auraison-lake-'));
  return { open: () => restless(dataDir), dispose: () => rm(dataDir, { recursive: true, force: true }) };
});
