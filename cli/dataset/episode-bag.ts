import { samplesOf, type TopicMap, topicsFor } from '../../adapters/lerobot-dataset/index.ts';
import type {
  Bag,
  BagChannel,
  BagExtra,
  BagFilter,
  BagMessage,
  BagTopic,
} from '../../adapters/rosbag/index.ts';
import { type DatasetEpisode, type DatasetSpec, DEFAULT_QOS, type Sample } from '../../contract/core.ts';
import { schemaFor } from '../../formats/ros2/index.ts';

/** An episode of a dataset as a bag that can be read: what `importBag` takes in. */
export class EpisodeBag implements Bag {
  readonly storage = 'mcap';
  readonly bytes = 0;
  readonly fault = undefined;
  readonly warning = undefined;
  readonly path: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly topics: readonly BagTopic[];
  readonly channels: readonly BagChannel[];
  readonly #episode: DatasetEpisode;
  readonly #spec: DatasetSpec;
  readonly #map: TopicMap;

  constructor(
    episode: DatasetEpisode,
    spec: DatasetSpec,
    at: { path: string; startNs: bigint; length: number },
  ) {
    this.#episode = episode;
    this.#spec = spec;
    this.#map = topicsFor(spec);
    this.path = at.path;
    this.startNs = at.startNs;
    this.endNs = at.startNs + BigInt(Math.round(((at.length - 1) * 1e9) / spec.fps));
    const topics = Object.values(this.#map);
    this.topics = topics.map(({ topic, type }) => ({
      topic,
      type,
      messages: at.length,
      qos: DEFAULT_QOS,
      definition: schemaFor(type)?.data,
    }));
    this.channels = topics.map(({ topic, type }) => {
      const schema = schemaFor(type);
      return {
        topic,
        type,
        schemaEncoding: schema?.encoding ?? '',
        schemaData: new TextEncoder().encode(schema?.data ?? ''),
        messageEncoding: 'cdr',
        metadata: new Map<string, string>(),
      };
    });
  }

  async *records(filter: BagFilter = {}): AsyncGenerator<BagMessage> {
    let sequence = 0;
    for await (const { topic, received, stamp, bytes } of this.messages(filter)) {
      const channel = this.channels.find((one) => one.topic === topic)!;
      yield { channel, sequence: sequence++, logTime: received, publishTime: stamp, bytes };
    }
  }

  async *messages({ topics }: BagFilter = {}): AsyncGenerator<Sample> {
    for await (const sample of samplesOf(this.#episode, this.#spec, this.#map, this.startNs))
      if (topics?.has(sample.topic) ?? true) yield sample;
  }

  async *extras(): AsyncGenerator<BagExtra> {}

  async close(): Promise<void> {}
}
