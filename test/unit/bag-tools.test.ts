import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type BagChannel,
  BagSource,
  BagWriter,
  copyBag,
  importBag,
  openBag,
  openBags,
} from '../../adapters/rosbag/index.ts';
import { KeySpaceSink } from '../../adapters/zenoh/key-space-sink.ts';
import type { PlayOptions } from '../../contract/bag-messages.ts';
import type { KeySpace, Sample, TopicSpec } from '../../contract/index.ts';
import { BagPlayer, busSink, type PlayableBag } from '../../daemon/execution/bag-player.ts';
import { type Receipt, TopicClasses } from '../../daemon/execution/door/index.ts';
import { SinkQueue } from '../../daemon/execution/sink-queue.ts';
import { adoptBag } from '../../io/adopt-bag.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { makeFolder } from '../support/recorder.ts';

let folder: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir: folder, remove } = makeFolder());
});
afterEach(() => remove());

const LATCHED = '- history: keep_last\n  depth: 2\n  reliability: reliable\n  durability: transient_local';
const channelOf = (topic: string, qos = ''): BagChannel => ({
  topic,
  type: 'std_msgs/msg/UInt32',
  schemaEncoding: 'ros2msg',
  schemaData: new TextEncoder().encode('uint32 data'),
  messageEncoding: 'cdr',
  metadata: new Map([['offered_qos_profiles', qos]]),
});
const [fast, map] = [channelOf('/fast'), channelOf('/map', LATCHED)];
const S = 1_000_000_000n;

/** /fast ten times a second for ten seconds; /map five times in the first. Each message holds its number. */
async function makeBag(name: string): Promise<string> {
  const path = join(folder, name);
  const isFolder = !name.includes('.');
  const storage = name.endsWith('.db3') ? 'sqlite3' : 'mcap';
  const writer = await BagWriter.create({ target: path, storage, isFolder, chunkBytes: 512 });
  for (let i = 0; i < 100; i++) {
    const logTime = S + BigInt(i) * (S / 10n);
    const bytes = new Uint8Array([0, 1, 0, 0, i, 0, 0, 0]);
    const message = { sequence: i, logTime, publishTime: logTime, bytes };
    await writer.write({ channel: fast, ...message });
    if (i < 10 && i % 2 === 0) await writer.write({ channel: map, ...message });
  }
  await writer.finish();
  return path;
}

async function play(path: string, options: Partial<ConstructorParameters<typeof BagSource>[0]>) {
  const clock = new ManualClock();
  const source = new BagSource({ clock, path, rate: 1, ...options });
  const found: Sample[] = [];
  await source.prepare();
  source.begin(undefined, (sample) => found.push(sample));
  /** Lets time pass, in steps that leave real time to read the file, until something holds. */
  const until = async (holds: () => boolean) => {
    for (let i = 0; i < 3_000 && !holds(); i++) {
      await clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(holds()).toBe(true);
  };
  const numbers = (topic: string) => found.filter((one) => one.topic === topic).map(({ bytes }) => bytes[4]);
  return { source, clock, until, numbers };
}

describe('steering a play', () => {
  it('holds at a pause, goes on after it, and is told where it is', async () => {
    const { source, clock, until, numbers } = await play(await makeBag('a.mcap'), {});
    await until(() => numbers('/fast').length >= 4);
    source.pause();
    const held = numbers('/fast').length;
    const { positionNs } = source;
    const from = clock.monotonicMs();
    await until(() => clock.monotonicMs() - from > 2_000);
    expect([numbers('/fast').length, source.positionNs, source.isPaused]).toEqual([held, positionNs, true]);
    source.resume();
    await until(() => numbers('/fast').length >= held + 2);
    // What it was held is not made up for.
    expect(numbers('/fast').length).toBeLessThan(held + 5);
    expect(source.total).toBe(105);
    await source.close();
  });

  it('after a seek, forwards and back, goes on there, with what latched topics held', async () => {
    const { source, until, numbers } = await play(await makeBag('a.mcap'), {});
    await until(() => numbers('/fast').length >= 1);
    source.seek(S + 5n * S);
    await until(() => numbers('/fast').at(-1)! >= 50);
    expect(numbers('/map').slice(-2)).toEqual([6, 8]);
    expect(numbers('/fast').filter((number) => number! > 5 && number! < 50)).toEqual([]);
    source.seek(S + 2n * S);
    await until(() => numbers('/fast').at(-1)! < 50);
    expect(numbers('/fast').at(-1)).toBeGreaterThanOrEqual(20);
    await source.close();
  });

  it('takes another rate on the way', async () => {
    const { source, clock, until, numbers } = await play(await makeBag('a.mcap'), { rate: 0.01 });
    await until(() => numbers('/fast').length >= 1);
    source.setRate(10);
    const from = clock.monotonicMs();
    await until(() => numbers('/fast').length > 45);
    // At the rate before, this would have taken 450 s.
    expect(clock.monotonicMs() - from).toBeLessThan(30_000);
    source.setRate('max');
    expect((await source.finished).messages).toBe(105);
    await source.close();
  });
});

const OPTIONS: PlayOptions = { path: 'a.mcap', rate: 1, loop: false, startS: 0, topics: [] };
const TWIST: TopicSpec = {
  topic: '/base/velocity',
  type: 'geometry_msgs/msg/Twist',
  qos: { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth: 1 },
};

function playerOf(reaches: 'nobody' | 'bus' | 'robot') {
  let begun: ReadonlySet<string> | undefined;
  const topics = [
    TWIST,
    { ...TWIST, topic: '/scan', type: 'sensor_msgs/msg/LaserScan' },
    { ...TWIST, topic: '/words', type: 'std_msgs/msg/String' },
  ];
  const bag = {
    prepare: async () => {},
    begin: (wanted: ReadonlySet<string>) => {
      begun = wanted;
    },
    topics: () => topics,
    choose: () => new Set(topics.map(({ topic }) => topic)),
    startNs: 0n,
    endNs: 1n,
    positionNs: 0n,
    finished: new Promise(() => {}),
    close: async () => {},
  } as unknown as PlayableBag;
  const sink = busSink(
    () => {},
    () => {},
  );
  const player = new BagPlayer({
    open: async () => bag,
    target: async () => ({ sink: () => sink, reaches, settleMs: 0 }),
    topics: new TopicClasses({ obeys: ['/cmd_vel'] }),
    gate: { judges: (type) => type === TWIST.type },
    pause: async () => {},
    every: () => ({ cancel: () => {} }),
  });
  return { player, begun: () => [...(begun ?? [])] };
}

describe('commands in a recording', () => {
  it.each([
    ['bus', {}, ['/scan', '/words'], ['/base/velocity']],
    ['bus', { allowCommands: true }, ['/base/velocity', '/scan', '/words'], []],
    ['nobody', {}, ['/base/velocity', '/scan', '/words'], []],
    ['bus', { remap: ['/scan:=/cmd_vel'] }, ['/words'], ['/base/velocity', '/scan']],
    // Into a robot nothing is played that nobody calls harmless, nor a command that no gate can judge.
    ['robot', {}, ['/scan'], ['/base/velocity', '/words']],
    ['robot', { allowCommands: true }, ['/base/velocity', '/scan'], ['/words']],
    ['robot', { allowCommands: true, remap: ['/scan:=/cmd_vel'] }, ['/base/velocity'], ['/scan', '/words']],
  ] as const)('a play that reaches %s, options %j', async (reaches, options, played, withheld) => {
    const { player, begun } = playerOf(reaches);
    const state = await player.start({ ...OPTIONS, ...options });
    expect([begun(), state.withheld]).toEqual([played, withheld]);
  });
});

describe('a robot that is busy for a while', () => {
  it('is given everything in order; one that stays deaf ends the play', async () => {
    const taken: number[] = [];
    let refusals = 5;
    const send = (sample: Sample): Receipt =>
      refusals-- > 0 ? { verdict: 'busy' } : { verdict: 'sent', sample };
    const faults: string[] = [];
    const queue = new SinkQueue(
      () => new Promise((resolve) => setImmediate(resolve)),
      (error) => faults.push(error.code),
    );
    const sample = (n: number): Sample => ({
      topic: '/a',
      type: 't',
      stamp: 0n,
      received: 0n,
      bytes: new Uint8Array([n]),
    });
    const add = (n: number) =>
      queue.add({
        sample: sample(n),
        send: () => send(sample(n)),
        onSettled: (receipt) => void ('sample' in receipt && taken.push(receipt.sample.bytes[0]!)),
      });
    add(1);
    expect(queue.backlogBytes()).toBe(Number.POSITIVE_INFINITY);
    add(2);
    await queue.empty();
    expect([taken, faults]).toEqual([[1, 2], []]);
    refusals = Number.POSITIVE_INFINITY;
    add(3);
    await queue.empty();
    expect(faults).toEqual(['cell.unavailable']);
  });
});

describe('a play into the key space', () => {
  it('puts each topic under the prefix, as CDR with its type, and closes when all is through', async () => {
    const puts: [string, string | undefined, number][] = [];
    const keySpace = {
      put: async (key: string, payload: Uint8Array, options?: { encoding?: string }) => {
        await new Promise((resolve) => setImmediate(resolve));
        puts.push([key, options?.encoding, payload.length]);
      },
    } as unknown as KeySpace;
    const sink = new KeySpaceSink(keySpace, '/robot7/');
    const sample = { topic: '/a/scan', type: 'a/msg/B', stamp: 0n, received: 0n, bytes: new Uint8Array(3) };
    const taken = Array.from({ length: 70 }, () => sink.offer(sample)).filter((isTaken) => isTaken).length;
    await sink.close();
    expect(puts).toEqual(
      Array.from({ length: taken }, () => ['robot7/a/scan', 'application/cdr;a/msg/B', 3]),
    );
    expect(taken).toBe(64);
    expect(sink.offer(sample)).toBe(false);
  });
});

describe('copies', () => {
  it.each(['b.mcap', 'b.db3', 'b'])(
    'begin with what latched topics held, at the start: %s',
    async (target) => {
      const bag = await openBag(await makeBag('a.mcap'));
      const isFolder = !target.includes('.');
      const storage = target.endsWith('.db3') ? 'sqlite3' : 'mcap';
      const writer = await BagWriter.create({ target: join(folder, target), storage, isFolder });
      const copied = await copyBag(bag, writer, { startNs: 6n * S, endNs: 7n * S, latched: true });
      await writer.finish();
      expect(copied).toMatchObject({ messages: 12, latched: 2 });
      const copy = await openBag(join(folder, target));
      expect([copy.startNs, copy.endNs]).toEqual([6n * S, 6n * S + 9n * (S / 10n)]);
      expect(copy.topics.map(({ topic, messages }) => [topic, messages])).toEqual([
        ['/map', 2],
        ['/fast', 10],
      ]);
      await Promise.all([bag.close(), copy.close()]);
    },
  );

  it('of compressed bags give bytes that a receiver may copy and give away', async () => {
    const bag = await openBag(await makeBag('a.mcap'));
    const writer = await BagWriter.create({
      target: join(folder, 'z.mcap'),
      storage: 'mcap',
      isFolder: false,
      compression: 'zstd',
    });
    await copyBag(bag, writer);
    await writer.finish();
    const packed = await openBag(join(folder, 'z.mcap'));
    const numbers: (number | undefined)[] = [];
    for await (const { topic, bytes } of packed.messages()) {
      structuredClone(null, { transfer: [bytes.slice().buffer] });
      if (topic === '/fast') numbers.push(bytes[4]);
    }
    expect(numbers).toEqual(Array.from({ length: 100 }, (_, i) => i));
    await Promise.all([bag.close(), packed.close()]);
  });

  it('that are cancelled leave nothing, not even a hidden name', async () => {
    const bag = await openBag(await makeBag('a.mcap'));
    const writer = await BagWriter.create({ target: join(folder, 'c'), storage: 'mcap', isFolder: true });
    const copied = copyBag(bag, writer, { signal: AbortSignal.abort() });
    await expect(copied).rejects.toMatchObject({ code: 'run.cancelled' });
    await writer.abort();
    await bag.close();
    expect(readdirSync(folder).filter((name) => name.includes('c'))).toEqual(['a.mcap']);
  });

  it('refuse a target that is there', async () => {
    const path = await makeBag('a.mcap');
    const options = { target: path, storage: 'mcap', isFolder: false } as const;
    await expect(BagWriter.create(options)).rejects.toMatchObject({ code: 'bag.exists' });
  });
});

describe('an import', () => {
  const options = { name: 'x', source: 'here', compression: 'none', splitBytes: 2_000 } as const;

  it('owes its events to the log until they are in it, and refuses notes that lie', async () => {
    mkdirSync(join(folder, 'data'));
    const bag = await openBags([await makeBag('a.mcap')]);
    const imported = await importBag(bag, { dataDir: join(folder, 'data'), ...options });
    expect(imported.segments.length).toBeGreaterThan(1);
    const told: unknown[] = [];
    const failing = adoptBag(join(folder, 'data'), 'x', async () => {
      throw new Error('disk full');
    });
    await expect(failing).rejects.toThrow('disk full');
    const adopted = await adoptBag(join(folder, 'data'), 'x', async (events) => told.push(...events));
    expect(adopted.segments).toEqual(imported.segments);
    expect(told).toHaveLength(2 * imported.segments.length);
    expect((await adoptBag(join(folder, 'data'), 'x', async () => {})).segments).toEqual([]);
    const note = { segment: { ...imported.segments[0]!, path: 'bags/../../secret' } };
    writeFileSync(join(folder, 'data', 'bags', 'x', 'x_0.mcap.sealed.json'), JSON.stringify(note));
    await expect(adoptBag(join(folder, 'data'), 'x', async () => {})).rejects.toMatchObject({
      code: 'bag.malformed',
    });
    await expect(adoptBag(join(folder, 'data'), '../x', async () => {})).rejects.toMatchObject({
      code: 'bag.malformed',
    });
    const again = await importBag(bag, { dataDir: join(folder, 'data'), ...options, name: 'y' });
    expect(again).toMatchObject({ bag: 'x', already: true });
    await bag.close();
  });

  it('tells of each segment that is in the log, also where a later one is refused', async () => {
    const dataDir = join(folder, 'data');
    mkdirSync(dataDir);
    const bag = await openBags([await makeBag('a.mcap')]);
    const { segments } = await importBag(bag, { dataDir, ...options });
    writeFileSync(join(dataDir, `${segments[1]!.path}.sealed.json`), '{}');
    const adopted: unknown[] = [];
    const failing = adoptBag(
      dataDir,
      'x',
      async () => {},
      (segment) => adopted.push(segment),
    );
    await expect(failing).rejects.toMatchObject({ code: 'bag.malformed' });
    expect(adopted).toEqual([segments[0]]);
    await bag.close();
  });
});
