import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { openEventLog, openEventReader } from '../../adapters/event-log/index.ts';
import type { NewEvent } from '../../contract/index.ts';

const id = (n: number) => `0190a000-0000-7000-8000-${String(n).padStart(12, '0')}`;
let dataDir: string;
let lake: DuckLakeLake;
beforeEach(async () => {
  dataDir = mkdtempSync(join(tmpdir(), 'auraison-lake-'));
  lake = await DuckLakeLake.open({ dataDir, clock: new SystemClock(), extensionDirectories: [] });
});
afterEach(async () => {
  await lake.close();
  rmSync(dataDir, { recursive: true, force: true });
});

async function project(events: readonly NewEvent[]): Promise<void> {
  const log = await openEventLog(dataDir, 'execution', new SystemClock());
  await log.append(events);
  await log.close();
  const reader = openEventReader(dataDir, 'execution');
  await lake.project('execution', reader.read(0, 1_000));
  reader.close();
}
const rows = async (sql: string) => (await lake.query(sql, { limit: 100, timeoutMs: 10_000 })).rows;

describe('the lake', () => {
  it('shows whole episodes with their latest label, and none that was discarded or cut off', async () => {
    const started = (n: number) =>
      ({ kind: 'episode.started', payload: { episode_id: id(n), bag: `e${n}`, label: 'first' } }) as const;
    const ended = (n: number) =>
      ({
        kind: 'episode.ended',
        payload: {
          episode_id: id(n),
          bag: `e${n}`,
          label: 'pick',
          success: true,
          start_ns: '1000',
          end_ns: '2000',
          messages: 7,
          bytes: 99,
          segments: 1,
        },
      }) as const;
    await project([
      ...[started(1), ended(1), started(2), ended(2), started(3), started(4)],
      {
        kind: 'episode.relabelled',
        payload: { episode_id: id(1), bag: 'e1', label: 'place', success: false },
      },
      { kind: 'episode.discarded', payload: { episode_id: id(2), bag: 'e2', reason: 'no' } },
      { kind: 'episode.discarded', payload: { episode_id: id(3), bag: 'e3', reason: 'cut' } },
    ]);
    expect(await rows('SELECT bag, label, success, messages FROM episodes')).toEqual([
      ['e1', 'place', false, 7],
    ]);
  });

  it('keeps the ledger exact when a segment is deleted, and takes it out of its bag', async () => {
    const sealed = (n: number): NewEvent<'segment.sealed'> => ({
      kind: 'segment.sealed',
      payload: {
        bag: 'ring',
        path: `bags/ring/ring_${n}.mcap`,
        sha256: '0'.repeat(64),
        bytes: 100,
        messages: 10,
        start_ns: '1',
        end_ns: '2',
        topics: { '/a': 10 },
        repaired: false,
      },
    });
    const losses = (n: number): NewEvent<'losses.recorded'> => ({
      kind: 'losses.recorded',
      payload: {
        bag: 'ring',
        segment: `bags/ring/ring_${n}.mcap`,
        topics: [{ topic: '/a', received: 12, written: 10, dropped: { queue_full: 2 } }],
      },
    });
    const evicted: NewEvent<'segment.evicted'> = {
      kind: 'segment.evicted',
      payload: {
        bag: 'ring',
        path: 'bags/ring/ring_0.mcap',
        bytes: 100,
        messages: 10,
        reason: 'ring',
        topics: { '/a': 8 },
      },
    };
    await project([
      ...[sealed(0), losses(0), sealed(1), losses(1)],
      evicted,
      {
        kind: 'clip.recorded' as const,
        payload: {
          ...{ clip_id: id(9), bag: 'clip', trigger: 'api', reason: 'x', trigger_ns: '2' },
          ...{ start_ns: '1', end_ns: '2', messages: 2, bytes: 50 },
        },
      },
    ]);
    expect(await rows('SELECT sum(received)::INT, sum(written)::INT, sum(dropped)::INT FROM losses')).toEqual(
      [[24, 12, 12]],
    );
    expect(await rows('SELECT bag, segments::INT, messages::INT FROM bags')).toEqual([['ring', 1, 10]]);
    expect(await rows('SELECT bag, trigger, messages::INT FROM clips')).toEqual([['clip', 'api', 2]]);
    expect(await rows('SELECT path, reason FROM evictions')).toEqual([['bags/ring/ring_0.mcap', 'ring']]);
  });
});
