import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { BagSource } from '../../adapters/rosbag/index.ts';
import { SampleBus } from '../../daemon/execution/bus/index.ts';
import { foreignDecoded, foreignView, readersPython } from '../support/readers.ts';
import { makeFolder, makeRecorder, payloads, sampleOf } from '../support/recorder.ts';
import { RECORDED_MESSAGES, RECORDED_MS, syntheticRecording } from '../support/synthetic-recording.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  readersPython();
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

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

/** As fast as it was recorded, a short one will do. */
const RATES = [
  [1, 12_000],
  [10, RECORDED_MS],
] as const;

describe.each(RATES)('a recording, played at %i× through bus and recorder', (rate, durationMs) => {
  it('reads back identical in counts, bytes and order with the Python mcap reader and rosbags', async () => {
    const path = syntheticRecording(durationMs);
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
    expect(result.messages).toBe(RECORDED_MESSAGES);
    expect(recorded.qos).toEqual(source.qos);
    expect(tookMs).toBeGreaterThan(durationMs / rate - 100);
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
