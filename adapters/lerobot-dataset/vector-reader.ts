import { EdgeError, type Sample } from '../../contract/core.ts';
import { decodeJointState } from '../../formats/cdr/index.ts';
import { decodeAny, type RosValue } from '../../formats/ros2/index.ts';
import { isNamed, placesOf } from './info.ts';

/** Where a feature comes from. */
export type FeatureSource = {
  readonly topic: string;
  /** An older sample is stale, milliseconds. */
  readonly maxAgeMs: number;
  /** Of vectors: what its numbers are called. Absent: as the first message says; what says nothing has no names. */
  readonly names?: readonly string[];
  /** Of messages without a meaning of their own: paths of their numbers, for example `linear.x`. */
  readonly fields?: readonly string[];
  readonly isAction?: boolean;
};

type Named = { readonly names: readonly string[] | undefined; readonly values: ArrayLike<number> };

/**
 * Makes vectors of the messages of one topic: positions of a JointState by the names of its joints, the numbers of a
 * Float64MultiArray, the applied numbers of a controller's action record, or the fields that were named.
 */
export class VectorReader {
  readonly topic: string;
  readonly times: bigint[] = [];
  readonly rows: Float32Array[] = [];
  readonly #source: FeatureSource;
  readonly #subject: string;
  readonly #known = new Map<string, number>();
  #names: readonly string[] | undefined;

  constructor(source: FeatureSource, subject: string) {
    this.topic = source.topic;
    this.#source = source;
    this.#subject = subject;
    this.#names = source.names ?? source.fields;
  }

  /** As the messages or the operator name the numbers; where neither does, their places. */
  get names(): readonly string[] {
    return this.#names ?? placesOf(this.rows[0]?.length ?? 0);
  }

  /** Of the joints that were asked for, those that no message named. */
  unknownNames(): readonly string[] {
    return this.#known.size === 0 ? [] : (this.#names ?? []).filter((name) => !this.#known.has(name));
  }

  /**
   * False for one that is not later than the one before, or does not name all joints yet. Throws `sample.malformed`,
   * also where a requested value is not a number: the frame would get the one before it.
   */
  take(sample: Sample, time: bigint): boolean {
    const { names, values } = this.#read(sample);
    if (names) return this.#takeNamed(names, values, time);
    const first = this.rows[0];
    const size = first?.length ?? this.#source.names?.length ?? values.length;
    if (values.length !== size || size === 0)
      throw this.#malformed(`${values.length} numbers, where ${size || 'some'} were expected`);
    return this.#push(Float32Array.from(values), time);
  }

  /** Messages may name joints in any order, and some of them at a time: of the others the last value stands. */
  #takeNamed(names: readonly string[], values: ArrayLike<number>, time: bigint): boolean {
    this.#names ??= [...names];
    for (const [i, name] of names.entries()) this.#known.set(name, values[i]!);
    const row = this.#names.map((name) => this.#known.get(name));
    if (!this.#names.some((name) => names.includes(name))) return true; // of other joints that are not requested
    if (row.some((value) => value === undefined)) return false;
    return this.#push(Float32Array.from(row as number[]), time);
  }

  #push(row: Float32Array, time: bigint): boolean {
    const last = this.times.at(-1);
    if (last !== undefined && time <= last) return false;
    const odd = row.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0) {
      const name = isNamed(this.names) ? this.names[odd] : `number ${odd}`;
      throw this.#malformed(`${name} is ${row[odd]}`);
    }
    this.times.push(time);
    this.rows.push(row);
    return true;
  }

  #read(sample: Sample): Named {
    const { type, bytes, topic } = sample;
    const { fields } = this.#source;
    if (fields) {
      const message = decodeAny(type, bytes);
      return { names: undefined, values: fields.map((field) => this.#field(message, field)) };
    }
    if (type === 'sensor_msgs/msg/JointState') {
      const { name, position } = decodeJointState(bytes);
      if (position.length !== name.length) throw this.#malformed('a JointState without positions');
      return { names: name, values: position };
    }
    if (type === 'std_msgs/msg/Float64MultiArray' || type === 'std_msgs/msg/Float32MultiArray')
      return { names: undefined, values: decodeAny(type, bytes)['data'] as Float64Array };
    if (type === 'std_msgs/msg/String') return this.#applied(String(decodeAny(type, bytes)['data']));
    throw new EdgeError('sample.unknown_type', {
      operation: 'export',
      subject: topic,
      message: `${topic} is ${type}: which of its numbers are the feature?`,
      hint: `name them: ${topic}:linear.x,angular.z`,
    });
  }

  /** The record of a control step, as the controllers write it (contract `AppliedAction`). */
  #applied(text: string): Named {
    let record: { names?: readonly string[]; applied?: readonly number[] };
    try {
      record = JSON.parse(text) as typeof record;
    } catch {
      throw this.#malformed('a text that is no record of an applied action');
    }
    if (!Array.isArray(record.applied) || !Array.isArray(record.names))
      throw this.#malformed('a record without names and applied');
    return { names: record.names, values: record.applied };
  }

  #field(message: RosValue, path: string): number {
    let value: unknown = message;
    for (const part of path.split('.')) {
      const [, name = part, index] = /^(\w+)\[(\d+)\]$/.exec(part) ?? [];
      value = (value as Record<string, unknown> | undefined)?.[name];
      if (index !== undefined) value = (value as ArrayLike<unknown> | undefined)?.[Number(index)];
    }
    if (typeof value === 'number') return value;
    throw this.#malformed(`the field ${path} is no number`);
  }

  #malformed(message: string): EdgeError {
    return new EdgeError('sample.malformed', {
      operation: 'export',
      subject: this.#subject,
      message: `${this.#subject}: ${this.topic}: ${message}`,
    });
  }
}
