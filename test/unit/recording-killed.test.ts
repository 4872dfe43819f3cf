import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BagFolder } from '../../daemon/execution/recorder/bag-folder.ts';
import { evict } from '../../daemon/execution/recorder/tombstones.ts';
import { makeFolder, makeRecorder, payloads, sampleOf } from '../support/recorder.ts';
import { makeRecording, numbersIn } from '../support/recording.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

const bagAt = (bag: string) => join(dataDir, 'bags', bag);

describe('a recording whose process ends at the wrong moment', () => {
  it('has its clip at the next start, though that records into another bag', async () => {
    const first = makeRecording(dataDir, { recorder: { bag: 'monday' } });
    await first.start();
    for (let i = 0; i < 100; i++) first.recording.offer(sampleOf('/a', i));
    const asked = await first.recording.clip({ trigger: 'api', reason: '', preMs: 9, postMs: 3_600_000 });
    await first.stop();

    const second = makeRecording(dataDir, { recorder: { bag: 'tuesday' } });
    await second.start();
    await second.stop();
    expect(await numbersIn(bagAt(asked.bag))).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
  });

  it('has the clip that was acknowledged at that moment, long before the next sync', async () => {
    const first = makeRecording(dataDir, { recorder: { syncMs: 3_600_000 } });
    await first.start();
    for (let i = 0; i < 100; i++) first.recording.offer(sampleOf('/a', i));
    const asked = await first.recording.clip({ trigger: 'api', reason: '', preMs: 9, postMs: 3_600_000 });
    // What a kill leaves.
    const left = makeFolder();
    cpSync(dataDir, left.dataDir, { recursive: true });
    await first.stop();

    const second = makeRecording(left.dataDir);
    await second.start();
    await second.stop();
    expect(second.reports).toEqual([]);
    const numbers = await numbersIn(join(left.dataDir, 'bags', asked.bag));
    expect(numbers).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
    left.remove();
  });

  it('keeps the order of a clip while its segment cannot be repaired', async () => {
    const first = makeRecording(dataDir, { recorder: { syncMs: 3_600_000 } });
    await first.start();
    for (let i = 0; i < 100; i++) {
      first.recording.offer(sampleOf('/a', i));
      if (i === 94) await first.recorder.sealNow();
    }
    const asked = await first.recording.clip({ trigger: 'api', reason: '', preMs: 9, postMs: 3_600_000 });
    const left = makeFolder();
    cpSync(dataDir, left.dataDir, { recursive: true });
    await first.stop();

    // A start at which the disk does not give the segment back.
    const active = join(left.dataDir, 'bags', 'bag', 'bag_1.mcap.active');
    renameSync(active, join(left.dataDir, 'aside'));
    mkdirSync(active);
    const second = makeRecording(left.dataDir);
    await second.start();
    await second.stop();
    expect(payloads(second.events, 'clip.recorded')).toEqual([]);
    rmSync(active, { recursive: true });
    renameSync(join(left.dataDir, 'aside'), active);
    const third = makeRecording(left.dataDir);
    await third.start();
    await third.stop();
    const numbers = await numbersIn(join(left.dataDir, 'bags', asked.bag));
    expect(numbers).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
    left.remove();
  });

  it('keeps what the order of a clip waits for from a quota, in the bag of a former life', async () => {
    const first = makeRecording(dataDir, { recorder: { bag: 'monday', syncMs: 3_600_000 } });
    await first.start();
    for (let i = 0; i < 100; i++) {
      first.recording.offer(sampleOf('/a', i));
      if (i === 89 || i === 94) await first.recorder.sealNow();
    }
    const asked = await first.recording.clip({ trigger: 'api', reason: '', preMs: 9, postMs: 3_600_000 });
    const left = makeFolder();
    cpSync(dataDir, left.dataDir, { recursive: true });
    await first.stop();
    const active = join(left.dataDir, 'bags', 'monday', 'monday_2.mcap.active');
    renameSync(active, join(left.dataDir, 'aside'));
    mkdirSync(active);
    const second = makeRecording(left.dataDir, {
      recorder: { bag: 'tuesday' },
      policies: [{ kind: 'quota', bytesMax: 0 }],
    });
    await second.start();
    await second.stop();
    // What it does not need goes.
    const gone = payloads(second.events, 'segment.evicted').map(({ path }) => path);
    expect(gone).toEqual(['bags/monday/monday_0.mcap']);
    rmSync(active, { recursive: true });
    renameSync(join(left.dataDir, 'aside'), active);
    const third = makeRecording(left.dataDir, { recorder: { bag: 'wednesday' } });
    await third.start();
    await third.stop();
    const numbers = await numbersIn(join(left.dataDir, 'bags', asked.bag));
    expect(numbers).toEqual([90, 91, 92, 93, 94, 95, 96, 97, 98, 99]);
    left.remove();
  });

  it('has the clip in the end of what there is, where a segment is never repaired', async () => {
    const first = makeRecording(dataDir, { recorder: { syncMs: 3_600_000 } });
    await first.start();
    for (let i = 0; i < 100; i++) first.recording.offer(sampleOf('/a', i));
    const asked = await first.recording.clip({ trigger: 'api', reason: '', preMs: 9, postMs: 3_600_000 });
    await first.stop();
    const recorded = { state: 'whole' as const, messages: 10 };
    mkdirSync(join(bagAt('bag'), 'bag_900.mcap.active'));

    const next = makeRecorder(dataDir);
    await next.recorder.start();
    const left = next.recorder.cutClip(asked, { left: 'waits' });
    await expect(left).rejects.toMatchObject({ code: 'recorder.failed', retryable: true });
    expect(await next.recorder.cutClip(asked, { left: 'last' })).toMatchObject({ info: recorded });
    await next.recorder.stop();
  });

  it('tells what was deleted, also where its bag cannot be tidied at the next start', async () => {
    const first = makeRecorder(dataDir, { bag: 'one' });
    await first.recorder.start();
    for (let i = 0; i < 2; i++) {
      first.recorder.offer(sampleOf('/a', i));
      await first.recorder.sealNow();
    }
    await first.recorder.stop();
    const idle = await BagFolder.open(dataDir, 'idle');
    const eviction = { paths: ['bags/one/one_0.mcap'], reason: 'quota', isKept: false } as const;
    const obstacle = join(bagAt('one'), 'metadata.yaml.tmp');
    mkdirSync(obstacle);
    // Killed when the file was gone and nothing was told.
    await expect(evict(dataDir, idle, eviction, () => {})).rejects.toThrow();
    const second = makeRecorder(dataDir, { bag: 'idle' });
    await second.recorder.start();
    await second.recorder.stop();
    expect(payloads(second.events, 'segment.evicted')).toMatchObject([{ path: 'bags/one/one_0.mcap' }]);
    expect(readdirSync(bagAt('.evicted'))).toEqual([]);
  });

  it('leaves a note of an eviction until nothing of it is to be done', async () => {
    for (const bag of ['one', 'two']) {
      const { recorder } = makeRecorder(dataDir, { bag });
      await recorder.start();
      for (let i = 0; i < 2; i++) {
        recorder.offer(sampleOf('/a', i));
        await recorder.sealNow();
      }
      await recorder.stop();
    }
    const paths = ['bags/one/one_0.mcap', 'bags/one/one_1.mcap', 'bags/two/two_0.mcap'];
    const seen: unknown[] = [];
    const idle = await BagFolder.open(dataDir, 'idle');
    await evict(dataDir, idle, { paths, reason: 'quota', isKept: false }, ({ path }) =>
      seen.push({
        path,
        folder: existsSync(bagAt('one')),
        listed: readFileSync(join(bagAt('two'), 'metadata.yaml'), 'utf8').includes('two_0.mcap'),
        notes: readdirSync(bagAt('.evicted')).length,
      }),
    );
    // A kill as soon as an event is told, and its note may go, finds the bag of that event tidy.
    expect(seen).toEqual([
      { path: paths[0], folder: false, listed: true, notes: 3 },
      { path: paths[1], folder: false, listed: true, notes: 3 },
      { path: paths[2], folder: false, listed: false, notes: 3 },
    ]);
  });

  it('tells what was deleted before a file that could not be', async () => {
    const { recorder } = makeRecorder(dataDir);
    await recorder.start();
    recorder.offer(sampleOf('/a', 1));
    await recorder.sealNow();
    await recorder.stop();
    const told: string[] = [];
    const idle = await BagFolder.open(dataDir, 'idle');
    // A folder is nothing that can be unlinked.
    const paths = ['bags/bag/bag_0.mcap', 'bags/bag'];
    const evicted = evict(dataDir, idle, { paths, reason: 'quota', isKept: false }, ({ path }) =>
      told.push(path),
    );
    await expect(evicted).rejects.toThrow();
    expect(told).toEqual(['bags/bag/bag_0.mcap']);
  });

  it('deletes what it can beside a file that cannot be deleted, and says that trying again is no use', async () => {
    const { recorder } = makeRecorder(dataDir);
    await recorder.start();
    for (let i = 0; i < 2; i++) {
      recorder.offer(sampleOf('/a', i));
      await recorder.sealNow();
    }
    await recorder.stop();
    const told: string[] = [];
    // Nor can the list of the bag be written.
    mkdirSync(join(bagAt('bag'), 'metadata.yaml.tmp'));
    const idle = await BagFolder.open(dataDir, 'idle');
    const paths = ['bags/bag', 'bags/bag/bag_0.mcap'];
    const evicted = evict(dataDir, idle, { paths, reason: 'quota', isKept: false }, ({ path }) =>
      told.push(path),
    );
    await expect(evicted).rejects.toMatchObject({ subject: 'bags/bag', retryable: false });
    expect(told).toEqual(['bags/bag/bag_0.mcap']);
    expect(existsSync(join(bagAt('bag'), 'bag_0.mcap'))).toBe(false);
  });

  it('says of a file that is gone what was noted when it was not', async () => {
    const { recorder } = makeRecorder(dataDir);
    await recorder.start();
    for (let i = 0; i < 2; i++) recorder.offer(sampleOf('/a', i));
    await recorder.sealNow();
    await recorder.stop();
    const told: unknown[] = [];
    const idle = await BagFolder.open(dataDir, 'idle');
    const eviction = { paths: ['bags/bag/bag_0.mcap'], reason: 'quota', isKept: false } as const;
    for (let n = 0; n < 2; n++) await evict(dataDir, idle, eviction, (tombstone) => told.push(tombstone));
    expect(told[0]).toMatchObject({ messages: 2, topics: { '/a': 2 } });
    expect(told[1]).toEqual(told[0]);
  });

  it('is not stopped in the middle of an eviction', async () => {
    const { recorder, events } = makeRecorder(dataDir);
    await recorder.start();
    for (let i = 0; i < 5; i++) {
      recorder.offer(sampleOf('/a', i));
      await recorder.sealNow();
    }
    const stopped = recorder.stop();
    // Asked for behind the last seal.
    const paths = [0, 1, 2, 3].map((n) => `bags/bag/bag_${n}.mcap`);
    const evicted = recorder.evict({ paths, reason: 'quota', isKept: false });
    await Promise.all([stopped, evicted]);
    expect(payloads(events, 'segment.evicted').map(({ path }) => path)).toEqual(paths);
    expect(readdirSync(bagAt('bag')).filter((name) => name.endsWith('.mcap'))).toEqual(['bag_4.mcap']);
  });
});
