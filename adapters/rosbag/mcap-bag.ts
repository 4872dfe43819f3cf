import { type EdgeError, LIMITS, type Nanoseconds, type Sample } from '../../contract/core.ts';
import { type Channel, decodeRecord, McapReader, planRepair, type Repair } from '../../formats/mcap/index.ts';
import { parseProfiles, qosOf } from '../../formats/rosbag2/index.ts';
import { FileReadable } from '../../io/file-readable.ts';
import type { Bag, BagChannel, BagExtra, BagFilter, BagMessage, BagTopic } from './bag.ts';
import { malformed } from './malformed.ts';
import { PatchedReadable } from './patched-readable.ts';

const RECORD_HEAD_BYTES = 9;

/** One MCAP file, also one without footer: then with the content after a repair, without changing it. */
export class McapBag implements Bag {
  readonly storage = 'mcap';
  readonly path: string;
  readonly bytes: number;
  readonly topics: readonly BagTopic[];
  readonly fault: EdgeError | undefined;
  /** What a repair finds where the file is not complete. */
  readonly repair: Repair | undefined;
  readonly #file: FileReadable;
  readonly #readable: FileReadable | PatchedReadable;
  readonly #reader: McapReader;
  readonly #channels: ReadonlyMap<number, BagChannel>;

  private constructor(
    file: FileReadable,
    bytes: number,
    readable: FileReadable | PatchedReadable,
    reader: McapReader,
    fault: EdgeError | undefined,
    repair: Repair | undefined,
  ) {
    this.path = file.subject;
    this.bytes = bytes;
    this.#file = file;
    this.#readable = readable;
    this.#reader = reader;
    this.fault = fault;
    this.repair = repair;
    this.topics = topicsOf(reader);
    this.#channels = channelsOf(reader);
  }

  /** Rejects with `mcap.malformed` when the file does not start like one. */
  static async open(path: string): Promise<McapBag> {
    const file = await FileReadable.open(path);
    try {
      const bytes = await file.size();
      const reader = await McapReader.open(file);
      const { fault } = reader;
      if (!fault) return new McapBag(file, bytes, file, reader, undefined, undefined);
      // Whole messages of the chunk that was cut off are read too.
      const repair = await planRepair(file, { profile: 'ros2', library: '' });
      if (repair.complete) return new McapBag(file, bytes, file, reader, fault, undefined);
      const patched = new PatchedReadable(file, repair.keepBytes, repair.append);
      return new McapBag(file, bytes, patched, await McapReader.open(patched), fault, repair);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  get startNs(): Nanoseconds {
    return this.#reader.summary.startTime;
  }

  get endNs(): Nanoseconds {
    return this.#reader.summary.endTime;
  }

  get channels(): readonly BagChannel[] {
    return [...this.#channels.values()];
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
      yield { channel: this.#channels.get(channel.id)!, sequence, logTime, publishTime, bytes: data };
    }
    if (!this.fault) return;
    if (!onDamage) throw this.fault;
    onDamage(this.fault);
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

  async close(): Promise<void> {
    await this.#file.close();
  }

  async #recordAt(offset: number, length: number) {
    const size = await this.#readable.size();
    if (length < RECORD_HEAD_BYTES || length > LIMITS.MCAP_CHUNK_BYTES_MAX || offset + length > size) {
      throw malformed(this.path, `at byte ${offset}: an index refers to a record of ${length} bytes`);
    }
    const bytes = await this.#readable.read(offset, length);
    return decodeRecord(bytes[0]!, bytes.subarray(RECORD_HEAD_BYTES), offset + RECORD_HEAD_BYTES, this.path);
  }
}

function channelsOf(reader: McapReader): Map<number, BagChannel> {
  return new Map(
    [...reader.summary.channels.values()].map((channel) => [channel.id, channelOf(reader, channel)]),
  );
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
