import { parse } from '@foxglove/rosmsg';
import { MessageReader } from '@foxglove/rosmsg2-serialization';

/** A decoded message: fields by name. Arrays of numbers are typed arrays, 64-bit integers are BigInt. */
export type Message = Readonly<Record<string, unknown>>;
export type Definitions = ReturnType<typeof parse>;

/** A topic as the robot offers it. */
export type Channel = {
  readonly id: number;
  readonly topic: string;
  readonly encoding: string;
  readonly schemaName: string;
  /** The type with its dependencies (`ros2msg`). */
  readonly schema: string;
};

/** Reads messages of one definition. Topics of the same type share one. */
export class Decoder {
  readonly definitions: Definitions;
  readonly #reader: MessageReader;

  /** Throws where the definition cannot be read. */
  constructor(schema: string) {
    this.definitions = parse(schema, { ros2: true });
    this.#reader = new MessageReader(this.definitions);
  }

  read(bytes: Uint8Array): Message {
    return this.#reader.readMessage<Message>(bytes);
  }
}

const decoders = new Map<string, Decoder | Error>();

/** The decoder of a channel; an Error with the reason where it has none. */
export function decoderOf({ topic, encoding, schemaName, schema }: Channel): Decoder | Error {
  if (encoding !== 'cdr') return new Error(`${topic}: messages in ${encoding} are not shown`);
  const key = `${schemaName}\n${schema}`;
  let decoder = decoders.get(key);
  if (decoder === undefined) {
    try {
      decoder = new Decoder(schema);
    } catch (error) {
      decoder = new Error(`the definition of ${schemaName} cannot be read: ${(error as Error).message}`);
    }
    decoders.set(key, decoder);
  }
  return decoder;
}

/** One message as it arrived. It is decoded once, when the first panel wants its fields. */
export class LiveSample {
  readonly channel: Channel;
  readonly bytes: Uint8Array;
  /** When the daemon received it, seconds, in the robot's clock. */
  readonly timeS: number;
  /** When it arrived here, milliseconds of `performance.now`. */
  readonly atMs: number;
  #value: Message | undefined;
  #fault: string | undefined;

  constructor(channel: Channel, bytes: Uint8Array, timeS: number, atMs: number) {
    this.channel = channel;
    this.bytes = bytes;
    this.timeS = timeS;
    this.atMs = atMs;
  }

  /** Undefined where the bytes do not match the definition; then `fault` says why. */
  get value(): Message | undefined {
    if (this.#value !== undefined || this.#fault !== undefined) return this.#value;
    const decoder = decoderOf(this.channel);
    if (decoder instanceof Error) this.#fault = decoder.message;
    else
      try {
        this.#value = decoder.read(this.bytes);
      } catch (error) {
        this.#fault = `not a ${this.channel.schemaName}: ${(error as Error).message}`;
      }
    return this.#value;
  }

  get fault(): string | undefined {
    return this.value === undefined ? this.#fault : undefined;
  }
}
