import { EdgeError, LIMITS, type MessageValue, parseJson } from '../../contract/core.ts';
import type { Reports } from '../../io/attached/reports.ts';
import type { Door } from '../../io/attached/robot-door.ts';
import type { ClientChannel } from './client-message.ts';

export type ClientChannelsParts = {
  readonly door: Pick<Door, 'publish' | 'publishValue'> | undefined;
  readonly encodings: readonly string[];
  readonly say: Reports['say'];
};

/** Messages of one client that wait for the door. */
const WAITING_MAX = 64;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** Topics that one client publishes to. Refusals of the door are reported to the client, by topic. */
export class ClientChannels {
  readonly #parts: ClientChannelsParts;
  readonly #channels = new Map<number, ClientChannel>();
  #waiting = 0;

  constructor(parts: ClientChannelsParts) {
    this.#parts = parts;
  }

  advertise(channels: readonly ClientChannel[]): void {
    const { door, encodings, say } = this.#parts;
    if (!door) {
      say('error', 'advertise', 'this client may only look: connect with a token to publish');
      return;
    }
    for (const channel of channels) {
      const { id, topic, encoding } = channel;
      if (!encodings.includes(encoding))
        say('error', topic, `${topic}: expected an encoding of ${encodings.join(', ')}, found ${encoding}`);
      else if (this.#channels.has(id)) say('error', topic, `${topic}: channel ${id} is advertised already`);
      else if (this.#channels.size >= LIMITS.ATTACH_CHANNELS_MAX)
        say('error', topic, `a client advertises at most ${LIMITS.ATTACH_CHANNELS_MAX} channels`);
      else this.#channels.set(id, channel);
    }
  }

  unadvertise(ids: readonly number[]): void {
    for (const id of ids) this.#channels.delete(id);
  }

  /** False: the client has not advertised this channel. */
  publish(id: number, payload: Uint8Array): boolean {
    const channel = this.#channels.get(id);
    if (!channel) return false;
    const { topic } = channel;
    if (this.#waiting >= WAITING_MAX) {
      this.#parts.say('warning', topic, `${topic}: messages come faster than the robot takes them`);
      return true;
    }
    this.#waiting += 1;
    void this.#send(channel, payload)
      .catch((thrown: unknown) => {
        const { code, message, hint } = EdgeError.from(thrown, 'schema.invalid', 'publish', topic);
        this.#parts.say('error', topic, `${topic}: ${message} (${code})${hint === '' ? '' : `; ${hint}`}`);
      })
      .finally(() => {
        this.#waiting -= 1;
      });
    return true;
  }

  async #send({ topic, encoding, schemaName }: ClientChannel, payload: Uint8Array): Promise<void> {
    const { door } = this.#parts;
    const type = fullType(schemaName);
    // The frame belongs to the socket: what travels on is a copy.
    if (encoding === 'cdr') return await door?.publish(topic, type, payload.slice());
    await door?.publishValue(topic, type, objectOf(payload));
  }
}

/** Foxglove writes types of ROS 1 too: `geometry_msgs/Twist`. */
function fullType(name: string): string {
  return /^\w+\/\w+$/.test(name) ? name.replace('/', '/msg/') : name;
}

/** Throws a SyntaxError, or a TypeError for what is not UTF-8 or not an object. */
export function objectOf(payload: Uint8Array): MessageValue {
  const value: unknown = parseJson(decoder.decode(payload));
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('expected a JSON object');
  return value as MessageValue;
}
