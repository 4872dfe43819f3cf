import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { SegmentInfo } from '../../contract/index.ts';
import { auraisonAsync, freshDir, testDaemon } from '../support/daemon.ts';
import { foreignView, readersPython } from '../support/readers.ts';
import { RECORDED_MS, syntheticRecording } from '../support/synthetic-recording.ts';

/** `auraison bag play` as a user types it: through bus, recorder and lake of a real daemon. */
const directory = freshDir('bag-play');
afterAll(() => directory.remove());

type Played = { state: string; published: number; segments: SegmentInfo[] };

/** As fast as it was recorded, a short one will do. */
const RATES = [
  ['1', 12_000],
  ['10', RECORDED_MS],
] as const;

describe.each(RATES)('a recording, played at %s× by the command line', (rate, durationMs) => {
  it('is in the segments as in its source: counts, bytes and order by two foreign readers', {
    timeout: 180_000,
  }, async () => {
    readersPython();
    const path = syntheticRecording(durationMs);
    const dataDir = join(directory.path, `rate-${rate}`);
    const { status, stdout, stderr } = await auraisonAsync([
      'bag',
      'play',
      path,
      '--rate',
      rate,
      '--json',
      '--data-dir',
      dataDir,
    ]);
    expect(status, `${stdout}${stderr}`).toBe(0);
    const played = JSON.parse(stdout.trim().split('\n').at(-1)!) as Played;
    const source = await foreignView('rosbags', path);
    const count = Object.values(source.topics).reduce((sum, topic) => sum + topic.count, 0);
    expect(played).toMatchObject({ state: 'finished', published: count });
    const folder = join(dataDir, played.segments[0]!.path, '..');
    for (const reader of ['mcap', 'rosbags'] as const) {
      const view = await foreignView(reader, folder);
      expect(view.topics).toEqual(source.topics);
      expect(view.order).toBe(source.order);
    }
    await lakeHoldsIt(dataDir, count);
  });
});

/** A daemon on the same data, later: the lake knows the segments and that nothing was lost. */
async function lakeHoldsIt(dataDir: string, count: number): Promise<void> {
  const daemon = await testDaemon(dataDir, { AURAISON_ROBOT_SOURCE: 'none' });
  try {
    const sql = 'select sum(received)::bigint, sum(written)::bigint, sum(dropped)::bigint from losses';
    let rows: unknown[][] = [];
    for (let i = 0; i < 100 && Number(rows[0]?.[0] ?? 0) < count; i++) {
      rows = (await daemon.api.post<{ rows: unknown[][] }>('/v1/query', { sql })).rows;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(rows[0]!.map(Number)).toEqual([count, count, 0]);
    const segments = await daemon.api.post<{ rows: unknown[][] }>('/v1/query', {
      sql: 'select sum(messages)::bigint from segments',
    });
    expect(Number(segments.rows[0]![0])).toBe(count);
  } finally {
    await daemon.stop();
  }
}
