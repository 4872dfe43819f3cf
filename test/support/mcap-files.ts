import {
  ChunkBuilder,
  McapWriter,
  MESSAGE_HEAD_BYTES,
  type Pending,
  type Readable,
  writeMessageHead,
} from '../../formats/mcap/index.ts';

export type TestMessage = { readonly channel: number; readonly time: bigint; readonly data: Uint8Array };

export class MemoryReadable implements Readable {
  readonly subject: string;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, subject = 'memory.mcap') {
    this.#bytes = bytes;
    this.subject = subject;
  }

  async size(): Promise<number> {
    return this.#bytes.length;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.#bytes.length) throw new Error(`read of ${length} at ${offset} past the end`);
    return this.#bytes.slice(offset, offset + length);
  }
}

export function messageRecord(channel: number, sequence: number, time: bigint, data: Uint8Array): Uint8Array {
  const record = new Uint8Array(MESSAGE_HEAD_BYTES + data.length);
  writeMessageHead(new DataView(record.buffer), 0, channel, sequence, time, time - 1n, data.length);
  record.set(data, MESSAGE_HEAD_BYTES);
  return record;
}

export function join(buffers: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(buffers));
}

/** A file of our writer: one chunk per inner array. `ends` are the lengths at which each chunk became whole. */
export function writeFile(chunks: readonly (readonly TestMessage[])[], sealed = true) {
  const writer = new McapWriter();
  const buffers: Uint8Array[] = [];
  const ends: number[] = [];
  const put = (pending: Pending) => {
    buffers.push(...pending.buffers.map((buffer) => buffer.slice()));
    pending.commit();
  };
  put(writer.begin({ profile: 'ros2', library: 'auraison-edge' }));
  const schema = {
    id: 1,
    name: 'std_msgs/msg/String',
    encoding: 'ros2msg',
    data: Buffer.from('string data'),
  };
  const builder = new ChunkBuilder();
  let sequence = 0;
  for (const messages of chunks) {
    builder.clear();
    for (const { channel, time, data } of messages) {
      if (!writer.hasChannel(channel)) {
        const metadata = new Map([['offered_qos_profiles', '']]);
        put(
          writer.channel(
            { id: channel, schemaId: 1, topic: `/t${channel}`, messageEncoding: 'cdr', metadata },
            schema,
          ),
        );
      }
      builder.add(messageRecord(channel, sequence++, time, data));
    }
    put(writer.chunk(builder));
    ends.push(writer.offset);
  }
  if (sealed) put(writer.end());
  return { bytes: join(buffers), ends, summary: writer.summary };
}
