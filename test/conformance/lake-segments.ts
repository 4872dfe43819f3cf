import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AppliedAction, Lake, NewEvent, UnreadSegment } from '../../contract/index.ts';
import { fixedId, runEvents, segmentEvents } from '../support/sample-events.ts';
import { type LakeFixture, logged } from './lake.ts';

const ASK = { limit: 1000, timeoutMs: 20_000 };
const STEPS = '/auraison/actions/';
const BEGIN_NS = 1_700_000_000_000_000_000n;

/** The sealing of a segment with control steps, and its ledger. */
export function stepSegment(bag: string, n: number, steps: number): NewEvent[] {
  const [sealed, losses] = segmentEvents(bag, n) as [NewEvent<'segment.sealed'>, NewEvent];
  const topics = { '/scan': 90, [`${STEPS}arm`]: steps };
  return [{ ...sealed, payload: { ...sealed.payload, topics } }, losses];
}

export function evicted(bag: string, n: number): NewEvent<'segment.evicted'> {
  const path = `bags/${bag}/${n}.mcap`;
  const topics = { '/scan': 90, '/odom': 210 };
  return {
    kind: 'segment.evicted',
    payload: { bag, path, bytes: 1000 + n, messages: 300, reason: 'ring', topics },
  };
}

/** The step `n` of a controller at 500 Hz. */
export function stepOf(n: number, more: Partial<AppliedAction> = {}): AppliedAction {
  return {
    ...{
      controller: 'arm',
      kind: 'positions',
      names: ['shoulder', 'elbow'],
      asked: [n, 1],
      applied: [n, 0.5],
    },
    time_ns: String(BEGIN_NS + BigInt(n) * 2_000_000n),
    ...{ verdict: 'limited', reason: 'elbow speed', chunk: 1 + Math.floor(n / 8) },
    observation_ns: String(BEGIN_NS - 5_000_000n),
    ...{ policy: 'pick', policy_hash: 'a'.repeat(64), plan_step: 'step-3', motion_id: 'motion-1', lease: 7 },
    ...more,
  };
}
const stepsOf = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => stepOf(from + i));
const END = { fault: '', unreadable: 0 };

/** What every Lake keeps to about segments: their events told twice, and the control steps in them. */
export function lakeSegmentConformance(name: string, makeFixture: () => Promise<LakeFixture>): void {
  describe(`Lake and segments: ${name}`, () => {
    let fixture: LakeFixture;
    let lake: Awaited<ReturnType<LakeFixture['open']>>;
    const rows = async (sql: string) => (await lake.query(sql, ASK)).rows;
    const unread = (of: Lake = lake) => of.unreadSegments(STEPS, 10);
    const paths = async () => (await unread()).map(({ path }) => path);
    /** Events of one log, projected in pieces of this length. */
    const project = async (events: readonly NewEvent[], piece = 100) => {
      const all = await logged('execution', events);
      for (let at = 0; at < all.length; at += piece)
        await lake.project('execution', all.slice(at, at + piece));
    };
    const read = async (path: string, from: number, to: number) => {
      const segment = (await unread()).find((one) => one.path === path)!;
      return lake.addSteps(segment, { from: 0, steps: stepsOf(from, to), end: END });
    };
    const stamps = async () =>
      (await rows('SELECT action[1], segment FROM actions ORDER BY stamp')).map(([n, path]) => [
        n,
        String(path).replace('bags/', ''),
      ]);

    beforeEach(async () => {
      fixture = await makeFixture();
      lake = await fixture.open();
    });
    afterEach(async () => {
      await lake.close();
      await fixture.dispose();
    });

    it.each([100, 2, 1])(
      'counts once what a kill made the log tell twice, in batches of %i',
      async (piece) => {
        const [one, two] = [segmentEvents('hall', 1, 4), segmentEvents('hall', 2)];
        const gone = evicted('hall', 1);
        // The ledger of a bag without a segment is told when more was lost: it may say the same and mean another time.
        const crash: NewEvent<'losses.recorded'> = {
          kind: 'losses.recorded',
          payload: {
            ...{ bag: 'hall', segment: 'bags/hall' },
            topics: [{ topic: '/scan', received: 3, written: 0, dropped: { crash: 3 } }],
          },
        };
        await project([...one, ...two, ...one, crash, crash, ...two, gone, gone], piece);
        expect(
          await rows(
            `SELECT topic, sum(received), sum(written), sum(dropped) FROM losses GROUP BY 1 ORDER BY 1`,
          ),
        ).toEqual([
          ['/odom', 420, 210, 210],
          ['/scan', 190, 90, 100],
        ]);
        expect(await rows('SELECT count(*), sum(messages) FROM segments')).toEqual([[2, 600]]);
        expect(await rows('SELECT count(*), sum(bytes) FROM evictions')).toEqual([[1, 1001]]);
        expect(await rows('SELECT count(*) FROM events')).toEqual([[12]]);
        // A new segment under the path of one that is gone is a new one, even with the same ledger.
        await lake.rebuild();
        await project([...one, gone, ...one], piece);
        expect(await rows(`SELECT sum(written) FROM losses WHERE topic = '/scan'`)).toEqual([[90]]);
      },
    );

    it.each([100, 1])(
      'counts once what was told twice with something between, in batches of %i',
      async (piece) => {
        const [sealed, losses] = segmentEvents('hall', 1) as [NewEvent, NewEvent<'losses.recorded'>];
        const later: NewEvent<'losses.recorded'> = {
          kind: 'losses.recorded',
          payload: {
            ...losses.payload,
            topics: [{ topic: '/scan', received: 3, written: 0, dropped: { crash: 3 } }],
          },
        };
        await project([sealed, losses, later, sealed, losses, later], piece);
        expect(await rows(`SELECT sum(received), sum(dropped) FROM losses WHERE topic = '/scan'`)).toEqual([
          [93, 3],
        ]);
      },
    );

    it('gives segments with steps to read, the oldest first, and those no more that are read or gone', async () => {
      expect(await unread()).toEqual([]);
      const events = [
        ...stepSegment('hall', 2, 4),
        ...stepSegment('hall', 1, 4),
        ...segmentEvents('hall', 3),
        ...stepSegment('hall', 4, 4),
        evicted('hall', 4),
        ...stepSegment('hall', 1, 4),
      ];
      await project(events);
      const [first, second] = (await unread()) as [UnreadSegment, UnreadSegment];
      expect(await paths()).toEqual(['bags/hall/1.mcap', 'bags/hall/2.mcap']);
      expect(first).toMatchObject({ cell: 'execution', seq: 3, topics: [`${STEPS}arm`] });
      expect(await lake.unreadSegments(STEPS, 1)).toEqual([first]);
      expect(await lake.addSteps(first, { from: 0, steps: stepsOf(0, 4), end: END })).toBe(true);
      expect(await lake.addSteps(second, { from: 0, steps: [], end: { fault: 'cut', unreadable: 2 } })).toBe(
        true,
      );
      expect(await unread()).toEqual([]);
      expect(
        await rows('SELECT path, steps, elsewhere, unreadable, fault FROM step_segments ORDER BY path'),
      ).toEqual([
        ['bags/hall/1.mcap', 4, 0, 0, null],
        ['bags/hall/2.mcap', 0, 0, 2, 'cut'],
      ]);
      await lake.close();
      lake = await fixture.open();
      expect(await unread()).toEqual([]);
    });

    it('shows where each action came from, and which run asked for it', async () => {
      const run = runEvents(100);
      await lake.project('runtime', await logged('runtime', run));
      const called = run.find(({ kind }) => kind === 'tool.called') as NewEvent<'tool.called'>;
      await project(stepSegment('hall', 1, 3));
      const [segment] = await unread();
      await lake.addSteps(segment!, {
        from: 0,
        steps: [
          stepOf(0, { motion_id: called.payload.call_id }),
          stepOf(1, { verdict: 'refused', reason: 'not connected', policy: '', plan_step: '' }),
          stepOf(2, { verdict: 'starved', chunk: 0, observation_ns: '0', applied: [Number.NaN, 1e-300] }),
        ],
        end: END,
      });
      expect(
        await rows(
          `SELECT stamp, controller, kind, names, action, asked, clamped, refused, chunk_id, observation_ids,
             policy, policy_hash[:2], plan_step, lease, run_id FROM actions ORDER BY stamp`,
        ),
      ).toEqual([
        [
          ...['2023-11-14 22:13:20', 'arm', 'positions', ['shoulder', 'elbow'], [0, 0.5], [0, 1]],
          ...[true, false, 1, ['1699999999995000000'], 'pick', 'aa', 'step-3', 7, called.run_id],
        ],
        [
          ...['2023-11-14 22:13:20.002', 'arm', 'positions', ['shoulder', 'elbow'], [1, 0.5], [1, 1]],
          ...[false, true, 1, ['1699999999995000000'], null, 'aa', null, 7, null],
        ],
        [
          ...['2023-11-14 22:13:20.004', 'arm', 'positions', ['shoulder', 'elbow'], ['NaN', 1e-300], [2, 1]],
          ...[false, false, 0, [], 'pick', 'aa', 'step-3', 7, null],
        ],
      ]);
    });

    it('begins a segment anew that was cut off, and doubles nothing', async () => {
      await project(stepSegment('hall', 1, 60_000));
      const [segment] = await unread();
      const many = (from: number) => ({ from, steps: stepsOf(from, from + 30_000) });
      expect(await lake.addSteps(segment!, many(0))).toBe(true);
      expect(await lake.addSteps(segment!, many(30_000))).toBe(true);
      // So much is committed on the way, not yet as a whole.
      expect(Number((await rows('SELECT count(*) FROM actions'))[0]![0])).toBeGreaterThan(0);
      await lake.close();
      lake = await fixture.open();
      expect(await paths()).toEqual(['bags/hall/1.mcap']);
      expect(await lake.addSteps(segment!, { from: 60_000, steps: stepsOf(0, 1), end: END })).toBe(false);
      await lake.addSteps(segment!, many(0));
      await lake.addSteps(segment!, { ...many(30_000), end: END });
      expect(await rows('SELECT count(*), count(DISTINCT stamp) FROM actions')).toEqual([[60_000, 60_000]]);
    });

    it('counts what a clip holds once, and keeps it when the ring lets go of it', async () => {
      const ring = [...stepSegment('ring', 1, 4), ...stepSegment('ring', 2, 4), ...stepSegment('clip', 3, 4)];
      await project(ring);
      await read('bags/ring/1.mcap', 0, 4);
      await read('bags/ring/2.mcap', 4, 8);
      await read('bags/clip/3.mcap', 2, 6);
      expect(await rows('SELECT steps, elsewhere FROM step_segments ORDER BY path')).toEqual([
        [0, 4],
        [4, 0],
        [4, 0],
      ]);
      const before = [0, 1, 2, 3].map((n) => [n, 'ring/1.mcap']);
      const after = [4, 5, 6, 7].map((n) => [n, 'ring/2.mcap']);
      expect(await stamps()).toEqual([...before, ...after]);
      await project([...ring, evicted('ring', 1)]);
      expect(await stamps()).toEqual(after);
      expect(await paths()).toEqual(['bags/clip/3.mcap']);
      await read('bags/clip/3.mcap', 2, 6);
      expect(await stamps()).toEqual([[2, 'clip/3.mcap'], [3, 'clip/3.mcap'], ...after]);
    });

    it('has each session of a simulation whose steps do not tell their start, and a clip of one once', async () => {
      const older = (asked: number) => [0, 1].map((n) => stepOf(n, { motion_id: '', asked: [asked, 0] }));
      const clip: NewEvent<'clip.recorded'> = {
        kind: 'clip.recorded',
        payload: {
          ...{ clip_id: fixedId(1), bag: 'clip', trigger: 'api', reason: 'test', trigger_ns: '1' },
          ...{ start_ns: '0', end_ns: '2', messages: 2, bytes: 3 },
        },
      };
      const bags = ['one', 'two', 'same', 'clip'];
      await project([...bags.flatMap((bag, n) => stepSegment(bag, n, 2)), clip]);
      for (const [n, segment] of (await unread()).entries())
        await lake.addSteps(segment, { from: 0, steps: older(n === 1 ? 5 : 4), end: END });
      expect(await rows('SELECT path, steps, elsewhere FROM step_segments ORDER BY seq')).toEqual([
        ['bags/one/0.mcap', 2, 0],
        ['bags/two/1.mcap', 2, 0],
        ['bags/same/2.mcap', 2, 0],
        ['bags/clip/3.mcap', 0, 2],
      ]);
    });

    it('wants no more of a segment that went while it was read', async () => {
      const sealed = stepSegment('ring', 1, 4);
      await project(sealed);
      const [segment] = await unread();
      expect(await lake.addSteps(segment!, { from: 0, steps: stepsOf(0, 2) })).toBe(true);
      await project([...sealed, evicted('ring', 1)]);
      expect(await lake.addSteps(segment!, { from: 2, steps: stepsOf(2, 4), end: END })).toBe(false);
      expect(await stamps()).toEqual([]);
      expect(await unread()).toEqual([]);
    });

    it('asks for everything again after a rebuild', async () => {
      const events = stepSegment('hall', 1, 4);
      await project(events);
      await read('bags/hall/1.mcap', 0, 4);
      await lake.rebuild('execution');
      expect(await stamps()).toEqual([]);
      await project(events);
      expect(await paths()).toEqual(['bags/hall/1.mcap']);
      await read('bags/hall/1.mcap', 0, 4);
      await lake.rebuild();
      await project(events);
      expect(await paths()).toEqual(['bags/hall/1.mcap']);
    });
  });
}
