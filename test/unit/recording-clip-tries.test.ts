import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ClipInfo, EdgeError, IdSource, type NewEvent } from '../../contract/index.ts';
import type { ClipSource, RecorderListener } from '../../daemon/execution/recorder/index.ts';
import { Clips } from '../../daemon/execution/recording/clips.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeFolder } from '../support/recorder.ts';
import { until } from '../support/until.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

const failed = (retryable: boolean) =>
  new EdgeError('recorder.failed', { operation: 'cut clip', subject: 'clip', message: 'no luck', retryable });

/** Clips of a recorder that fails while it has a fault. */
function makeClips() {
  const clock = new ManualClock();
  const events: NewEvent[] = [];
  const reports: string[] = [];
  type Fault = Error | undefined;
  const state: {
    fault: Fault;
    syncFault: Fault;
    sealFault: Fault;
    syncing?: Promise<void>;
    tries: number;
    seals: number;
  } = {
    ...{ fault: failed(true), syncFault: undefined, sealFault: undefined, tries: 0, seals: 0 },
  };
  let listener: RecorderListener = {};
  const lefts: unknown[] = [];
  const recorder = {
    bag: 'bag',
    listen: (given: RecorderListener) => {
      listener = given;
    },
    newestNs: 1_700_000_000_000_000_000n,
    arrivedSince: undefined,
    syncNow: async () => {
      await state.syncing;
      if (state.syncFault) throw state.syncFault;
    },
    sealNow: async () => {
      state.seals += 1;
      if (state.sealFault) throw state.sealFault;
    },
    tell: async (told: readonly NewEvent[]) => void events.push(...told),
    cutClip: async (info: ClipInfo, { left }: ClipSource) => {
      state.tries += 1;
      lefts.push(left);
      if (state.fault) throw state.fault;
      const { bag } = info;
      const facts = { sha256: '0'.repeat(64), bytes: 9, messages: 5, topics: {}, repaired: false };
      const sealed = { bag, path: `bags/${bag}/${bag}_0.mcap`, start_ns: '1', end_ns: '2', ...facts };
      return { info: { ...info, state: 'whole' as const }, sealed, sources: [] };
    },
  };
  const ids = new IdSource(
    () => 1_700_000_000_000,
    (length) => randomBytes(length),
  );
  const report = (_level: string, message: string) => void reports.push(message);
  const cut: string[] = [];
  const onCut = ({ path }: { path: string }) => void cut.push(path);
  const clips = new Clips({ clock, ids, dataDir, recorder, preMs: 100, postMs: 0, onCut, report });
  /** Time passes, and promises that wait for the disk come to their end. */
  const pass = async (ms: number) => {
    await new Promise((resolve) => setImmediate(resolve));
    await clock.advance(ms);
    await new Promise((resolve) => setImmediate(resolve));
  };
  const folder = join(dataDir, 'bags', '.clips');
  const orders = () =>
    existsSync(folder) ? readdirSync(folder).filter((one) => !one.endsWith('.tmp')).length : 0;
  const fails = () => listener.onFailed?.();
  return { clips, state, events, reports, cut, pass, orders, fails, lefts };
}

describe('a clip that fails', () => {
  it('is tried again, and the ring keeps its samples until it is made', async () => {
    const { clips, state, events, reports, pass, orders } = makeClips();
    const asked = await clips.record({ trigger: 'api', reason: '' });
    await until(() => reports.length === 1, 'the first try');
    expect(clips.neededFromNs('bag')).toBe(BigInt(asked.from_ns));
    await pass(3_000);
    expect(state.tries).toBe(2);
    state.fault = undefined;
    await pass(3_000);
    await until(() => clips.neededFromNs('bag') === undefined, 'the clip');
    expect(events.map(({ kind }) => kind)).toEqual(['clip.requested', 'segment.sealed', 'clip.recorded']);
    expect(orders()).toBe(0);
  });

  it('has what it needs sealed once, and again only where that failed', async () => {
    const { clips, state, reports, pass, lefts } = makeClips();
    state.sealFault = failed(true);
    await clips.record({ trigger: 'api', reason: '' });
    await until(() => reports.length === 1, 'the first try');
    await pass(3_000);
    expect([state.seals, state.tries]).toEqual([2, 0]);
    state.sealFault = undefined;
    for (let n = 0; n < 3; n++) await pass(3_000);
    expect([state.seals, state.tries]).toEqual([3, 3]);
    // Since then a segment may be left that it needs.
    expect(lefts).toEqual(['waits', 'waits', 'waits']);
    state.fault = undefined;
    await pass(3_000);
    await until(() => clips.neededFromNs('bag') === undefined, 'the clip');
    expect(state.seals).toBe(3);
  });

  it('keeps no new one from being ordered while it waits for its next try', async () => {
    const { clips, reports, state, orders } = makeClips();
    for (let n = 0; n < 20; n++) {
      await clips.record({ trigger: 'api', reason: '' });
      await until(() => reports.length === n + 1, 'the first try');
    }
    expect([state.tries, orders()]).toEqual([20, 20]);
  });

  it('tells whoever waits for it at once', async () => {
    const { clips, pass, state } = makeClips();
    await expect(clips.record({ trigger: 'api', reason: '', wait: true })).rejects.toThrow('no luck');
    state.fault = undefined;
    await pass(3_000);
    await until(() => clips.neededFromNs('bag') === undefined, 'the clip');
    expect(state.tries).toBe(2);
  });

  it('again and again is left to the next start: the ring has to turn', async () => {
    const { clips, state, reports, pass, orders } = makeClips();
    await clips.record({ trigger: 'api', reason: '' });
    await until(() => reports.length === 1, 'the first try');
    for (let n = 0; n < 30; n++) await pass(3_000);
    expect(state.tries).toBe(20);
    expect(reports).toHaveLength(2);
    expect(clips.neededFromNs('bag')).toBeUndefined();
    expect(orders()).toBe(1);
  });

  it('is refused, and leaves no order, where what came before it cannot be made durable', async () => {
    const { clips, state, events, orders } = makeClips();
    mkdirSync(join(dataDir, 'bags', '.clips'), { recursive: true });
    state.syncFault = failed(true);
    await expect(clips.record({ trigger: 'api', reason: '' })).rejects.toThrow('no luck');
    expect(clips.neededFromNs('bag')).toBeUndefined();
    expect([state.tries, orders(), events.length]).toEqual([0, 0, 0]);
  });

  it('has its order before it is synced, which may take long', async () => {
    const { clips, state, events, orders } = makeClips();
    const disk = Promise.withResolvers<void>();
    state.syncing = disk.promise;
    const asked = clips.record({ trigger: 'api', reason: '' });
    await until(() => orders() === 1, 'the order');
    expect(events).toEqual([]);
    disk.resolve();
    await asked;
    expect(events.map(({ kind }) => kind)).toEqual(['clip.requested']);
  });

  it('is tried all the same, and has its order, where nobody will ask again', async () => {
    const { clips, state, events, orders, reports, lefts, pass } = makeClips();
    state.syncFault = failed(true);
    await clips.record({ trigger: 'high', reason: '' }, true);
    expect([orders(), reports.length]).toEqual([1, 1]);
    await until(() => reports.length === 2, 'the first try');
    // What came before it may lie in a segment that is not repaired yet.
    expect(lefts).toEqual(['waits']);
    state.fault = undefined;
    await pass(3_000);
    await until(() => clips.neededFromNs('bag') === undefined, 'the clip');
    expect(events.map(({ kind }) => kind)).toEqual(['clip.requested', 'segment.sealed', 'clip.recorded']);
    expect(orders()).toBe(0);
  });

  it('waits for a segment that is not repaired yet, where the recorder failed since it was ordered', async () => {
    const { clips, reports, lefts, pass, fails } = makeClips();
    fails();
    await clips.record({ trigger: 'api', reason: '' });
    await until(() => reports.length === 1, 'the first try');
    fails();
    for (let n = 0; n < 30; n++) await pass(3_000);
    expect(lefts).toEqual(['last', ...Array.from({ length: 18 }, () => 'waits'), 'last']);
  });

  it('that is asked for again meanwhile is answered when the first is', async () => {
    const { clips, state } = makeClips();
    const clipId = '01a2028d-0d9d-7000-8508-bc3e19789d7d';
    const disk = Promise.withResolvers<void>();
    disk.promise.catch(() => {});
    state.syncing = disk.promise;
    const request = { trigger: 'api', reason: '', clipId };
    const refused = async (asked: Promise<unknown>) => await asked.then(() => 'made', String);
    const asks = [request, request, { ...request, wait: true }].map((one) => refused(clips.record(one)));
    await until(() => clips.neededFromNs('bag') !== undefined, 'the first to wait for the disk');
    disk.reject(failed(true));
    for (const answer of await Promise.all(asks)) expect(answer).toContain('no luck');
    expect(clips.neededFromNs('bag')).toBeUndefined();
  });

  it('for want of samples is none, and its order goes', async () => {
    const { clips, state, events, reports, pass, orders } = makeClips();
    state.fault = failed(false);
    await clips.record({ trigger: 'api', reason: '' });
    await until(() => clips.neededFromNs('bag') === undefined, 'the end of it');
    await pass(60_000);
    expect(state.tries).toBe(1);
    expect(reports).toEqual([expect.stringContaining('there is no clip')]);
    expect(events.map(({ kind }) => kind)).toEqual(['clip.requested']);
    expect(orders()).toBe(0);
  });
});
