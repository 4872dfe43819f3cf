import { type EdgeError, LIMITS, type Nanoseconds, type Sample } from '../../contract/core.ts';
import { type Channel, decodeRecord, McapReader } from '../../formats/mcap/index.ts';
import { parseProfiles, qosOf } from '../../formats/rosbag2/index.ts';
import { FileReadable } from '../../io/file-readable.ts';
import type { Bag, BagChannel, BagExtra, BagFilter, BagMessage, BagTopic } from './bag.ts';
import { malformed } from './malformed.ts';

const RECORD_HEAD_BYTES = 9;

/** One MCAP file. One without footer, or with damage, is read as far as it can be. */
export class McapBag implements Bag {
  readonly storage = 'mcap';
  readonly path: string;
  readonly bytes: number;
  readonly topics: readonly BagTopic[];
  readonly fault: EdgeError | undefined;
  readonly warning: EdgeError | undefined;
  readonly #file: FileReadable;
  readonly #reader: McapReader;
  readonly #channels = new WeakMap<Channel, BagChannel>();

  private constructor(file: FileReadable, bytes: number, reader: McapReader) {
    this.path = file.subject;
    this.bytes = bytes;
    this.#file = file;
    this.#reader = reader;
    this.fault = reader.fault;
    this.warning = reader.warning;
    this.topics = topicsOf(reader);
  }

  /** Rejects with `mcap.malformed` when the file does not start like one. */
  static async open(path: string): Promise<McapBag> {
    const file = await FileReadable.open(path);
    try {
      return new McapBag(file, await file.size(), await McapReader.open(file));
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Of a file that is not whole: messages out of the chunk in which it ends, and bytes that cannot be read. */
  get salvage(): { readonly ofCutChunk: number; readonly lostBytes: number } | undefined {
    const found = this.#reader.scanned;
    if (!found?.fault) return undefined;
    const { tail, holes, hasAllData, goodEnd } = found;
    const ofCutChunk = [...(tail?.counts.values() ?? [])].reduce((sum, count) => sum + count, 0);
    const end = hasAllData ? this.bytes : goodEnd + (tail?.contents.length ?? 0);
    const inHoles = holes.reduce((sum, { length }) => sum + length, 0);
    return { ofCutChunk, lostBytes: inHoles + Math.max(0, this.bytes - end) };
  }

  get startNs(): Nanoseconds {
    return this.#reader.summary.startTime;
  }

  get endNs(): Nanoseconds {
    return this.#reader.summary.endTime;
  }

  get channels(): readonly BagChannel[] {
    return [...this.#reader.summary.channels.values()].map((channel) => this.#channelOf(channel));
  }

  /** Names of the compressions of its chunks, and how many bytes they hold when unpacked. */
  compression(): { readonly formats: readonly string[]; readonly chunks: number; readonly unpacked: number } {
    const { chunks } = this.#reader.summary;
    const formats = new Set(chunks.map(({ compression }) => compression || 'none'));
    const unpacked = chunks.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);
    return { formats: [...formats].sort(), chunks: chunks.length, unpacked };
  }

  async *records(filter: BagFilter = {}): AsyncGenerator<BagMessage> {
    const { topics, startNs, endNs, onDamage } = filter;
    const wanted = {
      ...(topics && { topics }),
      ...(startNs !== undefined && { startTime: startNs }),
      ...(endNs !== undefined && { endTime: endNs }),
      ...(onDamage && { onDamage }),
    };
    for await (const { message, channel } of this.#reader.messages(wanted)) {
      const { sequence, logTime, publishTime, data } = message;
      yield { channel: this.#channelOf(channel), sequence, logTime, publishTime, bytes: data };
    }
  }

  async *messages(filter: BagFilter = {}): AsyncGenerator<Sample> {
    for await (const { channel, publishTime, logTime, bytes } of this.records(filter)) {
      yield { topic: channel.topic, type: channel.type, stamp: publishTime, received: logTime, bytes };
    }
  }

  async *extras(): AsyncGenerator<BagExtra> {
    const { metadata, attachments } = this.#reader.summary;
    for (const { offset, length } of [...metadata, ...attachments].sort((a, b) => a.offset - b.offset)) {
      const record = await this.#recordAt(offset, length);
      if (record.kind === 'metadata' || record.kind === 'attachment') yield record;
    }
  }

  /** One object for each definition, also for one that is only found while reading. */
  #channelOf(channel: Channel): BagChannel {
    const known = this.#channels.get(channel) ?? channelOf(this.#reader, channel);
    this.#channels.set(channel, known);
    return known;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #recordAt(offset: number, length: number) {
    if (length < RECORD_HEAD_BYTES || length > LIMITS.MCAP_CHUNK_BYTES_MAX || offset + length > this.bytes) {
      throw malformed(this.path, `at byte ${offset}: an index refers to a record of ${length} bytes`);
    }
    const bytes = await this.#file.read(offset, length);
    return decodeRecord(bytes[0]!, bytes.subarray(RECORD_HEAD_BYTES), offset + RECORD_HEAD_BYTES, this.path);
  }
}

function channelOf(reader: McapReader, channel: Channel): BagChannel {
  const schema = reader.schemaOf(channel);
  return {
    topic: channel.topic,
    type: schema?.name ?? '',
    schemaEncoding: schema?.encoding ?? '',
    schemaData: schema?.data ?? new Uint8Array(),
    messageEncoding: channel.messageEncoding,
    metadata: channel.metadata,
  };
}

function topicsOf(reader: McapReader): BagTopic[] {
  const topics = new Map<string, BagTopic>();
  for (const channel of reader.summary.channels.values()) {
    const schema = reader.schemaOf(channel);
    const known = topics.get(channel.topic);
    const isText = schema?.encoding === 'ros2msg' && schema.data.length > 0;
    topics.set(channel.topic, {
      topic: channel.topic,
      type: schema?.name ?? '',
      messages: (known?.messages ?? 0) + (reader.summary.counts.get(channel.id) ?? 0),
      qos: qosOf(parseProfiles(channel.metadata.get('offered_qos_profiles') ?? '')[0]),
      definition: isText ? new TextDecoder().decode(schema.data) : undefined,
    });
  }
  return [...topics.values()];
}
