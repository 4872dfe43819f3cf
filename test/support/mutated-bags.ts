import { zstdCompressSync } from 'node:zlib';
import { ByteWriter, ChunkBuilder, compressLz4, McapWriter, type Pending } from '../../formats/mcap/index.ts';
import { messageRecord } from './mcap-files.ts';
import type { Random } from './random.ts';

export type Layout = {
  readonly compression: 'none' | 'zstd' | 'lz4';
  /** Definitions stand within the first chunk, as rosbag2 writes them, else in front of it. */
  readonly definesInside: boolean;
  readonly isSealed: boolean;
};
export type RecordedMessage = { readonly topic: string; readonly time: bigint; readonly data: Uint8Array };
type Span = readonly [number, number];

const SCHEMA = { id: 1, name: 'std_msgs/msg/String', encoding: 'ros2msg', data: Buffer.from('string data') };
const CHUNKS = 5;
const MESSAGES = 20;
const TOPICS = 3;

/** A recording of 100 messages in five chunks; bytes between noise, small numbers and zeros, as CDR is. */
export function recording(layout: Layout, random: Random) {
  const writer = new McapWriter();
  const buffers: Uint8Array[] = [];
  const chunks: Span[] = [];
  const messages: RecordedMessage[] = [];
  const put = (pending: Pending) => {
    buffers.push(...pending.buffers.map((buffer) => buffer.slice()));
    pending.commit();
  };
  put(writer.begin({ profile: 'ros2', library: 'test' }));
  const channels = Array.from({ length: TOPICS }, (_, at) => ({
    ...{ id: at + 1, schemaId: 1, topic: `/t${at + 1}`, messageEncoding: 'cdr' },
    metadata: new Map([['offered_qos_profiles', '']]),
  }));
  for (let chunk = 0; chunk < CHUNKS; chunk++) {
    const builder = new ChunkBuilder();
    if (chunk === 0 && layout.definesInside) {
      builder.add(definitions(channels));
      writer.summary.schemas.set(1, SCHEMA);
      for (const channel of channels) writer.summary.channels.set(channel.id, channel);
    }
    for (let at = 0; at < MESSAGES; at++) {
      const channel = random.one(channels);
      if (!writer.hasChannel(channel.id)) put(writer.channel(channel, SCHEMA));
      const data = noise(random, 8 + random.below(150));
      const time = BigInt(1_000 + chunk * 1_000 + random.below(900));
      builder.add(messageRecord(channel.id, messages.length, time, data));
      messages.push({ topic: channel.topic, time, data });
    }
    put(writer.chunk(builder, packed(layout.compression, builder.parts)));
    const { chunkStart, chunkLength } = writer.summary.chunks.at(-1)!;
    chunks.push([chunkStart, chunkStart + chunkLength]);
  }
  if (layout.isSealed) put(writer.end());
  return { bytes: new Uint8Array(Buffer.concat(buffers)), chunks, messages };
}

function definitions(
  channels: readonly {
    id: number;
    topic: string;
    messageEncoding: string;
    metadata: ReadonlyMap<string, string>;
  }[],
): Uint8Array {
  const out = new ByteWriter();
  out.record(0x03, () =>
    out.u16(1).text(SCHEMA.name).text(SCHEMA.encoding).u32(SCHEMA.data.length).raw(SCHEMA.data),
  );
  for (const { id, topic, messageEncoding, metadata } of channels)
    out.record(0x04, () => out.u16(id).u16(1).text(topic).text(messageEncoding).textMap(metadata));
  return out.take();
}

function noise(random: Random, length: number): Uint8Array {
  return Uint8Array.from({ length }, () =>
    random.chance(0.4) ? 0 : random.below(random.chance(0.5) ? 20 : 256),
  );
}

function packed(compression: Layout['compression'], parts: readonly Uint8Array[]) {
  if (compression === 'none') return undefined;
  const bytes = compression === 'lz4' ? compressLz4(parts) : zstdCompressSync(Buffer.concat(parts));
  return { compression, bytes };
}

const MUTATIONS = [
  'flip',
  'flips',
  'cut',
  'power cut',
  'zeros',
  'noise',
  'inserted',
  'deleted',
  'swapped',
] as const;

/** What a failing disk, a power cut or a bad copy makes of a file. */
export function mutated(
  bytes: Uint8Array,
  chunks: readonly Span[],
  random: Random,
): { kind: string; bytes: Uint8Array } {
  const kind = random.one(MUTATIONS);
  const at = random.below(bytes.length);
  const end = Math.min(bytes.length, at + 1 + random.below(random.one([8, 64, 512, 4096])));
  const out = bytes.slice();
  const joined = (...parts: Uint8Array[]) => ({ kind, bytes: new Uint8Array(Buffer.concat(parts)) });
  switch (kind) {
    case 'flip':
    case 'flips':
      for (let count = kind === 'flip' ? 1 : 4; count > 0; count--)
        out[random.below(bytes.length)]! ^= 1 << random.below(8);
      return { kind, bytes: out };
    case 'cut':
      return { kind, bytes: out.subarray(0, at) };
    case 'power cut':
      return { kind, bytes: out.fill(0, at) };
    case 'zeros':
      return { kind, bytes: out.fill(0, at, end) };
    case 'noise':
      return { kind, bytes: out.map((byte, i) => (i >= at && i < end ? random.below(256) : byte)) };
    case 'inserted':
      return joined(bytes.subarray(0, at), noise(random, 1 + random.below(40)), bytes.subarray(at));
    case 'deleted':
      return joined(bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(40)));
    case 'swapped': {
      const first = random.below(chunks.length - 1);
      const [a, b] = [chunks[first]!, chunks[first + 1 + random.below(chunks.length - first - 1)]!];
      const between = bytes.subarray(a[1], b[0]);
      return joined(
        bytes.subarray(0, a[0]),
        bytes.subarray(...b),
        between,
        bytes.subarray(...a),
        bytes.subarray(b[1]),
      );
    }
  }
}
