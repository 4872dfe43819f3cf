import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openBag } from '../../adapters/rosbag/index.ts';
import { freshDir, ROOT } from '../support/daemon.ts';
import { type Layout, mutated, type RecordedMessage, recording } from '../support/mutated-bags.ts';
import { Random } from '../support/random.ts';
import { readersPython } from '../support/readers.ts';
import { writeDb3 } from '../support/rosbag-files.ts';

/** Damaged recordings: the Python readers get nothing out of them that is not ours too, and nothing is made up. */
const directory = freshDir('mutations');
afterAll(() => directory.remove());
const FILES_PER_LAYOUT = 25;

const keyOf = (topic: string, time: bigint, data: Uint8Array) =>
  `${topic} ${time} ${createHash('sha1').update(data).digest('hex').slice(0, 16)}`;

async function ours(path: string) {
  const keys: string[] = [];
  const faults: string[] = [];
  let bag: Awaited<ReturnType<typeof openBag>>;
  try {
    bag = await openBag(path);
  } catch (error) {
    return { keys, faults: [(error as Error).message] };
  }
  for await (const { channel, logTime, bytes } of bag.records({
    onDamage: (fault) => faults.push(fault.message),
  }))
    keys.push(keyOf(channel.topic, logTime, bytes));
  if (bag.fault) faults.push(bag.fault.message);
  await bag.close();
  return { keys, faults };
}

type Foreign = Readonly<Record<string, Readonly<Record<string, readonly (readonly string[])[]>>>>;

/** What each reader got out of each file of a folder, before it stopped. */
function foreign(folder: string): Foreign {
  const script = join(ROOT, 'test', 'peers', 'salvage_bags.py');
  return JSON.parse(
    execFileSync(readersPython(), [script, folder], { encoding: 'utf8', maxBuffer: 1 << 28 }),
  ) as Foreign;
}

/** Checks each file against the readers of Python, and that every message that is given was recorded. */
async function compare(folder: string, recorded: ReadonlyMap<string, readonly RecordedMessage[]>) {
  const views = foreign(folder);
  let read = 0;
  for (const [file, messages] of recorded) {
    const genuine = new Set(messages.map(({ topic, time, data }) => keyOf(topic, time, data)));
    const { keys, faults } = await ours(join(folder, file));
    const got = new Set(keys);
    expect(keys.length, `${file} gives a message twice`).toBe(got.size);
    expect(
      [...got].filter((key) => !genuine.has(key)),
      `${file} gives messages that nobody recorded`,
    ).toEqual([]);
    if (got.size < genuine.size)
      expect(faults.length, `${file} says nothing about its loss`).toBeGreaterThan(0);
    for (const [reader, runs] of Object.entries(views[file]!)) {
      // Without a check of CRCs a reader also gives messages that are damaged in part.
      if (reader === 'mcap-unchecked') continue;
      for (const run of runs) {
        const missing = run.filter((key) => genuine.has(key) && !got.has(key));
        expect(missing, `${file}: ${reader} reads ${run.length}, we ${got.size}: ${faults[0]}`).toEqual([]);
      }
    }
    read += got.size;
  }
  return read;
}

const layouts: Layout[] = (['none', 'zstd', 'lz4'] as const).flatMap((compression) => [
  { compression, definesInside: false, isSealed: true },
  { compression, definesInside: true, isSealed: compression !== 'zstd' },
]);

describe('a mutated MCAP recording', () => {
  it('gives at least what the Python readers give, and nothing that was not recorded', async () => {
    const folder = join(directory.path, 'mcap');
    mkdirSync(folder);
    const recorded = new Map<string, readonly RecordedMessage[]>();
    for (const [at, layout] of layouts.entries()) {
      for (let number = 0; number < FILES_PER_LAYOUT; number++) {
        const random = new Random(1 + at * 1_000 + number);
        const { bytes, chunks, messages } = recording(layout, random);
        const damaged = mutated(bytes, chunks, random);
        const inside = layout.definesInside ? 'inside' : 'before';
        const name = `${layout.compression}-${inside}-${number}-${damaged.kind.replace(' ', '-')}.mcap`;
        writeFileSync(join(folder, name), damaged.bytes);
        recorded.set(name, messages);
      }
    }
    // More than half of all messages are in files that are still readable.
    expect(await compare(folder, recorded)).toBeGreaterThan(recorded.size * 50);
  });
});

describe('a cut rosbag2 database', () => {
  it('gives at least what SQLite and the Python readers give', async () => {
    const folder = join(directory.path, 'db3');
    mkdirSync(folder);
    const recorded = new Map<string, readonly RecordedMessage[]>();
    for (let number = 0; number < 20; number++) {
      const random = new Random(number);
      const messages = Array.from({ length: 400 }, (_, i) => ({
        topic: `/t${random.below(3)}`,
        time: BigInt(i),
        data: new Uint8Array(8 + random.below(random.one([100, 6_000]))).fill(1 + (i % 255)),
      }));
      const path = join(folder, `${number}.db3`);
      const type = 'std_msgs/msg/String';
      writeDb3(
        path,
        messages.map(({ topic, time, data }) => ({ topic, type, stamp: time, received: time, bytes: data })),
      );
      truncateSync(path, 12_288 + random.below(statSync(path).size - 12_288));
      recorded.set(`${number}.db3`, messages);
    }
    expect(await compare(folder, recorded)).toBeGreaterThan(recorded.size * 100);
  });
});
