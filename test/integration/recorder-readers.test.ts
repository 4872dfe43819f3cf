import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { BagSource } from '../../adapters/rosbag/index.ts';
import { SampleBus } from '../../daemon/execution/bus/index.ts';
import { foreignDecoded, foreignView, readersPython } from '../support/readers.ts';
import { makeFolder, makeRecorder, payloads, sampleOf } from '../support/recorder.ts';
import { writeDb3 } from '../support/rosbag-files.ts';

const real = join(import.meta.dirname, '..', '..', '..', 'shared', 'data', 'neato-hallway');
let dataDir: string;
let remove: () => void;
beforeEach(() => {
  readersPython();
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

/** The recording of a real robot; where it is absent, one of the same rates made here. */
function recording(): string {
  if (existsSync(real)) return real;
  console.warn('recorder-readers: ../shared/data/neato-hallway is absent; a generated bag takes its place');
  const path = join(dataDir, 'generated.db3');
  const samples = Array.from({ length: 2425 }, (_, i) => {
    const time = 1_663_967_375_548_411_329n + BigInt(i) * 19_000_000n;
    return {
      ...sampleOf(['/scan', '/odom', '/tf'][i % 3]!, i, 300 + (i % 900)),
      stamp: time,
      received: time,
    };
  });
  writeDb3(path, samples);
  return path;
}

/** Source, bus, recorder; returns the folder that the recorder made. */
async function playThrough(path: string, rate: number) {
  const clock = new SystemClock();
  const { recorder, ledger, events } = makeRecorder(dataDir, { syncMs: 200, segmentBytesMax: 1_000_000 });
  const bus = new SampleBus({ clock, ledger });
  bus.tap('recorder', (sample) => recorder.offer(sample));
  await recorder.start();
  const source = new BagSource({ clock, path, rate, backlogBytes: () => recorder.backlogBytes() });
  const began = clock.monotonicMs();
  await source.open(
    [],
    (sample) => bus.publish(sample),
    () => {},
  );
  recorder.declare(source.offers());
  const result = await source.finished;
  const tookMs = clock.monotonicMs() - began;
  await source.close();
  await recorder.stop();
  return { folder: join(dataDir, 'bags', 'bag'), result, ledger, events, tookMs };
}

describe.each([1, 10])('the recording of a real robot, played at %i× through bus and recorder', (rate) => {
  it('reads back identical in counts, bytes and order with the Python mcap reader and rosbags', async () => {
    const path = recording();
    const source = await foreignView('rosbags', path);
    const { folder, result, ledger, events, tookMs } = await playThrough(path, rate);
    expect(result.fault).toBeUndefined();
    const totals = ledger.totals();
    expect(totals).toEqual({ received: result.messages, written: result.messages, dropped: 0, inFlight: 0 });
    expect(payloads(events, 'segment.sealed').length).toBeGreaterThan(1);
    for (const reader of ['mcap', 'rosbags'] as const) {
      const view = await foreignView(reader, folder);
      expect(view.topics).toEqual(source.topics);
      expect(view.order).toBe(source.order);
    }
    const recorded = await foreignView('rosbags', folder);
    expect(recorded.message_count).toBe(source.message_count);
    if (path === real) {
      expect(result.messages).toBe(2425);
      expect(recorded.qos).toEqual(source.qos);
      expect(tookMs).toBeGreaterThan(46_200 / rate - 100);
    }
    const decoded = await foreignDecoded(folder);
    expect(Object.values(decoded).reduce((sum, count) => sum + count, 0)).toBe(result.messages);
  });
});

describe('the ledger beside the data', () => {
  it('is read by a foreign reader from the file itself', async () => {
    const { recorder } = makeRecorder(dataDir, { queueBytesMax: 4 * 1024 * 1024 });
    await recorder.start();
    for (let i = 0; i < 10; i++) recorder.offer(sampleOf('/image', i, 900_000));
    await recorder.stop();
    const folder = join(dataDir, 'bags', 'bag');
    const { metadata } = await foreignView('mcap', folder);
    const [losses] = metadata!.filter(({ name }) => name === 'auraison.losses');
    expect(JSON.parse(losses!.metadata['/image']!)).toEqual({
      topic: '/image',
      received: 10,
      written: 4,
      dropped: { queue_full: 6 },
    });
  });
});
