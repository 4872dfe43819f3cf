import type { Channel, Schema } from '../../../formats/mcap/index.ts';
import type { ChannelDeclaration } from './protocol.ts';

export type Declared = { readonly channel: Channel; readonly schema: Schema | undefined };

const encoder = new TextEncoder();

/** Channels and schemas as the files declare them, by the ids of the main thread. */
export class ThreadChannels {
  readonly #channels = new Map<number, Declared>();
  readonly #schemaIds = new Map<string, number>();

  add({ id, topic, type, schemaEncoding, schemaText, qosProfiles }: ChannelDeclaration): void {
    const key = `${type}\n${schemaText}`;
    const schemaId = this.#schemaIds.get(key) ?? this.#schemaIds.size + 1;
    this.#schemaIds.set(key, schemaId);
    const metadata = new Map([
      ['offered_qos_profiles', qosProfiles],
      ['topic_type_hash', ''],
    ]);
    this.#channels.set(id, {
      channel: { id, schemaId, topic, messageEncoding: 'cdr', metadata },
      schema: { id: schemaId, name: type, encoding: schemaEncoding, data: encoder.encode(schemaText) },
    });
  }

  has(id: number): boolean {
    return this.#channels.has(id);
  }

  get(id: number): Declared {
    return this.#channels.get(id)!;
  }

  values(): Iterable<Declared> {
    return this.#channels.values();
  }
}
