import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import {
  type LakePage,
  type LakeReader,
  type LakeReadReply,
  type LakeRows,
  LIMITS,
  METHODS,
} from '../../contract/index.ts';
import { LakeReads } from '../../daemon/memory/lake-reads.ts';
import { MemoryCell } from '../../daemon/memory/memory-cell.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';

class Endless implements LakeReader {
  readonly columns = [{ name: 'x', type: 'VARCHAR' }];
  closed = 0;
  async next(bytes: number): Promise<LakePage> {
    return { rows: [['x']], bytes, cut: 0 };
  }
  async close(): Promise<void> {
    this.closed += 1;
  }
}

it('closes a statement from which nothing is fetched for too long, and none that is in use', async () => {
  const clock = new ManualClock();
  const reads = new LakeReads(clock);
  const reader = new Endless();
  const { readId } = await reads.open(async () => reader);
  for (let i = 0; i < 3; i++) {
    await clock.advance(LIMITS.LAKE_STREAM_IDLE_MS - 1);
    await reads.next(readId);
  }
  expect(reader.closed).toBe(0);
  await clock.advance(LIMITS.LAKE_STREAM_IDLE_MS + 1);
  expect(reader.closed).toBe(1);
  await expect(reads.next(readId)).rejects.toMatchObject({ code: 'lake.unavailable' });
});

it('closes a statement that lasts too long, though its rows are fetched', async () => {
  const clock = new ManualClock();
  const reads = new LakeReads(clock);
  const reader = new Endless();
  const { readId } = await reads.open(async () => reader);
  const step = LIMITS.LAKE_STREAM_IDLE_MS / 2;
  for (let ms = 0; ms < LIMITS.LAKE_STREAM_LIFE_MS - step; ms += step) {
    await reads.next(readId);
    await clock.advance(step);
  }
  expect(reader.closed).toBe(0);
  await clock.advance(step);
  expect(reader.closed).toBe(1);
});

it('leaves places of the lake to others, however many streams are asked for', async () => {
  const reads = new LakeReads(new ManualClock());
  const opened: Endless[] = [];
  const open = (principal: string, tenant = 'local') =>
    reads.open(
      async () => {
        opened.push(new Endless());
        return opened.at(-1)!;
      },
      { tenant, principal },
    );
  const asked = await Promise.allSettled(Array.from({ length: 8 }, () => open('ada')));
  const taken = asked.filter(({ status }) => status === 'fulfilled');
  expect([taken.length, opened.length]).toEqual([LIMITS.LAKE_STREAMS_EACH_MAX, LIMITS.LAKE_STREAMS_EACH_MAX]);
  await expect(open('ada')).rejects.toMatchObject({
    code: 'cell.overloaded',
    message: expect.stringContaining('ada already has 2 streamed answers open'),
  });
  // She keeps nobody else from reading, also not who has her name in another tenant.
  await expect(open('ada', 'acme')).resolves.toMatchObject({ readId: '3' });
  for (const who of ['bea', 'bea', 'cy']) await open(who);
  await expect(open('dan')).rejects.toMatchObject({ message: expect.stringContaining('to other callers') });
  reads.close('1');
  await expect(open('ada')).resolves.toMatchObject({ readId: '7' });
});

it('ends a stream at its budget and says so', async () => {
  const reads = new LakeReads(new ManualClock());
  const reader = new Endless();
  const { readId } = await reads.open(async () => reader);
  let bytes = 0;
  let page: LakePage;
  do {
    page = await reads.next(readId);
    bytes += page.bytes;
  } while (!page.end);
  expect(page.end).toEqual({
    truncated: true,
    reason: `the budget of ${LIMITS.LAKE_STREAM_BYTES_MAX} bytes`,
  });
  expect([bytes, reader.closed]).toEqual([LIMITS.LAKE_STREAM_BYTES_MAX, 1]);
});

it('hands a large result out page by page, and lets go of it at the end or when it is closed', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'lake-reads-'));
  const clock = new SystemClock();
  const lake = await DuckLakeLake.open({ dataDir, extensionDirectories: [], clock });
  const log = new MemoryEventLog({ cell: 'memory', clock });
  const bus = new FakeBus(clock);
  const cell = new MemoryCell(
    {
      ...{ name: 'memory', clock, log, bus, dataDir, attempt: 0, startReason: 'test' },
      report: () => {},
      emit: async () => {},
    },
    { openLake: async () => lake, openReader: () => log.reader(), openSegment: async function* () {} },
  );
  const ask = <T>(method: string, body: unknown) => bus.request<T>('memory', method, body, 20_000);
  onTestFinished(async () => {
    await cell.stop();
    await rm(dataDir, { recursive: true, force: true });
  });
  await cell.start();
  const { read, readNext, readClose } = METHODS.memory;
  const statement = { sql: "SELECT range, repeat('x', 1000) FROM range(3000)", limit: 100_000 };
  const { readId, columns } = await ask<LakeReadReply>(read, statement);
  expect(columns).toHaveLength(2);
  const counts: number[] = [];
  for (let end: LakePage['end']; !end; ) {
    const page = await ask<LakePage>(readNext, { readId });
    expect(page.bytes).toBeLessThanOrEqual(LIMITS.LAKE_PAGE_BYTES);
    counts.push(page.rows.length);
    end = page.end;
  }
  expect(counts.reduce((sum, count) => sum + count)).toBe(3000);
  expect(counts.length).toBeGreaterThan(5);
  const closed = { code: 'lake.unavailable' };
  await expect(ask(readNext, { readId })).rejects.toMatchObject(closed);
  // As many as there are places, again and again.
  for (let i = 0; i < 8; i++) {
    const other = await ask<LakeReadReply>(read, statement);
    await ask(readClose, { readId: other.readId });
    await expect(ask(readNext, { readId: other.readId })).rejects.toMatchObject(closed);
  }
  expect((await ask<LakeRows>(METHODS.memory.query, { sql: 'SELECT 1' })).rows).toEqual([[1]]);
  // What the engine does not end is work that stands still: the supervisor restarts such a cell.
  const overdue = () => cell.work().find(({ name }) => name === 'interrupted queries');
  expect(overdue()).toMatchObject({ done: 0, waiting: 0 });
  lake.overdue = () => ({ count: 2, oldest: 7 });
  expect(overdue()).toMatchObject({ done: 7, waiting: 2 });
});
