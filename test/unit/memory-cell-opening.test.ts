import { describe, expect, it } from 'vitest';
import { type CellContext, type Lake, METHODS, type MemoryStatus } from '../../contract/index.ts';
import { MemoryCell } from '../../daemon/memory/memory-cell.ts';
import { FakeBus } from '../fakes/fake-bus.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';

const { memory } = METHODS;
const OPEN_AFTER_MS = 2_000;

/** A memory cell whose lake is empty and counts how often it was opened. */
function setup() {
  const clock = new ManualClock();
  const bus = new FakeBus(clock);
  const log = new MemoryEventLog({ cell: 'memory', clock });
  let opened = 0;
  const lake = {
    info: () => ({ kind: 'ducklake', why: '', path: '' }),
    cursors: async () => ({}),
    query: async () => ({ columns: [], rows: [], bytes: 0, cut: 0, truncated: false, reason: '' }),
    overdue: () => ({ count: 0, oldest: 0 }),
    unreadSegments: async () => [],
    close: async () => {},
  } as unknown as Lake;
  const cell = new MemoryCell(
    { name: 'memory', clock, log, bus, report: () => {}, emit: async () => {} } as unknown as CellContext,
    {
      openAfterMs: OPEN_AFTER_MS,
      openLake: async () => {
        opened += 1;
        return lake;
      },
      openReader: () => ({ read: () => [], lastSeq: () => 0, close: () => {} }),
      openSegment: async function* () {},
    },
  );
  const ask = <T>(method: string, body: unknown = {}) => bus.request<T>('memory', method, body, 20_000);
  return { clock, cell, ask, opened: () => opened };
}

describe('the lake of a memory cell that starts', () => {
  it('opens when the other cells had their time, and the status says that it is not open yet', async () => {
    const { clock, cell, ask, opened } = setup();
    await cell.start();
    await clock.advance(OPEN_AFTER_MS - 1);
    expect(await ask<MemoryStatus>(memory.status)).toMatchObject({
      ready: false,
      reason: 'it opens a moment after the start',
    });
    expect(opened()).toBe(0);
    await clock.advance(1);
    expect(opened()).toBe(1);
    expect(await ask<MemoryStatus>(memory.status)).toMatchObject({ ready: true });
    await cell.stop();
  });

  it.each([
    ['a query', memory.query, { sql: 'SELECT 1' }],
    ['a synchronisation', memory.sync, {}],
  ] as const)('is opened at once by %s', async (_, method, body) => {
    const { cell, ask, opened } = setup();
    await cell.start();
    await ask(method, body);
    expect(opened()).toBe(1);
    await cell.stop();
  });

  it('is not opened for a stop', async () => {
    const { cell, opened } = setup();
    await cell.start();
    await cell.stop();
    expect(opened()).toBe(0);
  });
});
