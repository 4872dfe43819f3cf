import type { BagMessage } from '../../../adapters/rosbag/index.ts';
import { EdgeError } from '../../../contract/core.ts';
import { decodeAny, type RosValue } from '../../../formats/ros2/index.ts';

export type LineOptions = {
  readonly format: 'jsonl' | 'csv';
  /** Paths like `pose.pose.position.x`; none: everything. */
  readonly fields: readonly string[];
  /** The message as base64 of its bytes, not decoded. */
  readonly raw: boolean;
};

/** Turns messages into lines of text for people and spreadsheets. */
export class LineMaker {
  readonly #options: LineOptions;
  readonly #definitions = new Map<object, string | undefined>();
  #columns: readonly string[] | undefined;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  /** Throws `sample.unknown_type` and `sample.malformed` with a hint. */
  lines(message: BagMessage): string {
    return this.#options.format === 'csv' ? this.#csv(message) : `${this.#json(message)}\n`;
  }

  #json(message: BagMessage): string {
    const { channel, logTime, publishTime, bytes } = message;
    const head = {
      topic: channel.topic,
      type: channel.type,
      log_time_ns: `${logTime}`,
      publish_time_ns: `${publishTime}`,
    };
    if (this.#options.raw)
      return JSON.stringify({ ...head, cdr_base64: Buffer.from(bytes).toString('base64') });
    const value = this.#decode(message);
    const { fields } = this.#options;
    const chosen =
      fields.length === 0
        ? value
        : Object.fromEntries(fields.map((path) => [path, fieldOf(value, path, channel.topic)]));
    return JSON.stringify({ ...head, message: chosen }, plain);
  }

  #csv(message: BagMessage): string {
    const { channel, logTime, publishTime } = message;
    const leaves = this.#options.raw
      ? new Map<string, unknown>([['cdr_base64', message.bytes]])
      : leavesOf(this.#decode(message), this.#options.fields, channel.topic);
    let head = '';
    if (!this.#columns) {
      this.#columns = [...leaves.keys()];
      head = `${['topic', 'log_time_ns', 'publish_time_ns', ...this.#columns].map(cell).join(',')}\r\n`;
    }
    const strangers = [...leaves.keys()].filter((name) => !this.#columns!.includes(name));
    if (strangers.length > 0) {
      throw new EdgeError('schema.invalid', {
        operation: 'bag cat',
        subject: channel.topic,
        message: `${channel.topic} has other fields than the topic before it (${strangers.slice(0, 3).join(', ')})`,
        hint: 'a CSV file has one set of columns: name one topic with --topics, or use --format jsonl',
      });
    }
    const cells = [
      channel.topic,
      `${logTime}`,
      `${publishTime}`,
      ...this.#columns.map((name) => leaves.get(name)),
    ];
    return `${head}${cells.map(cell).join(',')}\r\n`;
  }

  #decode({ channel, bytes }: BagMessage): RosValue {
    if (!this.#definitions.has(channel)) {
      const isText = channel.schemaEncoding === 'ros2msg' && channel.schemaData.length > 0;
      this.#definitions.set(channel, isText ? new TextDecoder().decode(channel.schemaData) : undefined);
    }
    try {
      return decodeAny(channel.type, bytes, this.#definitions.get(channel));
    } catch (error) {
      const fault = EdgeError.from(error, 'sample.malformed', 'decode', channel.topic);
      if (fault.code !== 'sample.unknown_type') throw fault;
      throw new EdgeError('sample.unknown_type', {
        operation: 'bag cat',
        subject: channel.topic,
        message: `${channel.topic}: the bag carries no definition of ${channel.type}, and this host knows none`,
        hint: `leave it out with --exclude ${channel.topic}, or take the bytes with --raw`,
        cause: error,
      });
    }
  }
}

/** The scalars of a message by path; lists are one cell of JSON, since their length changes. */
function leavesOf(value: RosValue, fields: readonly string[], topic: string): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  const walk = (path: string, item: unknown) => {
    if (item !== null && typeof item === 'object' && !Array.isArray(item) && !ArrayBuffer.isView(item)) {
      for (const [name, inner] of Object.entries(item)) walk(path === '' ? name : `${path}.${name}`, inner);
    } else leaves.set(path, item);
  };
  if (fields.length === 0) walk('', value);
  for (const path of fields) walk(path, fieldOf(value, path, topic));
  return leaves;
}

/** `a.b[3].c` in a message. Throws `schema.invalid`, naming what there is. */
export function fieldOf(value: RosValue, path: string, topic: string): unknown {
  let found: unknown = value;
  for (const step of path.split(/[.[\]]+/).filter((part) => part !== '')) {
    const isInside = found !== null && typeof found === 'object' && Object.hasOwn(found, step);
    if (!isInside) throw noField(found, path, step, topic);
    found = (found as Record<string, unknown>)[step];
  }
  return found;
}

function noField(found: unknown, path: string, step: string, topic: string): EdgeError {
  const names = found !== null && typeof found === 'object' ? Object.keys(found).slice(0, 20) : [];
  return new EdgeError('schema.invalid', {
    operation: 'bag cat',
    subject: path,
    message: `${topic} has no field ${path} (${step})`,
    hint: names.length > 0 ? `there are: ${names.join(' ')}` : 'it is no structure',
  });
}

/** As the JSON mapping of protobuf: bytes are base64, 64-bit integers, NaN and infinities are text. */
function plain(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return ArrayBuffer.isView(value) ? [...(value as unknown as Iterable<unknown>)] : value;
}

function cell(value: unknown): string {
  const simple = plain('', value);
  const text = typeof simple === 'object' ? JSON.stringify(simple, plain) : String(simple ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
