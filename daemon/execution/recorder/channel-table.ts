import type { Sample, TopicSpec } from '../../../contract/core.ts';
import { schemaFor } from '../../../formats/ros2/index.ts';
import { qosProfiles } from './bag-metadata.ts';
import type { RecorderOptions } from './options.ts';
import type { ChannelDeclaration } from './protocol.ts';

export type ChannelEntry = {
  readonly id: number;
  readonly topic: string;
  readonly type: string;
  /** Messages so far: the sequence number of the next. */
  sequence: number;
};

/** A channel id has 16 bits in MCAP, and 0 is never used here. */
const CHANNELS_MAX = 65_535;

/** Channel ids by topic and type, and what a channel's declaration says. A topic that changes its type gets another. */
export class ChannelTable {
  readonly #definitionOf: (type: string) => string | undefined;
  readonly #report: RecorderOptions['report'];
  /** The offered profiles, as a recording holds them. */
  readonly #offered = new Map<string, string>();
  readonly #byTopic = new Map<string, ChannelEntry>();
  readonly #others = new Map<string, ChannelEntry>();
  readonly #byId = new Map<number, ChannelEntry>();
  #toldFull = false;

  constructor(options: Pick<RecorderOptions, 'definitionOf' | 'report'>) {
    this.#definitionOf = (type) => options.definitionOf?.(type) ?? schemaFor(type)?.data;
    this.#report = options.report;
  }

  offered(topics: readonly TopicSpec[]): void {
    for (const { topic, qos, offered } of topics) this.#offered.set(topic, offered ?? qosProfiles(qos));
  }

  /** The channel of a sample, if it has one yet. */
  find({ topic, type }: Sample): ChannelEntry | undefined {
    const entry = this.#byTopic.get(topic);
    return entry === undefined || entry.type === type ? entry : this.#others.get(`${topic}\n${type}`);
  }

  /** Or why it gets none: there are too many, or the name cannot be one of a topic. */
  add({ topic, type }: Sample): ChannelEntry | 'no_channel' | 'malformed' {
    if (topic.includes('\n')) return 'malformed';
    const id = this.#byId.size + 1;
    if (id > CHANNELS_MAX) {
      this.#tellFull(topic);
      return 'no_channel';
    }
    const entry = { id, topic, type, sequence: 0 };
    if (this.#byTopic.has(topic)) this.#others.set(`${topic}\n${type}`, entry);
    else this.#byTopic.set(topic, entry);
    this.#byId.set(id, entry);
    return entry;
  }

  #tellFull(topic: string): void {
    if (this.#toldFull) return;
    this.#toldFull = true;
    const hint = 'restart the daemon, and exclude topics whose names keep changing with ros.deny';
    this.#report('error', `${topic} is not recorded: all ${CHANNELS_MAX} channels are in use`, { hint });
  }

  topicOf(id: number): string {
    return this.#byId.get(id)?.topic ?? '';
  }

  all(): Iterable<ChannelEntry> {
    return this.#byId.values();
  }

  declarationOf({ id, topic, type }: ChannelEntry): ChannelDeclaration {
    const schemaText = this.#definitionOf(type) ?? '';
    if (schemaText === '') {
      const hint = 'install its interface package to make the recording decodable';
      this.#report('warn', `no definition of ${type} on this host: ${topic} is recorded as raw bytes`, {
        hint,
      });
    }
    const schemaEncoding = schemaText === '' ? '' : 'ros2msg';
    return { id, topic, type, schemaEncoding, schemaText, qosProfiles: this.#offered.get(topic) ?? '' };
  }
}
