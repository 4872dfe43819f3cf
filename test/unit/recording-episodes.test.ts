import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { payloadFault } from '../../contract/index.ts';
import type { RecorderOptions } from '../../daemon/execution/recorder/index.ts';
import { makeFolder, payloads, sampleOf } from '../support/recorder.ts';
import { makeRecording, numbersIn } from '../support/recording.ts';
import { until } from '../support/until.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => {
  vi.restoreAllMocks();
  remove();
});

const make = (recorder: Partial<RecorderOptions> = {}) =>
  makeRecording(dataDir, { mode: 'episode', recorder: { bag: 'idle', ...recorder } });
const bagOf = (bag: string) => join(dataDir, 'bags', bag);

/** So many syncs fail from the moment on that this file has its name. */
async function failSyncsAfter(path: string, times: number) {
  const probe = await open(join(dataDir, 'probe'), 'w');
  const handles: Pick<FileHandle, 'sync'> = Object.getPrototypeOf(probe);
  await probe.close();
  const real = handles.sync;
  let left = times;
  let hasBegun = false;
  vi.spyOn(handles, 'sync').mockImplementation(async function (this: FileHandle) {
    hasBegun ||= existsSync(path);
    if (hasBegun && left-- > 0) throw Object.assign(new Error('EIO: i/o error, fsync'), { code: 'EIO' });
    return await real.call(this);
  });
}

describe('episodes', () => {
  it('hold what came between start and stop, each in a bag of its own, with its label', async () => {
    const { recording, ledger, events, start, stop } = make();
    await start();
    for (let i = 0; i < 10; i++) recording.offer(sampleOf('/a', i));
    const first = await recording.episodes.start({ label: 'pick' });
    for (let i = 10; i < 30; i++) recording.offer(sampleOf('/a', i));
    await expect(recording.episodes.start({})).rejects.toMatchObject({ code: 'recorder.failed' });
    const ended = await recording.episodes.stop({ success: true });
    for (let i = 30; i < 35; i++) recording.offer(sampleOf('/a', i));
    const second = await recording.episodes.start({ label: 'place' });
    recording.offer(sampleOf('/a', 35));
    await recording.episodes.stop({ label: 'place again', success: false });
    await stop();

    expect(ended).toMatchObject({ episode_id: first.episode_id, label: 'pick', success: true, messages: 20 });
    expect(await numbersIn(bagOf(first.bag))).toEqual(Array.from({ length: 20 }, (_, i) => 10 + i));
    expect(await numbersIn(bagOf(second.bag))).toEqual([35]);
    expect(ledger.lines()).toEqual([{ topic: '/a', received: 36, written: 21, dropped: { paused: 15 } }]);
    expect(payloads(events, 'episode.ended')).toMatchObject([
      { label: 'pick', success: true, messages: 20, segments: 1 },
      { label: 'place again', success: false, messages: 1 },
    ]);
    for (const { kind, payload } of events) expect(payloadFault(kind, payload)).toBeUndefined();
    expect(readdirSync(join(dataDir, 'bags')).filter((name) => name.startsWith('idle'))).toEqual([]);
    expect(readdirSync(bagOf(first.bag)).filter((name) => name.includes('open'))).toEqual([]);

    const next = make();
    await next.start();
    expect(next.recording.episodes.list()).toMatchObject([{ label: 'pick' }, { label: 'place again' }]);
    expect(next.events).toEqual([]);
    await next.stop();
  });

  it('can be relabelled while they are recorded and after', async () => {
    const { recording, events, start, stop } = make();
    await start();
    const { episode_id } = await recording.episodes.start({ label: 'a' });
    recording.offer(sampleOf('/a', 1));
    await recording.episodes.relabel({ label: 'b' });
    expect(await recording.episodes.stop({})).toMatchObject({ label: 'b' });
    expect(await recording.episodes.relabel({ episode_id, success: false })).toMatchObject({
      label: 'b',
      success: false,
    });
    expect(payloads(events, 'episode.relabelled')).toMatchObject([
      { episode_id, label: 'b', success: false },
    ]);
    await expect(recording.episodes.relabel({ episode_id: 'x' })).rejects.toMatchObject({
      code: 'recorder.failed',
    });
    await stop();
  });

  it('that are discarded leave nothing but their count', async () => {
    const { recording, ledger, events, start, stop } = make();
    await start();
    const first = await recording.episodes.start({ label: 'bad' });
    for (let i = 0; i < 7; i++) recording.offer(sampleOf('/a', i));
    await recording.episodes.discard({ reason: 'dropped the cube' });
    const second = await recording.episodes.start({});
    recording.offer(sampleOf('/a', 7));
    await recording.episodes.stop({});
    await recording.episodes.discard({ episode_id: second.episode_id, reason: 'blurred' });
    await stop();
    expect(existsSync(bagOf(first.bag))).toBe(false);
    expect(existsSync(bagOf(second.bag))).toBe(false);
    expect(recording.episodes.list()).toEqual([]);
    expect(ledger.lines()).toEqual([{ topic: '/a', received: 8, written: 0, dropped: { discarded: 8 } }]);
    expect(payloads(events, 'episode.discarded')).toMatchObject([
      { episode_id: first.episode_id, reason: 'dropped the cube' },
      { episode_id: second.episode_id, reason: 'blurred' },
    ]);
    expect(payloads(events, 'segment.evicted').map(({ reason }) => reason)).toEqual([
      'discarded',
      'discarded',
    ]);
  });

  it('are none where their last segment cannot be sealed', async () => {
    const { recording, events, start, stop } = make();
    await start();
    const { bag } = await recording.episodes.start({ label: 'lost' });
    recording.offer(sampleOf('/a', 1));
    // A folder is in the way of the note beside the segment.
    const inTheWay = join(bagOf(bag), `${bag}_0.mcap.sealed.json.tmp`);
    mkdirSync(inTheWay);
    await expect(recording.episodes.stop({})).rejects.toMatchObject({ code: 'recorder.failed' });
    expect(recording.episodes.list()).toEqual([]);
    expect(payloads(events, 'episode.discarded')).toMatchObject([{ bag }]);
    expect(readdirSync(bagOf(bag)).filter((name) => name.startsWith('episode.'))).toEqual([]);
    rmdirSync(inTheWay);
    await stop();
  });

  it('are whole when the order to stop is given again, where the disk refused it once', async () => {
    const { recording, events, start, stop } = make();
    await start();
    const { bag } = await recording.episodes.start({ label: 'kept' });
    for (let i = 0; i < 5; i++) recording.offer(sampleOf('/a', i));
    const inTheWay = join(bagOf(bag), 'episode.json.tmp');
    mkdirSync(inTheWay);
    await expect(recording.episodes.stop({ success: true })).rejects.toThrow();
    rmdirSync(inTheWay);
    expect(await recording.episodes.stop({ success: true })).toMatchObject({ bag, messages: 5 });
    expect(payloads(events, 'episode.discarded')).toEqual([]);
    await stop();
    const next = make();
    await next.start();
    expect(next.recording.episodes.list()).toMatchObject([
      { bag, label: 'kept', success: true, messages: 5 },
    ]);
    await next.stop();
  });

  it('are whole also where the disk was full for a while after they ended, or the daemon is stopped then', async () => {
    const { recording, events, start, stop, reports } = make({ retryMs: 50 });
    await start();
    const failed = () => reports.filter((line) => line.includes('recording failed')).length;
    for (const [n, label] of ['again', 'stopped'].entries()) {
      const { bag } = await recording.episodes.start({ label });
      recording.offer(sampleOf('/a', n));
      const inTheWay = join(bagOf(bag), 'episode.json.tmp');
      mkdirSync(inTheWay);
      await expect(recording.episodes.stop({ success: true })).rejects.toThrow();
      rmdirSync(inTheWay);
      if (label === 'stopped') continue;
      // The idle recorder fails as well, and recovers.
      recording.recorder.paused = false;
      const active = join(bagOf(bag), `${bag}_1.mcap.active`);
      mkdirSync(active);
      recording.recorder.offer(sampleOf('/a', 9));
      recording.recorder.paused = true;
      await until(() => failed() > 0, 'the recorder to fail');
      rmdirSync(active);
      await until(() => recording.recorder.status().state === 'recording', 'the recorder to go on');
      expect(await recording.episodes.stop({})).toMatchObject({ bag, success: true, messages: 1 });
    }
    await stop();
    expect(payloads(events, 'episode.discarded')).toEqual([]);
    const next = make();
    await next.start();
    const labels = next.recording.episodes.list().map(({ label, success }) => `${label} ${success}`);
    expect(labels.sort()).toEqual(['again true', 'stopped true']);
    await next.stop();
  });

  it('go on where they could not be discarded', async () => {
    const { recording, start, stop } = make();
    await start();
    const { bag } = await recording.episodes.start({ label: 'kept' });
    recording.offer(sampleOf('/a', 0));
    const inTheWay = join(bagOf(bag), 'episode.discarded.json.tmp');
    mkdirSync(inTheWay);
    await expect(recording.episodes.discard({ reason: 'blurred' })).rejects.toThrow();
    recording.offer(sampleOf('/a', 1));
    rmdirSync(inTheWay);
    expect(await recording.episodes.stop({})).toMatchObject({ bag, messages: 2 });
    await stop();
  });

  it('that could not be discarded, and are whole, are so at the next start', async () => {
    const { recording, start, stop } = make();
    await start();
    const { bag } = await recording.episodes.start({ label: 'kept' });
    recording.offer(sampleOf('/a', 0));
    // The mark has its name already when the disk refuses.
    await failSyncsAfter(join(bagOf(bag), 'episode.discarded.json'), 1);
    await expect(recording.episodes.discard({ reason: 'blurred' })).rejects.toThrow('EIO');
    recording.offer(sampleOf('/a', 1));
    expect(await recording.episodes.stop({})).toMatchObject({ bag, messages: 2 });
    await stop();
    const next = make();
    await next.start();
    expect(next.recording.episodes.list()).toMatchObject([{ bag, label: 'kept', messages: 2 }]);
    await next.stop();
  });

  it('are never whole where the mark that they are discarded may still be on the disk', async () => {
    const { recording, events, start, stop } = make();
    await start();
    const { bag } = await recording.episodes.start({ label: 'gone' });
    recording.offer(sampleOf('/a', 0));
    await failSyncsAfter(join(bagOf(bag), 'episode.discarded.json'), 2);
    await expect(recording.episodes.discard({ reason: 'blurred' })).rejects.toThrow('EIO');
    expect(recording.recorder.paused).toBe(true);
    await expect(recording.episodes.stop({})).rejects.toThrow('discard it again');
    await expect(recording.episodes.relabel({ label: 'kept' })).rejects.toThrow('discard it again');
    await recording.episodes.discard({ reason: 'blurred' });
    expect(existsSync(bagOf(bag))).toBe(false);
    const next = await recording.episodes.start({});
    recording.offer(sampleOf('/a', 1));
    expect(await recording.episodes.stop({})).toMatchObject({ bag: next.bag, messages: 1 });
    expect(payloads(events, 'episode.discarded')).toMatchObject([{ bag }]);
    await stop();
  });

  it('have the label that was given after a stop that the disk refused', async () => {
    const { recording, start, stop } = make();
    await start();
    for (const isRepeated of [true, false]) {
      const { bag } = await recording.episodes.start({ label: 'a' });
      recording.offer(sampleOf('/a', 0));
      const inTheWay = join(bagOf(bag), 'episode.json.tmp');
      mkdirSync(inTheWay);
      await expect(recording.episodes.stop({ success: true })).rejects.toThrow();
      rmdirSync(inTheWay);
      await recording.episodes.relabel({ label: 'b' });
      if (isRepeated) expect(await recording.episodes.stop({})).toMatchObject({ label: 'b', success: true });
    }
    await stop();
    const next = make();
    await next.start();
    const labels = next.recording.episodes.list().map(({ label, success }) => `${label} ${success}`);
    expect(labels).toEqual(['b true', 'b true']);
    await next.stop();
  });

  it('are none where the recorder failed for a while', async () => {
    const { recorder, recording, reports, start, stop } = make({ retryMs: 50 });
    await start();
    const { bag } = await recording.episodes.start({ label: 'holed' });
    const inTheWay = join(bagOf(bag), `${bag}_0.mcap.active`);
    mkdirSync(inTheWay);
    recording.offer(sampleOf('/a', 1));
    await until(() => reports.join().includes('recording failed'), 'the recorder to fail');
    await until(() => recorder.status().state === 'recording', 'the recorder to go on');
    recording.offer(sampleOf('/a', 2));
    await expect(recording.episodes.stop({})).rejects.toMatchObject({ code: 'recorder.failed' });
    expect(recording.episodes.list()).toEqual([]);
    expect(existsSync(join(bagOf(bag), 'episode.json'))).toBe(false);
    const next = await recording.episodes.start({ label: 'sound' });
    recording.offer(sampleOf('/a', 3));
    expect(await recording.episodes.stop({})).toMatchObject({ bag: next.bag, messages: 1 });
    rmdirSync(inTheWay);
    await stop();
  });

  it('are refused in other modes, with the way to have them', async () => {
    const { recording, start, stop } = makeRecording(dataDir);
    await start();
    expect(() => recording.episodes).toThrow(/continuous mode/);
    await stop();
  });
});

describe('episodes at the next start', () => {
  it('that were cut off are none; their messages stay as a recording', async () => {
    const first = make();
    await first.start();
    const { bag, episode_id } = await first.recording.episodes.start({ label: 'half' });
    first.recording.offer(sampleOf('/a', 1));
    await first.recorder.sealNow();
    const open = readFileSync(join(bagOf(bag), 'episode.open.json'));
    await first.stop();
    // As a kill leaves it: begun, and nothing said about its end.
    writeFileSync(join(bagOf(bag), 'episode.open.json'), open);
    const second = make();
    await second.start();
    expect(second.recording.episodes.list()).toEqual([]);
    expect(payloads(second.events, 'episode.discarded')).toMatchObject([{ episode_id, bag }]);
    await second.stop();
    expect(await numbersIn(bagOf(bag))).toEqual([1]);
  });

  it('tell their end again where the log does not have it, and finish a discard that was cut', async () => {
    const first = make();
    await first.start();
    const kept = await first.recording.episodes.start({ label: 'kept' });
    first.recording.offer(sampleOf('/a', 1));
    await first.recording.episodes.stop({});
    const gone = await first.recording.episodes.start({ label: 'gone' });
    first.recording.offer(sampleOf('/a', 2));
    await first.recording.episodes.stop({});
    await first.stop();
    const file = join(bagOf(kept.bag), 'episode.json');
    const whole = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...whole, untold: ['ended'] }));
    const mark = { episode_id: gone.episode_id, reason: 'was being discarded' };
    writeFileSync(join(bagOf(gone.bag), 'episode.discarded.json'), JSON.stringify(mark));

    const second = make();
    await second.start();
    await second.stop();
    expect(payloads(second.events, 'episode.ended')).toMatchObject([{ label: 'kept', messages: 1 }]);
    expect(payloads(second.events, 'episode.discarded')).toMatchObject([mark]);
    expect(payloads(second.events, 'segment.evicted')).toMatchObject([
      { bag: gone.bag, topics: { '/a': 1 } },
    ]);
    expect(existsSync(bagOf(gone.bag))).toBe(false);
    unlinkSync(file);
  });
});
