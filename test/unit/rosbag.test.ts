import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { zstdCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { BagSource, bagInfo, openBag } from '../../adapters/rosbag/index.ts';
import { DEFAULT_QOS, type Sample } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { writeFile } from '../support/mcap-files.ts';
import { makeFolder, makeRecorder, sampleOf } from '../support/recorder.ts';
import { writeDb3 } from '../support/rosbag-files.ts';

let folder: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir: folder, remove } = makeFolder());
});
afterEach(() => remove());

const samples = Array.from({ length: 300 }, (_, i) => sampleOf(i % 4 === 0 ? '/slow' : '/fast', i, 200));
const key = (sample: Sample) =>
  `${sample.topic} ${sample.received} ${Buffer.from(sample.bytes).toString('hex')}`;

async function play(path: string, options: Partial<ConstructorParameters<typeof BagSource>[0]> = {}) {
  const source = new BagSource({ clock: new SystemClock(), path, rate: 'max', ...options });
  const found: Sample[] = [];
  await source.open(
    [],
    (sample) => found.push(sample),
    () => {},
  );
  const result = await source.finished;
  await source.close();
  return { found, result };
}

describe('a rosbag2 SQLite file', () => {
  it('is played in order, byte for byte', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples);
    const { found, result } = await play(path);
    expect(found.map(key)).toEqual(samples.map(key));
    expect(result).toMatchObject({ messages: 300, fault: undefined });
  });

  it('with messages compressed one by one is unpacked', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(
      path,
      samples.map((s) => ({ ...s, bytes: zstdCompressSync(s.bytes) })),
    );
    expect((await play(path)).found.map(key)).toEqual(samples.map(key));
  });

  it('that is cut off gives what is readable, then an error that names file and byte', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples);
    const whole = readFileSync(path);
    writeFileSync(path, whole.subarray(0, Math.floor(whole.length * 0.6)));
    const { found, result } = await play(path);
    expect(found.length).toBeGreaterThan(50);
    // SQLite places pages where it likes: what is missing need not be the end. The order holds.
    const kept = new Set(found.map(key));
    expect(found.map(key)).toEqual(samples.map(key).filter((one) => kept.has(one)));
    expect(result.fault).toMatchObject({ code: 'bag.malformed', subject: path });
    expect(result.fault?.message).toContain(`at byte ${Math.floor(whole.length * 0.6)}`);
    expect((await bagInfo(path)).files[0]).toMatchObject({ messages: found.length });
  });

  it('whose schema lost a column is refused by its name, however far it was read', async () => {
    const path = join(folder, 'schema.db3');
    writeDb3(path, samples);
    const database = new DatabaseSync(path);
    database.exec('ALTER TABLE messages RENAME COLUMN data TO dat4');
    database.close();
    const read = async () => {
      const bag = await openBag(path);
      for await (const _ of bag.messages());
    };
    await expect(read()).rejects.toMatchObject({ code: 'bag.malformed', subject: path });
  });

  it('that is another database, or none, is refused', async () => {
    const other = join(folder, 'b.db3');
    const database = new DatabaseSync(other);
    database.exec('CREATE TABLE x(y)');
    database.close();
    await expect(openBag(other)).rejects.toMatchObject({ code: 'bag.malformed', subject: other });
    const garbage = join(folder, 'c.db3');
    writeFileSync(garbage, 'garbage');
    await expect(openBag(garbage)).rejects.toMatchObject({ code: 'bag.malformed' });
    await expect(openBag(join(folder, 'absent'))).rejects.toMatchObject({ code: 'bag.malformed' });
  });
});

describe('an MCAP bag', () => {
  const messages = Array.from({ length: 40 }, (_, i) => ({
    channel: 1 + (i % 2),
    time: BigInt(i) * 1_000_000n + 1n,
    data: new Uint8Array([0, 1, 0, 0, i]),
  }));

  it('of several segments is one recording, in order of time', async () => {
    writeFileSync(join(folder, 'b_9.mcap'), writeFile([messages.slice(0, 20)]).bytes);
    writeFileSync(join(folder, 'b_10.mcap'), writeFile([messages.slice(20)]).bytes);
    const { found } = await play(folder);
    expect(found.map(({ bytes }) => bytes[4])).toEqual(messages.map((_, i) => i));
    expect(await bagInfo(folder)).toMatchObject({ messages: 40, startNs: 1n, endNs: 39_000_001n });
  });

  it('that is cut off is played with the whole messages of its last chunk, then the fault is told', async () => {
    const { bytes, ends } = writeFile([messages.slice(0, 20), messages.slice(20)]);
    const path = join(folder, 'cut.mcap');
    writeFileSync(path, bytes.subarray(0, ends[0]! + 300));
    const { found, result } = await play(path);
    expect(found.map(({ bytes }) => bytes[4])).toEqual(messages.slice(0, 26).map((_, i) => i));
    expect(result.fault).toMatchObject({ code: 'mcap.malformed', subject: path });
    const info = await bagInfo(path);
    expect(info.files[0]?.fault?.message).toMatch(/at byte \d+/);
  });
});

describe('playing', () => {
  it('keeps the pace of the recording, times the rate', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples.slice(0, 101));
    const clock = new ManualClock();
    const source = new BagSource({ clock, path, rate: 2 });
    const at: number[] = [];
    await source.open(
      [],
      () => at.push(clock.monotonicMs()),
      () => {},
    );
    for (let i = 0; i < 200; i++) {
      await clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await source.finished;
    await source.close();
    // Messages lie 1 ms apart: at twice the pace the last is due after 50 ms.
    expect(at).toHaveLength(101);
    expect(at.every((ms, i) => ms >= Math.floor(i / 2) - 1 && ms <= i / 2 + 3)).toBe(true);
  });

  it('is held back by a receiver that does not keep up, and loses nothing', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples);
    let backlog = 0;
    let worst = 0;
    const working = setInterval(() => {
      backlog = Math.max(0, backlog - 2_000);
    }, 1);
    const source = new BagSource({
      clock: new SystemClock(),
      path,
      rate: 'max',
      backlogBytes: () => backlog,
      backlogBytesMax: 5_000,
    });
    await source.open(
      [],
      ({ bytes }) => {
        backlog += bytes.length;
        worst = Math.max(worst, backlog);
      },
      () => {},
    );
    expect(await source.finished).toMatchObject({ messages: 300 });
    clearInterval(working);
    await source.close();
    expect(worst).toBeLessThanOrEqual(5_200);
  });

  it('filters topics, starts later, ends earlier', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples);
    const { found } = await play(path, { startOffsetMs: 100, durationMs: 50 });
    expect(found.map(key)).toEqual(samples.slice(100, 150).map(key));
    const source = new BagSource({ clock: new SystemClock(), path, rate: 'max' });
    const slow: Sample[] = [];
    const [spec] = [{ topic: '/slow', type: '', qos: undefined as never }];
    await source.open(
      [spec],
      (sample) => slow.push(sample),
      () => {},
    );
    await source.finished;
    await source.close();
    expect(slow).toHaveLength(75);
    expect(new Set(slow.map(({ topic }) => topic))).toEqual(new Set(['/slow']));
  });

  it('is refused where it is to begin behind its end, and says how long it is', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples);
    const { found, result } = await play(path, { startOffsetMs: 60_000, loop: true });
    expect(found).toEqual([]);
    expect(result.fault).toMatchObject({ code: 'schema.invalid' });
    expect(result.fault?.message).toContain('0.299 s long');
  });

  it('in a loop ends where nothing is left but what late subscribers are owed', async () => {
    const { recorder } = makeRecorder(folder);
    const qos = { ...DEFAULT_QOS, durability: 'transient_local' as const };
    recorder.declare([{ topic: '/map', type: 'std_msgs/msg/UInt32', qos }]);
    await recorder.start();
    for (let i = 0; i < 100; i++) recorder.offer(sampleOf(i === 0 ? '/map' : '/a', i));
    await recorder.stop();
    const bag = join(folder, 'bags', 'bag');
    const source = new BagSource({
      ...{ clock: new SystemClock(), path: bag, rate: 'max', startOffsetMs: 50, loop: true },
    });
    const found: Sample[] = [];
    await source.prepare();
    source.begin(new Set(['/map']), (sample) => found.push(sample));
    expect(await source.finished).toMatchObject({ messages: 1, loops: 1, fault: undefined });
    await source.close();
    expect(found.map(({ topic }) => topic)).toEqual(['/map']);
  });

  it('in a loop begins again no sooner than its recording ends', async () => {
    const path = join(folder, 'a.db3');
    // 10 ms of one topic in a recording of 100.
    writeDb3(
      path,
      samples.slice(0, 101).map((sample, i) => ({ ...sample, topic: i < 10 ? '/early' : '/other' })),
    );
    const clock = new ManualClock();
    // A part that is longer than the recording ends with it.
    const source = new BagSource({ clock, path, rate: 1, loop: true, durationMs: 60_000 });
    const at: number[] = [];
    await source.prepare();
    source.begin(new Set(['/early']), () => at.push(clock.monotonicMs()));
    for (let i = 0; i < 150; i++) {
      await clock.advance(1);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await source.close();
    expect(at.length).toBe(20);
    expect(at[10]! - at[0]!).toBeGreaterThanOrEqual(99);
    expect(at[10]! - at[0]!).toBeLessThanOrEqual(105);
  });

  it('in a loop goes on in time until it is closed', async () => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples.slice(0, 20));
    const found: Sample[] = [];
    const source = new BagSource({ clock: new SystemClock(), path, rate: 'max', loop: true });
    await new Promise<void>((enough) => {
      void source.open(
        [],
        (sample) => {
          found.push(sample);
          if (found.length === 70) enough();
        },
        () => {},
      );
    });
    await source.close();
    const times = found.map(({ received }) => received);
    expect(times.every((time, i) => i === 0 || time > times[i - 1]!)).toBe(true);
    expect((await source.finished).loops).toBeGreaterThanOrEqual(3);
  });

  it('refuses a rate that is none', () => {
    for (const rate of [0, -1, Number.NaN]) {
      expect(() => new BagSource({ clock: new SystemClock(), path: 'x', rate })).toThrow(/rate/);
    }
  });
});
