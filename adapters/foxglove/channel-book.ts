import type { OfferedTopic } from '../../io/attached/messages.ts';

export type Channel = OfferedTopic & { readonly id: number };

/** The number of each topic, for all clients. A topic that comes back with the same type and schema has its number again. */
export class ChannelBook {
  readonly #ids = new Map<string, number>();
  readonly #channels = new Map<number, Channel>();
  readonly #byTopic = new Map<string, Channel>();

  /** The channel of this topic from now on. */
  add(topic: OfferedTopic): Channel {
    const key = `${topic.topic}\n${topic.type}\n${topic.schema}`;
    const id = this.#ids.get(key) ?? this.#ids.size + 1;
    this.#ids.set(key, id);
    const channel = { ...topic, id };
    this.#channels.set(id, channel);
    this.#byTopic.set(topic.topic, channel);
    return channel;
  }

  remove(topic: string): Channel | undefined {
    const channel = this.#byTopic.get(topic);
    this.#byTopic.delete(topic);
    if (channel) this.#channels.delete(channel.id);
    return channel;
  }

  get(id: number): Channel | undefined {
    return this.#channels.get(id);
  }

  all(): readonly Channel[] {
    return [...this.#channels.values()];
  }
}

/** Its announcement to clients. */
export function advertised({ id, topic, type, schema }: Channel): object {
  return { id, topic, encoding: 'cdr', schemaName: type, schema, schemaEncoding: 'ros2msg' };
}
