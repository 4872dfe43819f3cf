import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBag } from '../../adapters/rosbag/index.ts';
import { makeFolder, makeRecorder, payloads, sampleOf } from '../support/recorder.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

describe.each(['zstd', 'lz4'] as const)('a recorder that compresses with %s', (compression) => {
  it('writes every sample in order, into less, and the ledger is exact', async () => {
    const { recorder, ledger, events } = makeRecorder(dataDir, { compression, syncMs: 10 });
    await recorder.start();
    for (let i = 0; i < 300; i++) {
      recorder.offer(sampleOf(i % 5 === 0 ? '/image' : '/small', i, i % 5 === 0 ? 400_000 : 200));
      if (i % 50 === 49) await new Promise((resolve) => setTimeout(resolve, 15));
    }
    await recorder.stop();
    expect(ledger.totals()).toEqual({ received: 300, written: 300, dropped: 0, inFlight: 0 });
    const bag = await openBag(join(dataDir, 'bags', 'bag'));
    const numbers: number[] = [];
    for await (const { bytes } of bag.messages())
      numbers.push(new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true));
    await bag.close();
    expect(numbers).toEqual(Array.from({ length: 300 }, (_, i) => i));
    const { path, bytes } = payloads(events, 'segment.sealed')[0]!;
    expect(bytes).toBeLessThan(60 * 400_000 * 0.1);
    expect(readFileSync(join(dataDir, path)).includes(compression)).toBe(true);
  });

  it('writes plainly rather than drop when more comes than it can compress', async () => {
    const { recorder, ledger, events } = makeRecorder(dataDir, { compression, queueBytesMax: 64 << 20 });
    await recorder.start();
    // Bursts in one turn of the event loop, until the recorder's thread is once behind by half its queue.
    const isPlain = () => payloads(events, 'segment.sealed').some(({ bytes }) => bytes > 2_000_000);
    let sent = 0;
    for (let burst = 0; burst < 100 && !isPlain(); burst++) {
      for (let i = 0; i < 55; i++) recorder.offer(sampleOf('/image', sent++, 900_000));
      await recorder.sealNow();
    }
    await recorder.stop();
    expect(ledger.totals()).toMatchObject({ received: sent, written: sent, dropped: 0 });
    expect(isPlain()).toBe(true);
  });
});
