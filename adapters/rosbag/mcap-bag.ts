import type { EdgeError, Nanoseconds, Sample } from '../../contract/index.ts';
import { McapReader } from '../../formats/mcap/index.ts';
import type { Bag, BagFilter, BagTopic } from './bag.ts';
import { FileReadable } from './file-readable.ts';
import { parseQos } from './qos-text.ts';

/** One MCAP file, also one without footer: then what a scan finds. */
export class McapBag implements Bag {
  readonly storage = 'mcap';
  readonly path: string;
  readonly bytes: number;
  readonly topics: readonly BagTopic[];
  readonly #readable: FileReadable;
  readonly #reader: McapReader;

  private constructor(path: string, bytes: number, readable: FileReadable, reader: McapReader) {
    this.path = path;
    this.bytes = bytes;
    this.#readable = readable;
    this.#reader = reader;
    this.topics = topicsOf(reader);
  }

  /** Rejects with `mcap.malformed` when the file does not begin like one. */
  static async open(path: string): Promise<McapBag> {
    const readable = await FileReadable.open(path);
    try {
      return new McapBag(path, await readable.size(), readable, await McapReader.open(readable));
    } catch (error) {
      await readable.close();
      throw error;
    }
  }

  get startNs(): Nanoseconds {
    return this.#reader.summary.startTime;
  }

  get endNs(): Nanoseconds {
    return this.#reader.summary.endTime;
  }

  get fault(): EdgeError | undefined {
    return this.#reader.fault;
  }

  async *messages(filter: BagFilter = {}): AsyncGenerator<Sample> {
    const { topics, startNs, endNs } = filter;
    const wanted = {
      ...(topics && { topics }),
      ...(startNs !== undefined && { startTime: startNs }),
      ...(endNs !== undefined && { endTime: endNs }),
    };
    for await (const { message, channel } of this.#reader.messages(wanted)) {
      yield {
        topic: channel.topic,
        type: this.#reader.schemaOf(channel)?.name ?? '',
        stamp: message.publishTime,
        received: message.logTime,
        bytes: message.data,
      };
    }
    if (this.fault) throw this.fault;
  }

  async close(): Promise<void> {
    await this.#readable.close();
  }
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
      qos: parseQos(channel.metadata.get('offered_qos_profiles') ?? ''),
      definition: isText ? new TextDecoder().decode(schema.data) : undefined,
    });
  }
  return [...topics.values()];
}
