import {
  McapStreamReader as ForeignStreamReader,
  McapWriter as ForeignWriter,
  McapIndexedReader,
} from '@mcap/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EdgeError } from '../../contract/index.ts';
import {
  ChunkBuilder,
  McapReader,
  McapWriter,
  type Pending,
  planRepair,
  type Readable,
} from '../../formats/mcap/index.ts';
import { unpackLz4 } from '../../formats/mcap/lz4.ts';
import { join, MemoryReadable, messageRecord, type TestMessage, writeFile } from '../support/mcap-files.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const header = { profile: 'ros2', library: 'auraison-edge' };

const three: TestMessage[][] = [
  [
    { channel: 1, time: 100n, data: bytes('one') },
    { channel: 2, time: 150n, data: bytes('two') },
  ],
  [
    { channel: 1, time: 140n, data: bytes('three, earlier than two') },
    { channel: 2, time: 1_700_000_000_123_456_789n, data: new Uint8Array(0) },
  ],
];

async function readAll(readable: Readable): Promise<string[]> {
  const reader = await McapReader.open(readable);
  const found: string[] = [];
  for await (const { message, channel } of reader.messages()) {
    found.push(`${channel.topic} ${message.logTime} ${Buffer.from(message.data).toString()}`);
  }
  return found;
}

const THREE_SORTED = [
  '/t1 100 one',
  '/t1 140 three, earlier than two',
  '/t2 150 two',
  '/t2 1700000000123456789 ',
];

const foreign = (data: Uint8Array) => ({
  size: async () => BigInt(data.length),
  read: async (offset: bigint, length: bigint) => data.slice(Number(offset), Number(offset + length)),
});

describe('a file of our writer', () => {
  it('is read back by our reader, sorted by time over chunk borders', async () => {
    expect(await readAll(new MemoryReadable(writeFile(three).bytes))).toEqual(THREE_SORTED);
  });

  it('is accepted by the indexed and the streaming reader of @mcap/core, CRCs included', async () => {
    const { bytes: file } = writeFile(three);
    const reader = await McapIndexedReader.Initialize({ readable: foreign(file) });
    expect(reader.header.profile).toBe('ros2');
    expect(reader.statistics?.messageCount).toBe(4n);
    expect(reader.statistics?.channelMessageCounts).toEqual(
      new Map([
        [1, 2n],
        [2, 2n],
      ]),
    );
    const found: string[] = [];
    for await (const message of reader.readMessages({ validateCrcs: true })) {
      const topic = reader.channelsById.get(message.channelId)!.topic;
      found.push(`${topic} ${message.logTime} ${Buffer.from(message.data).toString()}`);
    }
    expect(found).toEqual(THREE_SORTED);
    const stream = new ForeignStreamReader({ validateCrcs: true });
    stream.append(file);
    let messages = 0;
    for (let record = stream.nextRecord(); record; record = stream.nextRecord()) {
      if (record.type === 'Message') messages += 1;
    }
    expect(stream.done()).toBe(true);
    expect(messages).toBe(4);
  });

  it('filters by topic and by time', async () => {
    const reader = await McapReader.open(new MemoryReadable(writeFile(three).bytes));
    const times = [];
    for await (const { message } of reader.messages({ topics: new Set(['/t1']), startTime: 101n })) {
      times.push(message.logTime);
    }
    expect(times).toEqual([140n]);
  });
});

describe('a file of @mcap/core', () => {
  it('is read by our reader, chunked, with compression or without chunks', async () => {
    for (const useChunks of [true, false]) {
      const parts: Uint8Array[] = [];
      let position = 0n;
      const writable = {
        position: () => position,
        write: async (part: Uint8Array) => {
          parts.push(part.slice());
          position += BigInt(part.length);
        },
      };
      const writer = new ForeignWriter({ writable, useChunks, chunkSize: 64 });
      await writer.start({ profile: 'ros2', library: 'x' });
      const schemaId = await writer.registerSchema({
        name: 'a/msg/B',
        encoding: 'ros2msg',
        data: bytes('int8 a'),
      });
      const channelId = await writer.registerChannel({
        schemaId,
        topic: '/t',
        messageEncoding: 'cdr',
        metadata: new Map(),
      });
      for (let i = 0; i < 20; i++) {
        const logTime = BigInt(1000 - i);
        await writer.addMessage({
          channelId,
          sequence: i,
          logTime,
          publishTime: logTime,
          data: bytes(`m${i}`),
        });
      }
      await writer.addAttachment({
        name: 'a',
        logTime: 1n,
        createTime: 2n,
        mediaType: 'text/plain',
        data: bytes('x'),
      });
      await writer.end();
      const found = await readAll(new MemoryReadable(join(parts)));
      expect(found).toEqual(Array.from({ length: 20 }, (_, i) => `/t ${981 + i} m${19 - i}`));
    }
  });
});

describe('a damaged file', () => {
  it('names the chunk whose bytes do not fit its CRC, after what comes before it', async () => {
    const { bytes: file, ends } = writeFile([three[0]!, [{ channel: 1, time: 500n, data: bytes('spoilt') }]]);
    const at = Buffer.from(file).indexOf('spoilt');
    expect(at).toBeGreaterThan(ends[0]!);
    file[at] = file[at]! ^ 1;
    const reader = await McapReader.open(new MemoryReadable(file, 'bad.mcap'));
    const seen: bigint[] = [];
    const reading = (async () => {
      for await (const { message } of reader.messages()) seen.push(message.logTime);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'mcap.malformed', subject: 'bad.mcap' });
    await expect(reading).rejects.toThrow(`at byte ${ends[0]}`);
    expect(seen).toEqual([100n, 150n]);
  });

  it('is a typed error whatever bytes are changed, never another exception', async () => {
    const { bytes: file } = writeFile(three);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(file.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        async (changes) => {
          const copy = file.slice();
          for (const [at, value] of changes) copy[at] = value;
          const attempts = [
            () => readAll(new MemoryReadable(copy)),
            () => planRepair(new MemoryReadable(copy), header),
          ];
          for (const attempt of attempts) {
            await attempt().catch((error: unknown) => expect(error).toBeInstanceOf(EdgeError));
          }
        },
      ),
      { numRuns: 1500 },
    );
  });
});

describe('repair', () => {
  async function repaired(file: Uint8Array): Promise<Uint8Array> {
    const plan = await planRepair(new MemoryReadable(file), header, new Map([['reason', 'test']]));
    if (plan.complete) return file;
    return join([file.subarray(0, plan.keepBytes), ...plan.append]);
  }

  it('leaves a complete file alone', async () => {
    expect((await planRepair(new MemoryReadable(writeFile(three).bytes), header)).complete).toBe(true);
  });

  it('keeps every whole chunk and every whole message of a file cut off at any byte', async () => {
    const chunks = [0, 1, 2, 3].map((c) =>
      [0, 1, 2].map((m) => ({ channel: 1 + (m % 2), time: BigInt(c * 10 + m), data: bytes(`c${c}m${m}`) })),
    );
    const whole = writeFile(chunks);
    const expected = await readAll(new MemoryReadable(whole.bytes));
    for (let cut = 0; cut < whole.bytes.length; cut++) {
      const file = await repaired(whole.bytes.slice(0, cut));
      const found = await readAll(new MemoryReadable(file));
      expect(found).toEqual(expected.slice(0, found.length));
      const wholeChunks = whole.ends.filter((end) => end <= cut).length;
      expect(found.length).toBeGreaterThanOrEqual(wholeChunks * 3);
      const reader = await McapIndexedReader.Initialize({ readable: foreign(file) });
      expect(Number(reader.statistics?.messageCount)).toBe(found.length);
      let count = 0;
      for await (const _ of reader.readMessages({ validateCrcs: true })) count += 1;
      expect(count).toBe(found.length);
      expect((await planRepair(new MemoryReadable(file), header)).complete).toBe(true);
    }
  });

  it('stops before a chunk that the disk lost, as after a power cut', async () => {
    const { bytes: file, ends } = writeFile(
      [three[0]!, [{ channel: 1, time: 500n, data: bytes('lost') }]],
      false,
    );
    file.fill(0, ends[0]);
    const plan = await planRepair(new MemoryReadable(file), header);
    expect(plan.keepBytes).toBe(ends[0]);
    expect(plan.lostBytes).toBe(file.length - ends[0]!);
    expect(
      await readAll(new MemoryReadable(join([file.subarray(0, plan.keepBytes), ...plan.append]))),
    ).toEqual(['/t1 100 one', '/t2 150 two']);
  });
});

describe('decompression of foreign chunks', () => {
  it('undoes LZ4 with literals, overlapping matches and stored blocks, and refuses what lies outside', () => {
    // "ab" and a match of 10 bytes two back, then five literals: abababababab + 12345.
    const block = [0x26, 0x61, 0x62, 2, 0, 0x50, 0x31, 0x32, 0x33, 0x34, 0x35];
    const head = [0x04, 0x22, 0x4d, 0x18, 0x40, 0x40, 0];
    const frame = Uint8Array.from([
      ...head,
      block.length,
      0,
      0,
      0,
      ...block,
      2,
      0,
      0,
      0x80,
      0x21,
      0x22,
      0,
      0,
      0,
      0,
    ]);
    expect(Buffer.from(unpackLz4(frame, 19, 0, 'x').bytes).toString()).toBe('abababababab12345!"');
    expect(unpackLz4(frame, 10, 0, 'x').fault?.message).toMatch(/more bytes/);
    const outside = Uint8Array.from([...head, 4, 0, 0, 0, 0x10, 0x61, 9, 0, 0, 0, 0, 0]);
    expect(unpackLz4(outside, 5, 0, 'x').fault?.message).toMatch(/9 bytes back/);
  });
});

it('a file whose schema was overwritten with zeros is whole: the schema is not taken for a chunk', async () => {
  const writer = new McapWriter();
  const buffers: Uint8Array[] = [];
  const put = ({ buffers: written, commit }: Pending) => {
    buffers.push(...written.map((buffer) => buffer.slice()));
    commit();
  };
  put(writer.begin(header));
  // Its record ends with eleven zeros, where a chunk without records has the lengths of nothing.
  const schema = { id: 1, name: 'std_msgs/msg/String', encoding: '\0'.repeat(7), data: new Uint8Array(0) };
  const channel = { id: 1, schemaId: 1, topic: '/t1', messageEncoding: 'cdr', metadata: new Map() };
  put(writer.channel(channel, schema));
  const builder = new ChunkBuilder();
  builder.add(messageRecord(1, 0, 100n, bytes('one')));
  put(writer.chunk(builder));
  put(writer.end());
  const plan = await planRepair(new MemoryReadable(join(buffers)), header);
  expect(plan).toMatchObject({ complete: true, reason: '' });
  expect(plan.summary.messages).toBe(1);
});
