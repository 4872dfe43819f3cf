import { describe, expect, it, vi } from 'vitest';
import { type Cell, EdgeError } from '../../contract/index.ts';
import { CellHost } from '../../daemon/cell/cell-host.ts';
import type { FromCell } from '../../daemon/cell/wire.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryEventLog } from '../fakes/memory-event-log.ts';

function setup(compose: () => Promise<Partial<Cell>>) {
  const clock = new ManualClock();
  const sent: FromCell[] = [];
  const log = new MemoryEventLog({ cell: 'runtime', clock });
  const cell = new CellHost({
    ...{ name: 'runtime', clock, dataDir: '/nowhere', version: '0.0.0', pid: 1 },
    post: (message) => sent.push(message),
    rssBytes: () => 7,
    openLog: async () => log,
    compose: async () => ({
      ...{ name: 'runtime', start: async () => {}, stop: async () => {}, work: () => [] },
      ...(await compose()),
    }),
  });
  return { cell, clock, log, sent, kinds: () => sent.map(({ t }) => t).filter((t) => t !== 'heartbeat') };
}

const ORDER = { attempt: 0, reason: 'start' } as const;

describe('a cell that is made before its turn', () => {
  it('has its parts when it starts, is made once, and works on nothing before', async () => {
    const steps: string[] = [];
    const { cell, log, kinds } = setup(async () => {
      steps.push('made');
      return { start: async () => void steps.push('started') };
    });
    await cell.receive({ t: 'make', ...ORDER });
    await vi.waitFor(() => expect(steps).toEqual(['made']));
    expect(kinds()).not.toContain('started');
    await cell.receive({ t: 'start', ...ORDER });
    expect(steps).toEqual(['made', 'started']);
    expect(kinds()).toContain('started');
    expect(
      log
        .reader()
        .read(0, 10)
        .map(({ kind }) => kind),
    ).toEqual(['cell.started']);
  });

  it('says at its start why it could not be made', async () => {
    const { cell, sent, kinds } = setup(async () => {
      throw new EdgeError('config.invalid', { operation: 'read URDF', subject: 'arm.urdf' });
    });
    await cell.receive({ t: 'make', ...ORDER });
    await new Promise((resolve) => setImmediate(resolve));
    expect(kinds()).not.toContain('failed');
    await cell.receive({ t: 'start', ...ORDER });
    expect(sent.find(({ t }) => t === 'failed')).toMatchObject({ error: { code: 'config.invalid' } });
  });

  it('ends in time where what it loads never comes', async () => {
    const { cell, clock, kinds } = setup(() => new Promise(() => {}));
    await cell.receive({ t: 'make', ...ORDER });
    const stopping = cell.stop('asked to');
    await clock.advance(1_000);
    await stopping;
    expect(kinds().at(-1)).toBe('stopped');
  });
});
