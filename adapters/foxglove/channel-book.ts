import { createHash } from 'node:crypto';
import type { OfferedTopic } from '../../io/attached/messages.ts';
import { NumberBook } from './number-book.ts';

export type Channel = OfferedTopic & { readonly id: number };

/** The number of each topic, for all clients. A topic that comes back with the same type and schema has its number again. */
export class ChannelBook {
  readonly #ids = new NumberBook((id) => this.#channels.has(id));
  readonly #channels = new Map<number, Channel>();
  readonly #byTopic = new Map<string, Channel>();

  /** The channel of this topic from now on. */
  add(topic: OfferedTopic): Channel {
    const schema = createHash('sha256').update(topic.schema).digest('hex');
    const id = this.#ids.of(`${topic.topic}\n${topic.type}\n${schema}`);
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
