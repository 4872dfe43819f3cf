import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { discoveredTopics } from '../../adapters/ros/discovery.ts';
import {
  type BagChannel,
  BagSource,
  BagWriter,
  bagInfo,
  copyBag,
  importBag,
  openBag,
} from '../../adapters/rosbag/index.ts';
import { copyInto } from '../../cli/commands/bag/copy.ts';
import type { EndpointInfo, Sample } from '../../contract/index.ts';
import { encodeTf, TF_MESSAGE } from '../../formats/cdr/index.ts';
import { parseMetadata } from '../../formats/rosbag2/index.ts';
import { writeFile } from '../support/mcap-files.ts';
import { makeFolder, makeRecorder, sampleOf } from '../support/recorder.ts';
import { writeDb3 } from '../support/rosbag-files.ts';

let folder: string;
let remove: () => void;
beforeEach(() => {
  ({ dataDir: folder, remove } = makeFolder());
});
afterEach(() => remove());

const S = 1_000_000_000n;
const profile = (durability: string, history: string, depth: number) =>
  `- history: ${history}\n  depth: ${depth}\n  reliability: reliable\n  durability: ${durability}`;
const channelOf = (topic: string, qos = '', type = 'std_msgs/msg/UInt32'): BagChannel => ({
  topic,
  type,
  schemaEncoding: 'ros2msg',
  schemaData: new TextEncoder().encode('uint32 data'),
  messageEncoding: 'cdr',
  metadata: new Map([['offered_qos_profiles', qos]]),
});

async function writeBag(
  name: string,
  messages: readonly { channel: BagChannel; at: bigint; bytes?: Uint8Array }[],
  silent: readonly BagChannel[] = [],
  more: { customData?: Record<string, string>; rosDistro?: string; storage?: 'mcap' | 'sqlite3' } = {},
): Promise<string> {
  const target = join(folder, name);
  const writer = await BagWriter.create({ target, storage: 'mcap', isFolder: !name.includes('.'), ...more });
  for (const [
    sequence,
    { channel, at, bytes = new Uint8Array([0, 1, 0, 0, 0, 0, 0, 0]) },
  ] of messages.entries())
    await writer.write({ channel, sequence, logTime: at, publishTime: at, bytes });
  for (const channel of silent) await writer.declare(channel);
  await writer.finish();
  return target;
}

/** `auraison bag convert`, with what it prints. */
async function convert(input: string, output: string, flags: { start?: string } = {}) {
  const notes: string[] = [];
  let value: unknown;
  const out = {
    ...{ json: true, colour: false },
    result: (result: unknown) => (value = result),
    note: (text: string) => notes.push(text),
  };
  const code = await copyInto(out, [input], join(folder, output), flags);
  return { code, notes: notes.join('\n'), value };
}

describe('a copy of a damaged recording', () => {
  const messages = Array.from({ length: 40 }, (_, i) => ({
    channel: 1 + (i % 2),
    time: BigInt(i) * S,
    data: new Uint8Array(40).fill(i),
  }));
  const file = () => writeFile([messages.slice(0, 20), messages.slice(20)]);

  it('ends with exit code 65 and a ledger of what is lost, by topic', async () => {
    const { bytes, ends } = file();
    bytes[ends[0]! + 300]! ^= 1;
    const path = join(folder, 'flipped.mcap');
    writeFileSync(path, bytes);
    const { code, notes, value } = await convert(path, 'copy.mcap');
    expect(code).toBe(65);
    expect(value).toMatchObject({
      messages: 20,
      lost: { topics: { '/t1': 10, '/t2': 10 }, unknown_parts: 0 },
    });
    expect(notes).toContain('lost: 10 messages of /t1');
  });

  it('says where nothing tells what is lost', async () => {
    const { bytes, ends } = file();
    const path = join(folder, 'cut.mcap');
    writeFileSync(path, bytes.subarray(0, ends[0]! + 300));
    const { code, value } = await convert(path, 'copy.mcap');
    expect([code, value]).toMatchObject([65, { lost: { topics: {}, unknown_parts: 1 } }]);
  });

  it('loses nothing with a wrong index: it warns, and the exit code is 0', async () => {
    const { bytes } = file();
    bytes[bytes.length - 60]! ^= 1;
    const path = join(folder, 'index.mcap');
    writeFileSync(path, bytes);
    const { code, notes, value } = await convert(path, 'copy.mcap');
    expect([code, value]).toMatchObject([0, { messages: 40, faults: [], warnings: [{}] }]);
    expect(notes).toContain('no message is lost');
  });

  it('reads the files of a folder that can be read, and counts the others', async () => {
    writeFileSync(join(folder, 'b_0.mcap'), writeFile([messages.slice(0, 20)]).bytes);
    writeFileSync(join(folder, 'b_1.mcap'), 'nothing of an MCAP file');
    const { code, value } = await convert(folder, 'copy.mcap');
    expect([code, value]).toMatchObject([65, { messages: 20, lost: { unknown_parts: 1 } }]);
  });

  it('is played to its end, and then the fault is reported', async () => {
    const { bytes, ends } = writeFile([messages.slice(0, 10), messages.slice(10, 20), messages.slice(20)]);
    bytes[ends[0]! + 300]! ^= 1;
    const path = join(folder, 'flipped.mcap');
    writeFileSync(path, bytes);
    const source = new BagSource({ clock: new SystemClock(), path, rate: 'max' });
    await source.prepare();
    source.begin(undefined, () => {});
    expect(await source.finished).toMatchObject({ messages: 30, fault: { code: 'mcap.malformed' } });
    await source.close();
  });
});

describe('a recording of which files are gone', () => {
  it('says so in a copy that lacks them, and not in one that does not', async () => {
    const { recorder } = makeRecorder(folder);
    await recorder.start();
    for (let segment = 0; segment < 6; segment++) {
      for (let number = 0; number < 10; number++) recorder.offer(sampleOf('/n', segment * 1_000 + number));
      await recorder.sealNow();
    }
    // As retention does it: the first one, and two in the middle.
    const paths = [0, 2, 3].map((number) => `bags/bag/bag_${number}.mcap`);
    await recorder.evict({ paths, reason: 'quota', isKept: false });
    await recorder.stop();
    const bag = join(folder, 'bags', 'bag');

    const whole = await convert(bag, 'whole.mcap');
    expect(whole.code).toBe(0);
    expect(whole.notes).toContain('bag_0.mcap is not in the folder: retention deleted it');
    expect(whole.notes).toContain('bag_2.mcap to bag_3.mcap (2 files) are not in the folder');
    expect(whole.notes).toContain('nothing is there for 3.0 s from 2023-11-14T22:13:21.009Z');
    expect(whole.value).toMatchObject({
      messages: 30,
      absent: [
        { first: 'bag_0.mcap', last: 'bag_0.mcap', files: 1 },
        { first: 'bag_2.mcap', last: 'bag_3.mcap', files: 2 },
      ],
    });
    // Whoever gets only the file reads it there.
    const { files } = await bagInfo(join(folder, 'whole.mcap'));
    expect(files[0]?.metadata['auraison.absent']).toMatchObject({
      first: expect.stringMatching(/^bag_[02]/),
    });
    expect((await bagInfo(bag)).absent).toHaveLength(2);

    const late = await convert(bag, 'late.mcap', { start: '+3.5s' });
    expect(late.notes).toBe('');
    expect(late.value).toMatchObject({ messages: 10, absent: [] });
  });

  it('is not suspected where only some numbers were ever used', async () => {
    const writer = await BagWriter.create({ target: join(folder, 'lap_7'), storage: 'mcap', isFolder: true });
    await writer.write({
      ...{ channel: channelOf('/n'), sequence: 0, logTime: S, publishTime: S },
      bytes: new Uint8Array([0, 1, 0, 0, 0, 0, 0, 0]),
    });
    await writer.finish();
    expect((await bagInfo(join(folder, 'lap_7'))).absent).toEqual([]);
  });
});

describe('a bag of ROS 1', () => {
  it.each(['file', 'folder'])('is named, with the way out (%s)', async (kind) => {
    const path = join(folder, 'old.bag');
    writeFileSync(path, '#ROSBAG V2.0\nE\0\0\0');
    await expect(openBag(kind === 'file' ? path : folder)).rejects.toMatchObject({
      message: expect.stringContaining('ROS 1'),
      hint: expect.stringContaining('rosbags-convert'),
    });
  });
});

describe('a database that SQLite refuses', () => {
  const samples = Array.from({ length: 300 }, (_, i) =>
    sampleOf(i % 4 === 0 ? '/slow' : '/fast', i, 200 + (i % 7) * 900),
  );
  const keyOf = ({ topic, bytes }: { topic: string; bytes: Uint8Array }) =>
    `${topic} ${Buffer.from(bytes).toString('hex')}`;

  /** A page in the middle of the rows is of no kind that there is. */
  function withoutLeaf(bytes: Buffer): Buffer {
    const leaves = Array.from({ length: bytes.length / 4096 }, (_, page) => page * 4096).filter(
      (at) => at > 0 && bytes[at] === 0x0d,
    );
    bytes[leaves[Math.floor(leaves.length / 2)]!] = 0x77;
    return bytes;
  }

  async function read(path: string) {
    const bag = await openBag(path);
    const found: Sample[] = [];
    const faults: string[] = [];
    for await (const sample of bag.messages({ onDamage: (fault) => faults.push(fault.message) }))
      found.push(sample);
    await bag.close();
    return { found, faults };
  }

  const damages: readonly [string, (path: string, bytes: Buffer) => void][] = [
    ['cut in its middle', (path, bytes) => truncateSync(path, Math.floor(bytes.length / 2) + 77)],
    [
      'without the root of its messages',
      (path, bytes) => writeFileSync(path, bytes.fill(0, 2 * 4096, 3 * 4096)),
    ],
    ['with a wrong head', (path, bytes) => writeFileSync(path, bytes.fill(0xff, 0, 16))],
    ['with a leaf that is none', (path, bytes) => writeFileSync(path, withoutLeaf(bytes))],
  ];
  it.each(damages)('(%s) gives the rows of the pages that are left', async (_, damage) => {
    const path = join(folder, 'a.db3');
    writeDb3(path, samples);
    damage(path, readFileSync(path));
    const { found, faults } = await read(path);
    const recorded = new Set(samples.map(keyOf));
    expect(found.filter((sample) => !recorded.has(keyOf(sample)))).toEqual([]);
    expect(new Set(found.map(keyOf)).size).toBe(found.length);
    expect(found.length).toBeGreaterThan(100);
    expect(found.map(({ received }) => received)).toEqual(found.map(({ received }) => received).sort());
    if (found.length < samples.length) expect(faults.length).toBeGreaterThan(0);
  });
});

describe('latched messages of before a cut', () => {
  async function cut(path: string, startNs: bigint) {
    const bag = await openBag(path);
    const writer = await BagWriter.create({
      target: join(folder, 'cut.mcap'),
      storage: 'mcap',
      isFolder: false,
    });
    const { latched } = await copyBag(bag, writer, { startNs, latched: true });
    await writer.finish();
    await bag.close();
    return latched;
  }

  it('are one for each publisher that does not say its depth: telemetry of PX4 is transient local too', async () => {
    const unknown = profile('transient_local', 'unknown', 0);
    const topics = ['/fmu/a', '/fmu/b'].map((topic) => channelOf(topic, unknown));
    const two = channelOf('/two', `${unknown}\n${unknown}`);
    const messages = Array.from({ length: 600 }, (_, i) => ({
      channel: [...topics, two][i % 3]!,
      at: S + BigInt(i) * (S / 50n),
    }));
    expect(await cut(await writeBag('px4.mcap', messages), 11n * S)).toBe(1 + 1 + 2);
  });

  it('of /tf_static are those that say the last word on a frame', async () => {
    const channel = channelOf('/tf_static', '', TF_MESSAGE);
    const transform = { translation: { x: 0, y: 0, z: 0 }, rotation: { x: 0, y: 0, z: 0, w: 1 } };
    const says = (at: bigint, ...frames: string[]) => ({
      ...{ channel, at },
      bytes: encodeTf(
        frames.map((child_frame_id) => ({
          header: { stamp: at, frame_id: 'base' },
          child_frame_id,
          transform,
        })),
      ),
    });
    const messages = [
      says(S, 'camera', 'laser'),
      ...Array.from({ length: 2_000 }, (_, i) => says(S + BigInt(i), 'laser')),
    ];
    const path = await writeBag('tf.mcap', [...messages, says(20n * S, 'wheel')]);
    expect(await cut(path, 10n * S)).toBe(2);
  });
});

describe('an import', () => {
  it.each(['mcap', 'sqlite3'] as const)(
    'of %s keeps topics without messages and what metadata.yaml says',
    async (storage) => {
      const silent = channelOf('/quiet', profile('volatile', 'keep_last', 1));
      const said = channelOf('/said');
      const notes = { customData: { operator: 'Ada' }, rosDistro: 'jazzy' };
      const path = await writeBag('in', [{ channel: said, at: S }], storage === 'sqlite3' ? [silent] : [], {
        ...notes,
        storage,
      });
      if (storage === 'mcap') {
        // rosbag2 lists a topic without messages only here.
        const yaml = join(path, 'metadata.yaml');
        const entry = `    - topic_metadata:\n        name: /quiet\n        type: std_msgs/msg/UInt32\n        serialization_format: cdr\n        offered_qos_profiles:\n${profile('volatile', 'keep_last', 1).replace(/^/gm, '          ')}\n      message_count: 0\n`;
        const text = readFileSync(yaml, 'utf8').replace(
          "  compression_format: ''",
          `${entry}  compression_format: ''`,
        );
        writeFileSync(yaml, text);
      }
      const bag = await openBag(path);
      const options = {
        dataDir: join(folder, 'data'),
        name: 'x',
        source: 'here',
        compression: 'none',
        splitBytes: 1e6,
      } as const;
      await importBag(bag, options);
      await bag.close();
      const imported = await openBag(join(folder, 'data', 'bags', 'x'));
      expect(imported.topics.map(({ topic, messages }) => [topic, messages]).sort()).toEqual([
        ['/quiet', 0],
        ['/said', 1],
      ]);
      expect(imported.topics.find(({ topic }) => topic === '/quiet')?.qos?.depth).toBe(1);
      await imported.close();
      const yaml = parseMetadata(
        readFileSync(join(folder, 'data', 'bags', 'x', 'metadata.yaml'), 'utf8'),
        'x',
      );
      expect(yaml).toMatchObject({ customData: { operator: 'Ada', source: 'here' }, rosDistro: 'jazzy' });
      expect(yaml.topics.map(({ topic }) => topic).sort()).toEqual(['/quiet', '/said']);
    },
  );
});

describe('the quality of service of a recording', () => {
  async function recordedQos(offered: string): Promise<string | undefined> {
    const { recorder } = makeRecorder(folder);
    const qos = {
      reliability: 'reliable',
      durability: 'volatile',
      history: 'keep_last',
      depth: 1_000,
    } as const;
    recorder.declare([{ topic: '/a', type: 'std_msgs/msg/UInt32', qos, offered }]);
    await recorder.start();
    recorder.offer(sampleOf('/a', 1));
    await recorder.stop();
    const bag = await openBag(join(folder, 'bags', 'bag'));
    const found = bag.channels.find(({ topic }) => topic === '/a')?.metadata.get('offered_qos_profiles');
    await bag.close();
    return found;
  }
  const by = (depth: number, historyUnknown: boolean): EndpointInfo => ({
    ...{ node: '/n', type: 'std_msgs/msg/UInt32', ...(historyUnknown && { historyUnknown }) },
    qos: { reliability: 'reliable', durability: 'volatile', history: 'keep_last', depth },
  });

  it('is that of the publishers, of each of them; unknown stays unknown', async () => {
    const topics = [{ topic: '/a', types: [], publishers: [by(1, false), by(10, true)], subscribers: [] }];
    const rules = { allow: ['/**'], deny: [], known: new Set<string>(), ownNodes: new Set<string>() };
    const [found] = discoveredTopics({ nodes: [], services: [], actions: [], topics }, rules);
    const text = await recordedQos(found!.offered);
    expect(
      [...text!.matchAll(/history: (\w+)\n {2}depth: (\d+)/g)].map(([, history, depth]) => [history, depth]),
    ).toEqual([
      ['keep_last', '1'],
      ['unknown', '0'],
    ]);
  });

  it('of a replay is that of the bag', async () => {
    const qos = profile('transient_local', 'keep_last', 1);
    const path = await writeBag('a.mcap', [
      { channel: channelOf('/a', qos), at: S },
      { channel: channelOf('/b'), at: S },
    ]);
    const source = new BagSource({ clock: new SystemClock(), path, rate: 1 });
    await source.prepare();
    const offered = Object.fromEntries(source.topics().map((topic) => [topic.topic, topic.offered]));
    await source.close();
    expect(offered['/a']).toMatch(/^- history: keep_last\n {2}depth: 1\n/);
    expect(offered['/b']).toBe('');
  });
});
