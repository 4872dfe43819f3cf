import type { Sample } from '../../../contract/core.ts';
import { BOOL, CdrReader } from '../../../formats/cdr/index.ts';

/**
 * Topics of one value, which applications get with the robot's state. More topics than this would no longer be small.
 */
export const SIGNALS_MAX = 64;

const READERS: Readonly<Record<string, (reader: CdrReader) => boolean | number>> = {
  [BOOL]: (reader) => reader.bool(),
  'std_msgs/msg/Float32': (reader) => reader.float32(),
  'std_msgs/msg/Float64': (reader) => reader.float64(),
  'std_msgs/msg/Int32': (reader) => reader.int32(),
  'std_msgs/msg/UInt32': (reader) => reader.uint32(),
  'std_msgs/msg/UInt8': (reader) => reader.uint8(),
};

export function isSignalType(type: string): boolean {
  return READERS[type] !== undefined;
}

/** The latest value of every small topic. */
export class Signals {
  readonly #values = new Map<string, boolean | number>();

  /** Returns false for a type that is no signal; throws `sample.malformed`. */
  add(sample: Sample): boolean {
    const read = READERS[sample.type];
    if (!read) return false;
    if (!this.#values.has(sample.topic) && this.#values.size >= SIGNALS_MAX) return false;
    this.#values.set(sample.topic, read(new CdrReader(sample.bytes, sample.type)));
    return true;
  }

  snapshot(): Record<string, boolean | number> {
    return Object.fromEntries(this.#values);
  }
}
