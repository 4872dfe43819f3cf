import { zstdCompressSync } from 'node:zlib';
import { McapIndexedReader, McapStreamReader } from '@mcap/core';
import { describe, expect, it } from 'vitest';
import {
  ByteWriter,
  ChunkBuilder,
  compressLz4,
  McapReader,
  McapWriter,
  type Packed,
  type Pending,
  planRepair,
  scan,
} from '../../formats/mcap/index.ts';
import { join, MemoryReadable, messageRecord, type TestMessage, writeFile } from '../support/mcap-files.ts';

type Compression = 'none' | 'zstd' | 'lz4';

const SCHEMA = { name: 'std_msgs/msg/String', encoding: 'ros2msg', data: Buffer.from('string data') };
/** Fills a chunk so that its compressed form has several blocks. */
const payloads = new Map<number, Buffer>();
function payload(at: number): Buffer {
  let bytes = payloads.get(at);
  if (!bytes) {
    bytes = Buffer.from(
      Uint8Array.from({ length: 2_000 }, (_, i) =>
        i % 3 === 0 ? Math.imul(at * 7919 + i, 2_654_435_761) >>> 24 : at,
      ),
    );
    payloads.set(at, bytes);
  }
  return bytes;
}

function definitions(id: number, topic: string): Uint8Array {
  const out = new ByteWriter();
  out.record(0x03, () =>
    out.u16(1).text(SCHEMA.name).text(SCHEMA.encoding).u32(SCHEMA.data.length).raw(SCHEMA.data),
  );
  out.record(0x04, () => out.u16(id).u16(1).text(topic).text('cdr').u32(0));
  return out.take();
}

const messages = (channel: number, from: number, count: number) =>
  join(
    Array.from({ length: count }, (_, i) =>
      messageRecord(channel, from + i, BigInt(from + i), payload(from + i)),
    ),
  );

function packed(compression: Compression, parts: readonly Uint8Array[]): Packed | undefined {
  if (compression === 'none') return undefined;
  const bytes = compression === 'lz4' ? compressLz4(parts) : zstdCompressSync(Buffer.concat(parts));
  return { compression, bytes };
}

/** Chunks as given, definitions and all, as foreign writers lay them out. Sealed by a summary of what is in `channels`. */
function fileOf(
  chunks: readonly (readonly Uint8Array[])[],
  channels: readonly [number, string][],
  compression: Compression = 'none',
) {
  const writer = new McapWriter();
  const buffers: Uint8Array[] = [];
  const starts: number[] = [];
  const put = (pending: Pending) => {
    buffers.push(...pending.buffers.map((buffer) => buffer.slice()));
    pending.commit();
  };
  put(writer.begin({ profile: 'ros2', library: 'foreign' }));
  writer.summary.schemas.set(1, { id: 1, ...SCHEMA });
  for (const [id, topic] of channels)
    writer.summary.channels.set(id, { id, schemaId: 1, topic, messageEncoding: 'cdr', metadata: new Map() });
  for (const parts of chunks) {
    const builder = new ChunkBuilder();
    for (const part of parts) builder.add(part);
    starts.push(writer.offset);
    put(writer.chunk(builder, packed(compression, builder.parts)));
  }
  const sealedFrom = writer.offset;
  put(writer.end());
  return { bytes: join(buffers), starts, sealedFrom };
}

async function read(bytes: Uint8Array) {
  const reader = await McapReader.open(new MemoryReadable(bytes));
  const counts: Record<string, number> = {};
  const lost: Record<string, number> = {};
  const damage: string[] = [];
  const onDamage = (fault: Error, of?: ReadonlyMap<string, number>) => {
    damage.push(fault.message);
    for (const [topic, count] of of ?? []) lost[topic] = (lost[topic] ?? 0) + count;
  };
  for await (const { channel, message } of reader.messages({ onDamage })) {
    if (!payload(message.sequence).equals(message.data))
      throw new Error(`message ${message.sequence} differs`);
    counts[channel.topic] = (counts[channel.topic] ?? 0) + 1;
  }
  return { counts, lost, damage, fault: reader.fault?.message, warning: reader.warning?.message };
}

async function repaired(bytes: Uint8Array): Promise<Uint8Array> {
  const plan = await planRepair(new MemoryReadable(bytes), { profile: 'ros2', library: 'test' });
  const whole = join([bytes.subarray(0, plan.keepBytes), ...plan.append]);
  for (const { at, bytes: patch } of plan.patches) whole.set(patch, at);
  return whole;
}

const two = (compression: Compression = 'none') =>
  fileOf(
    [
      [definitions(1, '/a'), definitions(2, '/b'), messages(1, 0, 100), messages(2, 100, 50)],
      [messages(1, 150, 100)],
      [messages(2, 250, 100)],
    ],
    [
      [1, '/a'],
      [2, '/b'],
    ],
    compression,
  );

describe('a file with a wrong index', () => {
  it.each([
    [
      'a flipped bit in the summary',
      (bytes: Uint8Array, at: number) => bytes.with(at + 40, bytes[at + 40]! ^ 4),
    ],
    ['a flipped bit in the footer', (bytes: Uint8Array) => bytes.with(bytes.length - 20, bytes.at(-20)! ^ 1)],
    ['no closing magic', (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 3)],
    ['nothing behind its data', (bytes: Uint8Array, at: number) => bytes.subarray(0, at + 13)],
  ])('(%s) is read by a scan, warns and loses nothing', async (_, damage) => {
    const { bytes, sealedFrom } = two();
    const found = await read(damage(bytes, sealedFrom));
    expect(found).toMatchObject({ counts: { '/a': 200, '/b': 150 }, damage: [], fault: undefined });
    expect(found.warning).toMatch(/at byte \d+/);
  });

  it('whose chunks are not where the index says is read whole', async () => {
    const { bytes, starts, sealedFrom } = two();
    const swapped = join([
      bytes.subarray(0, starts[1]),
      bytes.subarray(starts[2], sealedFrom),
      bytes.subarray(starts[1], starts[2]),
      bytes.subarray(sealedFrom),
    ]);
    expect(await read(swapped)).toMatchObject({ counts: { '/a': 200, '/b': 150 }, damage: [] });
  });
});

describe('a file that ends in its first chunk', () => {
  it.each(['none', 'zstd', 'lz4'] as const)('(%s) gives the messages that are whole', async (compression) => {
    const { bytes, starts } = two(compression);
    const end = starts[0]! + Math.floor((starts[1]! - starts[0]!) * 0.7);
    const found = await read(bytes.subarray(0, end));
    expect(found.counts['/a']).toBeGreaterThan(60);
    expect(found.damage).toHaveLength(1);
    const whole = await read(await repaired(bytes.subarray(0, end)));
    expect(whole).toEqual({ ...found, damage: [], fault: undefined });
  });
});

describe('damage within a file', () => {
  it.each(['none', 'zstd', 'lz4'] as const)(
    '(%s) costs the chunk that it is in and says what is lost',
    async (compression) => {
      const { bytes, starts } = two(compression);
      const sealed = bytes.slice();
      sealed[starts[1]! + 500]! ^= 1;
      const open = sealed.subarray(0, sealed.length - 30);
      for (const file of [sealed, open]) {
        const found = await read(file);
        expect(found).toMatchObject({ counts: { '/a': 100, '/b': 150 }, lost: { '/a': 100 } });
        expect(found.damage).toHaveLength(1);
      }
      expect(await read(await repaired(open))).toMatchObject({
        counts: { '/a': 100, '/b': 150 },
        damage: [],
      });
    },
  );

  it('in the length or the opcode of a chunk costs nothing', async () => {
    const { bytes, starts, sealedFrom } = two();
    for (const at of [0, 1, 3, 9 + 16, 9 + 32, 9 + 34]) {
      const damaged = bytes.slice(0, sealedFrom);
      damaged[starts[1]! + at]! ^= 0x40;
      expect((await read(damaged)).counts, `byte ${at}`).toEqual({ '/a': 200, '/b': 150 });
    }
  });

  it('that makes a row of zeros over two chunks leaves the others', async () => {
    const { bytes, starts } = two();
    bytes.fill(0, starts[1]! + 400, starts[2]! + 400);
    expect((await read(bytes)).counts).toEqual({ '/a': 100, '/b': 50 });
  });
});

describe('damage that no CRC covers', () => {
  it('is found by the statistics: a message whose opcode changed is counted with its topic', async () => {
    const head = definitions(1, '/a');
    const { bytes, starts } = fileOf([[head, messages(1, 0, 5)]], [[1, '/a']]);
    const view = new DataView(bytes.buffer);
    // The CRC of the chunk, as writers leave it that make none.
    view.setUint32(starts[0]! + 33, 0, true);
    const records = starts[0]! + 49 + head.length;
    const record = messageRecord(1, 0, 0n, payload(0)).length;
    expect(bytes[records + record]).toBe(0x05);
    bytes[records + record] = 0xee;
    const { counts, lost, damage } = await read(bytes);
    expect(counts).toEqual({ '/a': 4 });
    expect(lost).toEqual({ '/a': 1 });
    expect(damage).toEqual([
      expect.stringContaining('the statistics count more messages than can be read: 1 of /a'),
    ]);
    // A message of a channel that does not exist is one of those that the statistics count.
    view.setUint16(records + 2 * record + 9, 77, true);
    expect(await read(bytes)).toMatchObject({ counts: { '/a': 3 }, lost: { '/a': 2 } });
  });
});

describe('a repaired file', () => {
  const chunkAt = (bytes: Uint8Array, at: number) => new DataView(bytes.buffer, bytes.byteOffset + at);

  /** Messages by our index, by a scan, and by both readers of another library, all without a complaint. */
  async function countAll(file: Uint8Array) {
    const { counts, damage, warning } = await read(file);
    expect({ damage, warning }).toEqual({ damage: [], warning: undefined });
    const found = await scan(new MemoryReadable(file));
    expect(found.fault).toBeUndefined();
    const stream = new McapStreamReader({ validateCrcs: true });
    stream.append(file);
    let streamed = 0;
    let before = '';
    for (let record = stream.nextRecord(); record; record = stream.nextRecord()) {
      if (record.type === 'Message') streamed += 1;
      if (record.type === 'MessageIndex') expect(['Message', 'MessageIndex']).toContain(before);
      before = record.type;
    }
    expect(stream.done()).toBe(true);
    const index = await McapIndexedReader.Initialize({
      readable: {
        size: async () => BigInt(file.length),
        read: async (at, length) => file.slice(Number(at), Number(at + length)),
      },
    });
    let indexed = 0;
    for await (const _ of index.readMessages({ validateCrcs: true })) indexed += 1;
    const ours = Object.values(counts).reduce((sum, count) => sum + count, 0);
    return { ours, scanned: found.summary.messages, streamed, indexed };
  }

  it.each([
    ['the first byte of a message', 250, (bytes: Uint8Array, at: number) => (bytes[at + 500]! ^= 1)],
    ['the times of a chunk', 350, (bytes: Uint8Array, at: number) => (bytes[at + 9]! ^= 64)],
    ['the size of a chunk', 350, (bytes: Uint8Array, at: number) => (bytes[at + 25]! ^= 64)],
    ['the opcode of a chunk', 350, (bytes: Uint8Array, at: number) => (bytes[at]! ^= 64)],
    [
      'an offset in a message index',
      350,
      (bytes: Uint8Array, at: number) => {
        const end = at + 9 + Number(chunkAt(bytes, at).getBigUint64(1, true));
        bytes[end + 9 + 6 + 8]! ^= 64;
      },
    ],
    [
      'the opcode of a message index',
      350,
      (bytes: Uint8Array, at: number) => {
        bytes[at + 9 + Number(chunkAt(bytes, at).getBigUint64(1, true))]! ^= 64;
      },
    ],
  ])('after damage to %s is read in full by us and by others', async (_, expected, damage) => {
    const { bytes, starts } = two();
    // An open end, so that there is something to repair in any case.
    const open = bytes.slice(0, -30);
    damage(open, starts[1]!);
    expect(await countAll(await repaired(open))).toEqual({
      ours: expected,
      scanned: expected,
      streamed: expected,
      indexed: expected,
    });
  });

  it('leaves out messages of a channel that nothing defines', async () => {
    const { bytes } = fileOf(
      [[definitions(1, '/a'), messages(1, 0, 40), messages(9, 40, 3)], [messages(1, 43, 40)]],
      [[1, '/a']],
    );
    const counts = await countAll(await repaired(bytes.slice(0, -30)));
    expect(counts).toMatchObject({ ours: 80, scanned: 80, indexed: 80 });
  });
});

describe('channels', () => {
  it('that nothing defines cost their own messages', async () => {
    const { bytes } = fileOf(
      [[definitions(1, '/a'), messages(1, 0, 40), messages(9, 40, 3), messages(1, 43, 40)]],
      [[1, '/a']],
    );
    const found = await read(bytes);
    expect(found).toMatchObject({ counts: { '/a': 80 }, lost: { '(channel 9)': 3 } });
    expect(found.damage).toEqual([expect.stringContaining('3 messages belong to the unknown channel 9')]);
  });

  it('that are defined again keep their messages apart, with an index and without', async () => {
    const chunks = [
      [definitions(1, '/a'), messages(1, 0, 10)],
      [definitions(1, '/b'), messages(1, 10, 20)],
      [messages(1, 30, 5), definitions(1, '/a'), messages(1, 35, 2)],
    ];
    const { bytes, sealedFrom } = fileOf(chunks, [[1, '/b']]);
    const expected = { '/a': 12, '/b': 25 };
    expect((await read(bytes)).counts).toEqual(expected);
    expect((await read(bytes.subarray(0, sealedFrom))).counts).toEqual(expected);
    expect((await read(await repaired(bytes.subarray(0, sealedFrom)))).counts).toEqual(expected);
  });
});

describe('a hostile file', () => {
  it('cannot make the reader unpack or allocate more than a chunk may have', async () => {
    const bomb = zstdCompressSync(new Uint8Array(300 * 1024 * 1024));
    const builder = new ChunkBuilder();
    for (const size of [10, 2 ** 31, 2 ** 50]) {
      const writer = new McapWriter();
      builder.size = size;
      const head = writer.begin({ profile: '', library: '' });
      head.commit();
      const parts = [...head.buffers, ...writer.chunk(builder, { compression: 'zstd', bytes: bomb }).buffers];
      const found = await read(join(parts));
      expect(found.counts).toEqual({});
      expect(found.damage.length).toBeGreaterThan(0);
    }
  });

  it('of heads that refer to one another ends', async () => {
    const message = (channel: number, time: bigint): TestMessage => ({
      channel,
      time,
      data: new Uint8Array(4),
    });
    const { bytes } = writeFile([[message(1, 1n)]]);
    const head = messageRecord(1, 0, 1n, new Uint8Array(0)).subarray(0, 12);
    const rows = join([bytes.subarray(0, 200), ...Array.from({ length: 50_000 }, () => head)]);
    const reader = await McapReader.open(new MemoryReadable(rows));
    expect(reader.fault?.code).toBe('mcap.malformed');
  });
});
