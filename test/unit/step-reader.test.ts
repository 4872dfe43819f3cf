import { mkdtempSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { segmentMessages } from '../../adapters/rosbag/index.ts';
import type { Lake, NewEvent, Sample, StepBatch } from '../../contract/index.ts';
import { actionTopic } from '../../daemon/execution/controllers/action-sample.ts';
import { appliedAction } from '../../daemon/memory/applied-action.ts';
import { type OpenSegment, STEP_TOPICS, StepReader, WAITING_MAX } from '../../daemon/memory/step-reader.ts';
import { CdrWriter } from '../../formats/cdr/index.ts';
import { logged } from '../conformance/lake.ts';
import { stepOf } from '../conformance/lake-segments.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { writeSteps } from '../support/step-segment.ts';

const STRING = 'std_msgs/msg/String';
const text = (value: unknown) => {
  const writer = new CdrWriter(64);
  writer.string(typeof value === 'string' ? value : JSON.stringify(value));
  return writer.finish();
};
const stepsOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => stepOf(from + i));

describe('steps of segments', () => {
  let dataDir: string;
  let lake: DuckLakeLake;
  let clock: ManualClock;
  let reports: string[];
  beforeEach(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'auraison-steps-'));
    lake = await DuckLakeLake.open({ dataDir, clock: new SystemClock(), extensionDirectories: [] });
    clock = new ManualClock();
    reports = [];
  });
  afterEach(async () => {
    await lake.close();
    rmSync(dataDir, { recursive: true, force: true });
  });
  const readerOf = (open: OpenSegment = segmentMessages(dataDir)) =>
    new StepReader(open, clock, (level, message) => void reports.push(`${level} ${message}`));
  const rows = async (sql: string) => (await lake.query(sql, { limit: 10, timeoutMs: 20_000 })).rows;
  const project = async (events: readonly NewEvent[]) =>
    lake.project('execution', await logged('execution', events));
  const all = (reader: StepReader) => reader.slice(lake, () => false);
  const READ = 'SELECT path, steps, unreadable, fault FROM step_segments ORDER BY path';

  it('are those that controllers recorded, and nothing else of the segment', async () => {
    expect(actionTopic('')).toBe(STEP_TOPICS);
    const scan: Sample = { topic: '/scan', type: STRING, stamp: 9n, received: 9n, bytes: text('{}') };
    const odd = (value: unknown): Sample => ({ ...scan, topic: actionTopic('arm'), bytes: text(value) });
    const more = [scan, odd('no JSON'), odd({ ...stepOf(1), applied: ['1'] }), { ...scan, topic: '/other' }];
    await project([
      await writeSteps(dataDir, 'bags/a/a_0.mcap', stepsOf(0, 5_000), more),
      await writeSteps(dataDir, 'bags/a/a_1.mcap', [], [scan]),
      await writeSteps(dataDir, 'bags/a/a_2.mcap', [
        stepOf(5_000, { controller: 'base', names: ['v', 'w'] }),
      ]),
    ]);
    expect(await all(readerOf())).toBe(false);
    expect(await rows(READ)).toEqual([
      ['bags/a/a_0.mcap', 5_000, 2, null],
      ['bags/a/a_2.mcap', 1, 0, null],
    ]);
    expect(
      await rows(
        'SELECT controller, count(*), min(action[1]), max(action[1]) FROM actions GROUP BY 1 ORDER BY 1',
      ),
    ).toEqual([
      ['arm', 5_000, 0, 4_999],
      ['base', 1, 5_000, 5_000],
    ]);
    expect(reports).toEqual([]);
  });

  it('of a damaged file are those that can be read, and neither it nor one that is not there holds up the next', async () => {
    const events = [
      await writeSteps(dataDir, 'bags/a/a_0.mcap', stepsOf(0, 2_000)),
      await writeSteps(dataDir, 'bags/a/a_1.mcap', stepsOf(2_000, 2_100)),
      await writeSteps(dataDir, 'bags/a/a_2.mcap', stepsOf(2_100, 4_100)),
      await writeSteps(dataDir, 'bags/a/a_3.mcap', stepsOf(4_100, 4_200)),
    ];
    const path = (n: number) => join(dataDir, `bags/a/a_${n}.mcap`);
    truncateSync(path(0), Math.floor(readFileSync(path(0)).length / 2));
    renameSync(path(1), `${path(1)}.away`);
    const bytes = readFileSync(path(2));
    const middle = Math.floor(bytes.length / 2);
    bytes.fill(0xff, middle, middle + 64);
    writeFileSync(path(2), bytes);
    await project(events);
    const reader = readerOf();
    expect(await all(reader)).toBe(false);
    const [cut, spoilt, whole] = await rows(READ);
    for (const one of [cut, spoilt]) {
      expect(Number(one![1])).toBeGreaterThan(500);
      expect(Number(one![1])).toBeLessThan(2_000);
      expect(one![3]).toEqual(expect.any(String));
    }
    expect(whole).toEqual(['bags/a/a_3.mcap', 100, 0, null]);
    expect(reports).toHaveLength(3);
    // A disk that is not mounted has no file either: that is told once, and read when it is there.
    await clock.advance(61_000);
    expect(await all(reader)).toBe(false);
    renameSync(`${path(1)}.away`, path(1));
    await clock.advance(61_000);
    expect(await all(reader)).toBe(false);
    expect(await rows(READ)).toHaveLength(3);
    await clock.advance(61_000);
    expect(await all(reader)).toBe(false);
    expect((await rows(READ))[1]).toEqual(['bags/a/a_1.mcap', 100, 0, null]);
    expect(reports).toHaveLength(3);
  });

  it('of a file that the disk does not give now are read later', async () => {
    await project([
      await writeSteps(dataDir, 'bags/a/a_0.mcap', stepsOf(0, 10)),
      await writeSteps(dataDir, 'bags/a/a_1.mcap', stepsOf(10, 20)),
    ]);
    let isBroken = true;
    const open = segmentMessages(dataDir);
    const reader = readerOf(async function* (path, topics, onDamage) {
      if (isBroken && path.endsWith('_0.mcap')) throw new Error('EIO: i/o error, read');
      yield* open(path, topics, onDamage);
    });
    expect(await all(reader)).toBe(false);
    expect(await rows('SELECT count(*) FROM actions')).toEqual([[10]]);
    isBroken = false;
    expect(await all(reader)).toBe(false);
    expect(await rows('SELECT count(*) FROM actions')).toEqual([[10]]);
    await clock.advance(61_000);
    expect(await all(reader)).toBe(false);
    expect(await rows('SELECT count(*) FROM actions')).toEqual([[20]]);
    expect(reports).toEqual([expect.stringContaining('EIO')]);
  });

  it('that the lake refuses do not make it fail again at once', async () => {
    await project([
      await writeSteps(dataDir, 'bags/a/a_0.mcap', stepsOf(0, 10)),
      await writeSteps(dataDir, 'bags/a/a_1.mcap', stepsOf(10, 20)),
    ]);
    const reader = readerOf();
    const addSteps = lake.addSteps.bind(lake);
    lake.addSteps = async (segment, batch) => {
      if (segment.path.endsWith('_0.mcap')) throw new Error('not these');
      return addSteps(segment, batch);
    };
    await expect(all(reader)).rejects.toThrow('not these');
    expect(await all(reader)).toBe(false);
    expect(reader.isRefused).toBe(true);
    expect(await rows('SELECT min(action[1]), count(*) FROM actions')).toEqual([[10, 10]]);
  });

  it('are read a piece at a time, and files are closed that are let go of', async () => {
    await project([await writeSteps(dataDir, 'bags/a/a_0.mcap', stepsOf(0, 10_000))]);
    let opened = 0;
    let closed = 0;
    const open = segmentMessages(dataDir);
    const reader = readerOf(async function* (path, topics, onDamage) {
      opened += 1;
      try {
        yield* open(path, topics, onDamage);
      } finally {
        closed += 1;
      }
    });
    let looks = 0;
    const twice = () => ++looks > 2;
    expect(await reader.slice(lake, twice)).toBe(true);
    await reader.drop();
    expect([opened, closed]).toEqual([1, 1]);
    expect(await rows('SELECT count(*) FROM step_segments')).toEqual([[0]]);
    while (await all(reader));
    expect(await rows('SELECT count(*), count(DISTINCT stamp) FROM actions')).toEqual([[10_000, 10_000]]);
    expect([opened, closed]).toEqual([2, 2]);
  });
});

describe('reading of steps', () => {
  /** A lake with so many segments to read; what it was told. */
  const lakeOf = (count: number, told: StepBatch[] = []) => {
    const done = new Set<string>();
    const all = Array.from({ length: count }, (_, n) => ({
      ...{ cell: 'execution' as const, epoch: 'e', seq: n + 1, path: `bags/a/${n}.mcap`, sha256: '' },
      topics: [actionTopic('arm')],
    }));
    return {
      unreadSegments: async (_: string, limit: number) =>
        all.filter(({ path }) => !done.has(path)).slice(0, limit),
      addSteps: async ({ path }: { path: string }, batch: StepBatch) => {
        told.push(batch);
        if (batch.end) done.add(path);
        return true;
      },
    } as unknown as Lake;
  };
  const sampleOf = (n: number): Sample => ({
    ...{ topic: actionTopic('arm'), type: STRING, stamp: BigInt(n), received: BigInt(n) },
    bytes: text(stepOf(n)),
  });
  const quiet = () => {};

  it('tries each segment that cannot be opened once a while, however many there are', async () => {
    const clock = new ManualClock();
    let opened = 0;
    const reader = new StepReader(
      async function* () {
        opened += 1;
        yield* await Promise.reject<Sample[]>(new Error('ESTALE: stale file handle'));
      },
      clock,
      quiet,
    );
    const lake = lakeOf(WAITING_MAX + 40);
    const soon = () => opened > 2 * WAITING_MAX;
    expect(await reader.slice(lake, soon)).toBe(false);
    expect(await reader.slice(lake, soon)).toBe(false);
    expect(opened).toBe(WAITING_MAX);
    await clock.advance(61_000);
    expect(await reader.slice(lake, soon)).toBe(false);
    expect(opened).toBe(2 * WAITING_MAX);
  });

  it('does not wait for a slow disk, and goes on where it was', async () => {
    const clock = new SystemClock();
    const told: StepBatch[] = [];
    const reader = new StepReader(
      async function* () {
        for (let n = 0; n < 10; n++) {
          await new Promise((resolve) => setTimeout(resolve, n === 4 ? 1_500 : 30));
          yield sampleOf(n);
        }
      },
      clock,
      quiet,
    );
    const lake = lakeOf(1, told);
    let slices = 0;
    for (let isMore = true; isMore; slices++) {
      const since = clock.monotonicMs();
      isMore = await reader.slice(lake, () => false);
      expect(clock.monotonicMs() - since).toBeLessThan(1_200);
    }
    expect(slices).toBeGreaterThan(3);
    expect(told.flatMap(({ steps }) => steps)).toEqual(stepsOf(0, 10));
    expect(told.map(({ from }) => from)).toEqual([...new Set(told.map(({ from }) => from))]);
    expect(reader.looked).toBe(10);
  });

  it('hands on what it has when somebody asks, and opens nothing beside a file that hangs', async () => {
    const clock = new SystemClock();
    const told: StepBatch[] = [];
    let opened = 0;
    let isAsked = false;
    let wake = quiet;
    const reader = new StepReader(
      async function* () {
        opened += 1;
        for (let n = 0; n < 3; n++) yield sampleOf(n);
        isAsked = true;
        yield sampleOf(3);
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      },
      clock,
      quiet,
    );
    const lake = lakeOf(1, told);
    expect(await reader.slice(lake, () => isAsked)).toBe(true);
    expect(told.map(({ steps }) => steps.length)).toEqual([4]);
    expect(await reader.slice(lake, () => false)).toBe(true);
    await reader.drop();
    expect(await reader.slice(lake, () => false)).toBe(true);
    expect(opened).toBe(1);
    wake();
    await new Promise((resolve) => setTimeout(resolve, 10));
    isAsked = false;
    expect(await reader.slice(lake, () => isAsked)).toBe(true);
    expect(opened).toBe(2);
    wake();
    await reader.drop();
  });
});

describe('the record of a step', () => {
  it('is read as it was written, also one from before there were policy, kind and motion', () => {
    expect(appliedAction(STRING, text(stepOf(3)))).toEqual(stepOf(3));
    const { policy: _p, kind: _k, motion_id: _m, ...older } = stepOf(3);
    expect(appliedAction(STRING, text(older))).toEqual({ ...older, policy: '', kind: '', motion_id: '' });
    expect(appliedAction(STRING, text({ ...stepOf(3), asked: [null, 1] }))?.asked).toEqual([Number.NaN, 1]);
  });

  it.each([
    ['of another type', 'std_msgs/msg/Int32', text(stepOf(1))],
    ['that is too long', STRING, text({ ...stepOf(1), more: 'x'.repeat(70_000) })],
    ['cut off', STRING, text(stepOf(1)).subarray(0, 40)],
    ['without a time', STRING, text({ ...stepOf(1), time_ns: undefined })],
    ['of the year 2300', STRING, text({ ...stepOf(1), time_ns: '9999999999999999999' })],
    ['with a chunk that is no number', STRING, text({ ...stepOf(1), chunk: 1.5 })],
    ['with a verdict of somebody else', STRING, text({ ...stepOf(1), verdict: 'fine' })],
    ['with 600 numbers', STRING, text({ ...stepOf(1), applied: new Array(600).fill(0) })],
    ['that is null', STRING, text(null)],
  ])('is none %s', (_, type, bytes) => {
    expect(appliedAction(type, bytes)).toBeUndefined();
  });
});
