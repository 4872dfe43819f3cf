import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { openBag } from '../../../adapters/rosbag/index.ts';
import { readConfig, showDefaults } from '../../../daemon/config.ts';
import {
  ChunkBuilder,
  compressLz4,
  McapReader,
  McapWriter,
  type Packed,
  type Pending,
  planRepair,
  type Readable,
  scan,
  writeMessageHead,
} from '../../../formats/mcap/index.ts';
import {
  formatMetadata,
  parseMetadata,
  parseProfiles,
  profileLines,
} from '../../../formats/rosbag2/index.ts';
import { mutate, mutateText } from '../mutate.ts';
import type { Random } from '../random.ts';
import type { Target } from '../target.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A file of two chunks, an attachment and a metadata record. */
function mcapFile(compression: 'none' | 'zstd' | 'lz4', isSealed: boolean): Uint8Array {
  const writer = new McapWriter();
  const buffers: Uint8Array[] = [];
  const put = (pending: Pending) => {
    buffers.push(...pending.buffers.map((buffer) => buffer.slice()));
    pending.commit();
  };
  put(writer.begin({ profile: 'ros2', library: 'fuzz' }));
  const schema = {
    id: 1,
    name: 'std_msgs/msg/String',
    encoding: 'ros2msg',
    data: Buffer.from('string data'),
  };
  const metadata = new Map([['offered_qos_profiles', '']]);
  for (const id of [1, 2])
    put(writer.channel({ id, schemaId: 1, topic: `/t${id}`, messageEncoding: 'cdr', metadata }, schema));
  for (let chunk = 0; chunk < 2; chunk++) {
    const builder = new ChunkBuilder();
    for (let i = 0; i < 6; i++) {
      const record = new Uint8Array(31 + 20);
      writeMessageHead(new DataView(record.buffer), 0, 1 + (i % 2), i, BigInt(chunk * 100 + i), 1n, 20);
      builder.add(record);
    }
    put(writer.chunk(builder, packed(compression, builder.parts)));
  }
  put(writer.metadata('site', new Map([['place', 'hall']])));
  put(
    writer.attachment({
      name: 'a',
      mediaType: 'text/plain',
      logTime: 1n,
      createTime: 1n,
      data: Buffer.from('hello'),
    }),
  );
  if (isSealed) put(writer.end());
  return new Uint8Array(Buffer.concat(buffers));
}

function packed(compression: 'none' | 'zstd' | 'lz4', parts: readonly Uint8Array[]): Packed | undefined {
  if (compression === 'none') return undefined;
  const bytes = compression === 'lz4' ? compressLz4(parts) : zstdCompressSync(Buffer.concat(parts));
  return { compression, bytes };
}

/** A chunk of a few bytes that says it holds 200 MB, and does. */
function bomb(): Uint8Array {
  const writer = new McapWriter();
  const zeros = zstdCompressSync(new Uint8Array(32 * 1024 * 1024));
  const builder = new ChunkBuilder();
  builder.size = 32 * 1024 * 1024;
  const buffers: Uint8Array[] = [];
  for (const next of [
    () => writer.begin({ profile: '', library: '' }),
    () => writer.chunk(builder, { compression: 'zstd', bytes: zeros }),
  ]) {
    const pending = next();
    buffers.push(...pending.buffers);
    pending.commit();
  }
  return new Uint8Array(Buffer.concat(buffers));
}

const files = (['none', 'zstd', 'lz4'] as const).flatMap((kind) => [
  mcapFile(kind, true),
  mcapFile(kind, false),
]);
const bombFile = bomb();

class MemoryReadable implements Readable {
  readonly subject = 'fuzz.mcap';
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  async size(): Promise<number> {
    return this.#bytes.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset < 0 || offset + length > this.#bytes.length)
      throw new Error(`a read of ${length} at ${offset} past the end`);
    return this.#bytes.slice(offset, offset + length);
  }
}

const mcap = (random: Random) =>
  random.chance(0.0005) ? mutate(bombFile, random) : mutate(random.pick(files), random);

const reader: Target = {
  name: 'mcap-reader',
  weight: 6,
  make: mcap,
  async run(input) {
    const found = await McapReader.open(new MemoryReadable(input));
    const filter = input.length % 2 === 0 ? {} : { onDamage: () => {} };
    for await (const { message } of found.messages(filter)) void message;
  },
};
/** What a repair leaves has to be whole: that is asserted, not only that nothing breaks. */
const repair: Target = {
  name: 'mcap-repair',
  weight: 5,
  make: mcap,
  async run(input) {
    const readable = new MemoryReadable(input);
    await scan(readable);
    const plan = await planRepair(readable, { profile: 'ros2', library: 'fuzz' });
    if (plan.complete) return;
    const bytes = Buffer.concat([input.subarray(0, plan.keepBytes), ...plan.append]);
    for (const { at, bytes: patch } of plan.patches) bytes.set(patch, at);
    const whole = new MemoryReadable(bytes);
    let read = 0;
    for await (const { message } of (await McapReader.open(whole)).messages()) if (message) read += 1;
    const again = await scan(whole);
    if (!again.complete) throw new Error(`a repaired file is not whole: ${again.fault?.message}`);
    if (again.summary.messages !== plan.summary.messages || read !== plan.summary.messages) {
      throw new Error(
        `a repaired file holds ${again.summary.messages} messages, of which ${read} are read; its summary says ${plan.summary.messages}`,
      );
    }
  },
};

const profile = {
  history: 'keep_last',
  depth: 5,
  reliability: 'reliable',
  durability: 'volatile',
  liveliness: 'automatic',
  deadline: { sec: 1n, nsec: 2n },
  lifespan: { sec: 1n, nsec: 2n },
  lease: { sec: 1n, nsec: 2n },
  avoidRosNamespaces: false,
};
const yamlSeeds = [
  formatMetadata({
    storage: 'mcap',
    files: [{ path: 'a_0.mcap', startNs: 1n, endNs: 9n, messages: 3 }],
    topics: [
      {
        topic: '/scan',
        type: 'sensor_msgs/msg/LaserScan',
        messages: 3,
        profiles: [profile],
        typeHash: 'RIHS01_00',
      },
    ],
    customData: { a: 'b: "c"' },
  }),
  'rosbag2_bagfile_information:\n  relative_file_paths: [a.db3, "b\\\n    c.db3"]\n  topics_with_message_count:\n  - {topic_metadata: {name: /a, offered_qos_profiles: "- history: 3\\n  depth: 0"}, message_count: 1}\n  custom_data: |\n    one\n    two\n',
];
const yaml: Target = {
  name: 'metadata-yaml',
  weight: 3,
  make: (random) => encoder.encode(mutateText(random.pick(yamlSeeds), random)),
  run(input) {
    const text = decoder.decode(input);
    parseProfiles(text);
    return parseMetadata(text, 'metadata.yaml');
  },
};
const qosSeed = profileLines([profile]).join('\n');
const qos: Target = {
  name: 'qos-yaml',
  weight: 3,
  make: (random) => encoder.encode(mutateText(qosSeed, random)),
  run: (input) => parseProfiles(decoder.decode(input)),
};

const tomlSeed = showDefaults().slice(0, 4000);
const tomlSmall =
  '[daemon]\nname = "r"\n[recorder]\nsegment_size = "1 MiB"\n[[routes]]\nname = "a"\nfrom = "/scan"\n';
const toml: Target = {
  name: 'config-toml',
  weight: 1,
  make: (random) => encoder.encode(mutateText(random.chance(0.2) ? tomlSeed : tomlSmall, random)),
  run: (input) => readConfig(decoder.decode(input), 'fuzz.toml', {}),
};

let folder: string | undefined;
let databases: readonly Uint8Array[] | undefined;

/** Made when the first case asks: SQLite wants files. */
async function sqliteSeeds(): Promise<readonly Uint8Array[]> {
  const { BagWriter } = await import('../../../adapters/rosbag/index.ts');
  const { readFileSync } = await import('node:fs');
  const path = join(workFolder(), 'seed.db3');
  rmSync(path, { force: true });
  const writer = await BagWriter.create({ target: path, storage: 'sqlite3', isFolder: false });
  const channel = {
    topic: '/t',
    type: 'std_msgs/msg/String',
    schemaEncoding: 'ros2msg',
    schemaData: encoder.encode('string data'),
    messageEncoding: 'cdr',
    metadata: new Map(),
  };
  for (let i = 0; i < 40; i++)
    await writer.write({
      channel,
      sequence: i,
      logTime: BigInt(i),
      publishTime: 0n,
      bytes: new Uint8Array(300).fill(i),
    });
  await writer.finish();
  return [new Uint8Array(readFileSync(path))];
}

function workFolder(): string {
  if (folder === undefined) {
    folder = mkdtempSync(join(tmpdir(), 'fuzz-'));
    const made = folder;
    process.once('exit', () => rmSync(made, { recursive: true, force: true }));
  }
  return folder;
}

const sqlite: Target = {
  name: 'sqlite-bag',
  weight: 0.3,
  make: (random) => (databases ? mutate(random.pick(databases), random) : random.bytes(64)),
  async run(input) {
    const path = join(workFolder(), 'case.db3');
    writeFileSync(path, input);
    const bag = await openBag(path);
    try {
      for await (const message of bag.records()) void message;
    } finally {
      await bag.close();
    }
  },
};

/** To be awaited once before the first case. */
export async function prepareFiles(): Promise<void> {
  databases = await sqliteSeeds();
}

export const fileTargets: readonly Target[] = [reader, repair, yaml, qos, toml, sqlite];
