import { beforeEach, describe, expect, it } from 'vitest';
import type { BlobTrim, BlobTrimRules, NewEvent } from '../../contract/index.ts';
import { toMs } from '../../contract/index.ts';
import { BlobKeeper, type BlobKeeperParts, keptSince } from '../../daemon/runtime/blob-keeper.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { MemoryBlobStore } from '../fakes/memory-blob-store.ts';
import { TinyLog } from '../support/tiny-log.ts';

const MINUTE = 60_000;
const QUOTA = 16_000;
const NOTHING: BlobTrim = { removed: 0, bytes: 0, left: 0, failed: 0, fault: '' };

describe('BlobKeeper', () => {
  let clock: ManualClock;
  let trims: BlobTrimRules[];
  let answers: (BlobTrim | Error)[];
  let events: NewEvent[];
  let said: string[];
  let refuses: boolean;

  beforeEach(() => {
    clock = new ManualClock();
    [trims, answers, events, said, refuses] = [[], [], [], [], false];
  });

  function keeper(
    quotaBytes = QUOTA,
    instead?: BlobKeeperParts['blobs'],
    keptSinceMs?: () => number | undefined,
  ): BlobKeeper {
    const own = Object.assign(new MemoryBlobStore(), {
      trim: async (rules: BlobTrimRules) => {
        trims.push(rules);
        const answer = answers.shift() ?? NOTHING;
        if (answer instanceof Error) throw answer;
        return answer;
      },
    });
    return new BlobKeeper({
      ...{ blobs: instead ?? own, clock, quotaBytes, needed: () => new Set(['a']) },
      ...(keptSinceMs ? { keptSinceMs } : {}),
      emit: async (more) => {
        if (refuses) throw new Error('the disk is full');
        events.push(...more);
      },
      report: (_, message) => void said.push(message),
    });
  }
  const pass = async (ms: number) => {
    await clock.advance(ms);
  };

  it('looks soon after the start, then after a part of the quota was put, and once an hour', async () => {
    const it = keeper();
    it.start();
    await pass(MINUTE);
    expect(trims.length).toBe(1);
    await pass(MINUTE);
    expect(trims.length).toBe(1);
    await it.put(new Uint8Array(QUOTA / 16));
    await pass(MINUTE);
    expect(trims.length).toBe(2);
    for (let minute = 0; minute < 60; minute++) await pass(MINUTE);
    expect(trims.length).toBe(3);
    expect(trims.every(({ maxBytes }) => maxBytes === QUOTA)).toBe(true);
    await it.stop();
    await pass(120 * MINUTE);
    expect(trims.length).toBe(3);
  });

  it('spares the last hour, and what runs that are not over need', async () => {
    const it = keeper();
    const begun = toMs(clock.now());
    it.start();
    await pass(MINUTE);
    expect(trims[0]).toMatchObject({ spareFromMs: begun - 59 * MINUTE, spareToMs: begun + 61 * MINUTE });
    expect(trims[0]!.needed()).toEqual(new Set(['a']));
    await it.stop();
  });

  it('removes what only removed events named, also without a quota, and nothing before events were removed', async () => {
    let since: number | undefined;
    const it = keeper(0, undefined, () => since);
    it.start();
    await pass(MINUTE);
    expect(trims).toEqual([]);
    since = toMs(clock.now());
    for (let minute = 0; minute < 60; minute++) await pass(MINUTE);
    expect(trims).toMatchObject([{ goneBeforeMs: since - 60 * MINUTE, maxBytes: Infinity }]);
    // A log that was written with a clock that was ahead says nothing about blobs of today.
    since = toMs(clock.now()) + 1_000 * MINUTE;
    for (let minute = 0; minute < 60; minute++) await pass(MINUTE);
    expect(trims).toHaveLength(1);
    await it.stop();
  });

  it('tells what it removed, and what is wrong once a day', async () => {
    answers = [
      { ...NOTHING, removed: 3, bytes: 300, left: QUOTA - 1 },
      { ...NOTHING, left: QUOTA + 1 },
      { ...NOTHING, left: QUOTA + 1, failed: 2, fault: 'EPERM' },
      new Error('EACCES: permission denied'),
    ];
    const it = keeper();
    it.start();
    for (let minute = 0; minute < 240; minute++) await pass(MINUTE);
    expect(events).toEqual([
      { kind: 'blobs.evicted', payload: { blobs: 3, bytes: 300, left_bytes: QUOTA - 1 } },
    ]);
    const above = 'blobs are above their quota: what is left is new, or sessions of unfinished runs name it';
    expect(said).toEqual([above, 'blobs could not be removed', 'blobs could not be looked through']);
    answers = Array.from({ length: 40 }, () => ({ ...NOTHING, left: QUOTA + 1 }));
    for (let hour = 0; hour < 24; hour++) for (let minute = 0; minute < 60; minute++) await pass(MINUTE);
    expect(said.filter((line) => line === above).length).toBe(2);
    await it.stop();
  });

  it('tells with the next trim what the log did not take', async () => {
    answers = [
      { ...NOTHING, removed: 3, bytes: 300, left: 5 },
      { ...NOTHING, removed: 1, bytes: 50, left: 4 },
    ];
    refuses = true;
    const it = keeper();
    it.start();
    await pass(MINUTE);
    refuses = false;
    for (let minute = 0; minute < 60; minute++) await pass(MINUTE);
    expect(events).toEqual([{ kind: 'blobs.evicted', payload: { blobs: 4, bytes: 350, left_bytes: 4 } }]);
    await it.stop();
  });

  it('stops within a second while the disk does not answer, and says nothing after', async () => {
    let answer: (done: BlobTrim) => void = () => {};
    const deaf = Object.assign(new MemoryBlobStore(), {
      trim: () => new Promise<BlobTrim>((resolve) => (answer = resolve)),
    });
    const it = keeper(QUOTA, deaf);
    it.start();
    await pass(MINUTE);
    let stopped = false;
    const stopping = it.stop().then(() => (stopped = true));
    await pass(900);
    expect(stopped).toBe(false);
    await pass(200);
    await stopping;
    answer({ ...NOTHING, removed: 1, bytes: 1, left: QUOTA + 1 });
    await pass(10);
    expect([events, said]).toEqual([[], []]);
  });

  it('says that a disk does not answer, and goes on when it does', async () => {
    const answers: ((done: BlobTrim) => void)[] = [];
    const deaf = Object.assign(new MemoryBlobStore(), {
      trim: () => new Promise<BlobTrim>((resolve) => answers.push(resolve)),
    });
    const it = keeper(QUOTA, deaf);
    it.start();
    for (let minute = 0; minute < 14; minute++) await pass(MINUTE);
    expect(said).toEqual([]);
    for (let minute = 0; minute < 60; minute++) await pass(MINUTE);
    expect(said).toEqual(['blobs are being looked through for long: nothing is removed before that is over']);
    answers[0]!(NOTHING);
    await pass(MINUTE);
    await pass(MINUTE);
    expect(answers.length).toBe(2);
    answers[1]!(NOTHING);
    await it.stop();
  });

  it('does nothing without a quota', async () => {
    const it = keeper(0);
    it.start();
    await it.put(new Uint8Array(1_000_000));
    await pass(600 * MINUTE);
    expect(trims).toEqual([]);
    await it.stop();
  });
});

describe('the time since which events are kept', () => {
  const NS = 1_000_000n;
  const HOUR = 3_600_000;
  const NOON = 1_790_000_000_000;
  const JANUARY = 1_767_225_600_000;

  /** A log of these times; the cell starts where it says so. Events through the cut were removed. */
  function since(times: readonly (readonly [ms: number, starts?: 'starts'])[], cut: number) {
    const log = new TinyLog('runtime');
    for (const [ms, starts] of times) {
      const payload = { config_sha256: 'a'.repeat(64), software: '1' };
      const start = { kind: 'cell.started', payload } as unknown as NewEvent;
      const phase: NewEvent = { kind: 'run.phase', payload: { phase: 'p', reason: 'r' } };
      log.append(starts ? start : phase, BigInt(ms) * NS);
    }
    return keptSince({ ...log.reader(), cutThrough: () => cut });
  }

  it('is that of the oldest event that is left, and nothing before a removal', () => {
    const times = [[NOON, 'starts'], [NOON + HOUR], [NOON + 2 * HOUR], [NOON + 3 * HOUR]] as const;
    expect(since(times, 0)).toBeUndefined();
    expect(since(times, 2)).toBe(NOON + 2 * HOUR);
    expect(since(times, 4)).toBeUndefined();
  });

  it('is earlier where the robot started later with a clock that was behind', () => {
    const boot = [[JANUARY, 'starts'], [JANUARY + 1_000], [NOON + HOUR]] as const;
    expect(since([[NOON, 'starts'], [NOON], [NOON + 1], ...boot], 2)).toBe(JANUARY);
    // Also between many other starts.
    const starts = Array.from({ length: 1_200 }, (_, i) => [NOON + i, 'starts'] as const);
    expect(since([[NOON, 'starts'], ...starts, ...boot, ...starts], 5)).toBe(JANUARY);
    // That start is removed too.
    expect(since([[NOON, 'starts'], ...boot, [NOON + 2 * HOUR]], 4)).toBe(NOON + 2 * HOUR);
  });
});
