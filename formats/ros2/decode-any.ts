import { CdrReader } from '../cdr/index.ts';
import { type Codec, codecOf, elementBytesMin, type Field, partOf } from './codec.ts';

/** A message or part of one: times are `{sec, nanosec}`, 64-bit integers `bigint`, numbers in typed arrays. */
export type RosValue = { [field: string]: unknown };

/**
 * Decodes any message by its definition: the given text (`ros2msg` with dependencies), or the one this host
 * knows for `type`. Throws `sample.unknown_type` where no definition is known, `sample.malformed` where the bytes do
 * not fit. Memory is taken in proportion to the bytes given, whatever their length prefixes say.
 */
export function decodeAny(type: string, bytes: Uint8Array, definition?: string): RosValue {
  const codec = codecOf(type, definition);
  return readFields(codec, codec.fields, new CdrReader(bytes, type));
}

const SCALARS: Readonly<Record<string, (reader: CdrReader) => unknown>> = {
  bool: (r) => r.bool(),
  int8: (r) => r.int8(),
  uint8: (r) => r.uint8(),
  int16: (r) => r.int16(),
  uint16: (r) => r.uint16(),
  int32: (r) => r.int32(),
  uint32: (r) => r.uint32(),
  int64: (r) => r.int64(),
  uint64: (r) => r.uint64(),
  float32: (r) => r.float32(),
  float64: (r) => r.float64(),
  string: (r) => r.string(),
  time: (r) => ({ sec: r.int32(), nanosec: r.uint32() }),
  duration: (r) => ({ sec: r.int32(), nanosec: r.uint32() }),
};

const ARRAYS: Readonly<Record<string, (reader: CdrReader, count: number | undefined) => unknown>> = {
  int8: (r, n) => r.int8Array(n),
  uint8: (r, n) => r.uint8Array(n),
  int16: (r, n) => r.int16Array(n),
  uint16: (r, n) => r.uint16Array(n),
  int32: (r, n) => r.int32Array(n),
  uint32: (r, n) => r.uint32Array(n),
  int64: (r, n) => r.int64Array(n),
  uint64: (r, n) => r.uint64Array(n),
  float32: (r, n) => r.float32Array(n),
  float64: (r, n) => r.float64Array(n),
};

function readFields(codec: Codec, fields: readonly Field[], reader: CdrReader): RosValue {
  // IDL knows no empty structure: an empty message is one byte.
  if (fields.length === 0) reader.uint8();
  const value: RosValue = {};
  for (const field of fields) value[field.name] = readField(codec, field, reader);
  return value;
}

function readField(codec: Codec, field: Field, reader: CdrReader): unknown {
  if (field.isArray !== true) return readOne(codec, field, reader);
  const typed = ARRAYS[field.type];
  if (typed) return typed(reader, field.arrayLength);
  const count = field.arrayLength ?? reader.sequenceLength(elementBytesMin(codec, field));
  const values: unknown[] = [];
  for (let i = 0; i < count; i++) values.push(readOne(codec, field, reader));
  return values;
}

function readOne(codec: Codec, field: Field, reader: CdrReader): unknown {
  if (field.isComplex === true) return readFields(codec, partOf(codec, field.type), reader);
  return SCALARS[field.type]!(reader);
}
