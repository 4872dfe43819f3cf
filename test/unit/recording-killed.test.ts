import { existsSync, readdirSync, readFileSync } from 'node:fs';
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
