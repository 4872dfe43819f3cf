import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openBag } from '../../adapters/rosbag/index.ts';
import { LIMITS, payloadFault, SENSOR_QOS } from '../../contract/index.ts';
import { writeFile } from '../support/mcap-files.ts';
import { makeFolder, makeRecorder, payloads, sampleOf } from '../support/recorder.ts';

let dataDir: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
});
afterEach(() => remove());

async function read(path: string) {
  const bag = await openBag(path);
  const samples = [];
  for await (const sample of bag.messages()) samples.push(sample);
  await bag.close();
  return { bag, samples };
}

describe('the recorder', () => {
  it('writes what it was offered, byte for byte, and accounts for all of it', async () => {
    const { recorder, ledger, events } = makeRecorder(dataDir);
    await recorder.start();
    recorder.declare([{ topic: '/a', type: 'std_msgs/msg/UInt32', qos: SENSOR_QOS }]);
    const offered = Array.from({ length: 500 }, (_, i) => sampleOf(i % 3 === 0 ? '/b' : '/a', i, 8 + i));
    for (const sample of offered) recorder.offer(sample);
    await recorder.stop();

    const { bag, samples } = await read(join(dataDir, 'bags', 'bag'));
    expect(samples.map((s) => [s.topic, s.type, s.stamp, s.received])).toEqual(
      offered.map((s) => [s.topic, s.type, s.stamp, s.received]),
    );
    expect(samples.every((s, i) => Buffer.compare(s.bytes, offered[i]!.bytes) === 0)).toBe(true);
    expect(bag.topics.find(({ topic }) => topic === '/a')?.qos).toMatchObject(SENSOR_QOS);
    expect(bag.topics.find(({ topic }) => topic === '/a')?.definition).toContain('uint32 data');
    expect(ledger.totals()).toEqual({ received: 500, written: 500, dropped: 0, inFlight: 0 });
    expect(recorder.backlogBytes()).toBe(0);
    expect(events.map(({ kind }) => kind)).toEqual(['segment.opened', 'segment.sealed', 'losses.recorded']);
    for (const { kind, payload } of events) expect(payloadFault(kind, payload)).toBeUndefined();
  });

  it('rotates by size; the hashes in the events are those of the files, and no trace of work is left', async () => {
    const { recorder, events } = makeRecorder(dataDir, { segmentBytesMax: 3_000_000 });
    await recorder.start();
    for (let i = 0; i < 24; i++) {
      recorder.offer(sampleOf('/image', i, 900_000));
      if (i % 4 === 3) await recorder.sealNow();
    }
    await recorder.stop();
    const sealed = payloads(events, 'segment.sealed');
    expect(sealed.length).toBeGreaterThanOrEqual(6);
    expect(sealed.reduce((sum, { messages }) => sum + messages, 0)).toBe(24);
    for (const { path, sha256, bytes } of sealed) {
      const file = readFileSync(join(dataDir, path));
      expect(createHash('sha256').update(file).digest('hex')).toBe(sha256);
      expect(file.length).toBe(bytes);
    }
    const names = readdirSync(join(dataDir, 'bags', 'bag'));
    expect(names.sort()).toEqual([...sealed.map((_, i) => `bag_${i}.mcap`), 'metadata.yaml'].sort());
  });

  it('drops what its queue cannot hold, counts it, and tells the ledger beside the data', async () => {
    const { recorder, ledger, events } = makeRecorder(dataDir, { queueBytesMax: 4 * 1024 * 1024 });
    await recorder.start();
    // One turn of the event loop: nothing can be worked off in between.
    for (let i = 0; i < 40; i++) recorder.offer(sampleOf('/image', i, 900_000));
    recorder.offer({ ...sampleOf('/huge', 0), bytes: new Uint8Array(LIMITS.SAMPLE_BYTES_MAX + 1) });
    await recorder.stop();
    const line = ledger.lines().find(({ topic }) => topic === '/image')!;
    expect(line.dropped.queue_full).toBe(36);
    expect(line.received).toBe(line.written + 36);
    expect((await read(join(dataDir, 'bags', 'bag'))).samples).toHaveLength(4);
    const recorded = payloads(events, 'losses.recorded').flatMap(({ topics }) => topics);
    expect(recorded).toEqual([
      { topic: '/huge', received: 1, written: 0, dropped: { too_large: 1 } },
      { topic: '/image', received: 40, written: 4, dropped: { queue_full: 36 } },
    ]);
  });

  it('counts what comes before its start and after its stop', async () => {
    const { recorder, ledger } = makeRecorder(dataDir);
    recorder.offer(sampleOf('/a', 0));
    await recorder.start();
    await recorder.stop();
    await recorder.stop();
    recorder.offer(sampleOf('/a', 1));
    expect(ledger.lines()).toEqual([{ topic: '/a', received: 2, written: 0, dropped: { shutdown: 2 } }]);
  });

  it('records a type it has no definition of as raw bytes, under its name, and says so', async () => {
    const { recorder, reports } = makeRecorder(dataDir);
    await recorder.start();
    recorder.offer({ ...sampleOf('/own', 1), type: 'my_robot/msg/Secret' });
    await recorder.stop();
    const { bag, samples } = await read(join(dataDir, 'bags', 'bag'));
    expect(samples).toHaveLength(1);
    expect(bag.topics[0]).toMatchObject({ type: 'my_robot/msg/Secret', definition: undefined });
    expect(reports.join()).toContain('my_robot/msg/Secret');
  });

  it('goes on in a bag that exists without touching its segments', async () => {
    for (let life = 0; life < 3; life++) {
      const { recorder } = makeRecorder(dataDir);
      await recorder.start();
      for (let i = 0; i < 10; i++) recorder.offer(sampleOf('/a', life * 10 + i));
      await recorder.stop();
    }
    const { samples } = await read(join(dataDir, 'bags', 'bag'));
    expect(samples).toHaveLength(30);
    expect(readFileSync(join(dataDir, 'bags', 'bag', 'metadata.yaml'), 'utf8')).toContain(
      'message_count: 30',
    );
  });
});

describe('the recorder at its start', () => {
  it('seals what a crash left unsealed, keeping every whole message', async () => {
    const messages = Array.from({ length: 50 }, (_, i) => ({
      channel: 1,
      time: BigInt(1000 + i),
      data: new Uint8Array(100).fill(i),
    }));
    const { bytes } = writeFile([messages.slice(0, 20), messages.slice(20)], false);
    const folder = join(dataDir, 'bags', 'old');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'old_3.mcap.active'), bytes.subarray(0, bytes.length - 900));
    const { recorder, events } = makeRecorder(dataDir);
    await recorder.start();
    await recorder.stop();
    const [sealed] = payloads(events, 'segment.sealed');
    expect(sealed).toMatchObject({ bag: 'old', path: 'bags/old/old_3.mcap', repaired: true });
    const { samples, bag } = await read(folder);
    expect(bag.fault).toBeUndefined();
    expect(samples.length).toBe(sealed!.messages);
    expect(samples.length).toBeGreaterThan(40);
    expect(existsSync(join(folder, 'metadata.yaml'))).toBe(true);
  });

  it('tells the events of a sealed segment again until they reached the log', async () => {
    const { recorder, reports } = makeRecorder(dataDir, {
      emit: async (batch) => {
        if (batch.some(({ kind }) => kind === 'segment.sealed')) throw new Error('log is gone');
      },
    });
    await recorder.start();
    recorder.offer(sampleOf('/a', 0));
    await recorder.stop();
    expect(reports.join()).toContain('did not reach the log');
    for (const expected of [['bags/bag/bag_0.mcap'], []]) {
      const next = makeRecorder(dataDir);
      await next.recorder.start();
      await next.recorder.stop();
      expect(payloads(next.events, 'segment.sealed').map(({ path }) => path)).toEqual(expected);
    }
  });

  it('is not kept from recording by a file that is no recording', async () => {
    const folder = join(dataDir, 'bags', 'odd');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'odd_0.mcap.active'), 'not a recording at all');
    const { recorder, ledger, reports } = makeRecorder(dataDir);
    await recorder.start();
    recorder.offer(sampleOf('/a', 0));
    await recorder.stop();
    expect(ledger.totals().written).toBe(1);
    expect(reports.join()).toContain('odd_0.mcap could not be repaired');
    expect(existsSync(join(folder, 'odd_0.mcap.active'))).toBe(true);
  });
});

describe('the recorder whose thread dies', () => {
  it('goes on by itself with a new one, seals the file of the old one, and accounts for every sample', async () => {
    const threadEntry = new URL('../support/dying-recorder-main.ts', import.meta.url);
    const { recorder, ledger, events, reports } = makeRecorder(dataDir, { threadEntry, retryMs: 50 });
    await recorder.start();
    for (let i = 0; i < 3; i++) recorder.offer(sampleOf('/image', i, 900_000));
    await recorder.sealNow();
    recorder.offer(sampleOf('/image', 3, 900_000));
    recorder.offer(sampleOf('/image', 4, 3_000_000));
    for (let i = 5; recorder.status().state !== 'failed'; i++) {
      recorder.offer(sampleOf('/image', i, 900_000));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    recorder.offer(sampleOf('/image', 100));
    while (recorder.status().state !== 'recording') await new Promise((resolve) => setTimeout(resolve, 5));
    recorder.offer(sampleOf('/image', 101));
    await recorder.stop();
    expect(reports.join()).toContain('the recorder thread ended unexpectedly');
    const [line] = ledger.lines();
    const lost = Object.values(line!.dropped).reduce((sum, count) => sum + count, 0);
    expect(line!.received).toBe(line!.written + lost);
    expect(line!.dropped.write_failed).toBeGreaterThan(0);
    const { samples, bag } = await read(join(dataDir, 'bags', 'bag'));
    expect(bag.fault).toBeUndefined();
    expect(samples.length).toBeGreaterThanOrEqual(line!.written);
    expect(samples.length).toBeGreaterThanOrEqual(4);
    const sealed = payloads(events, 'segment.sealed').reduce((sum, { messages }) => sum + messages, 0);
    expect(sealed).toBe(samples.length);
  });
});
