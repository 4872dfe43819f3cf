import { EdgeError, LIMITS } from '../../contract/core.ts';
import { CdrWriter, type NumberArray } from '../cdr/index.ts';
import { bytesMin, type Codec, codecOf, type Field, partOf } from './codec.ts';
import type { RosValue } from './decode-any.ts';

/**
 * The reverse of `decodeAny`: fields left out get the default of their definition, or zero; number arrays may
 * be typed or plain. Throws `sample.unknown_type`, or `sample.malformed` naming the field that does not fit; also for
 * what is longer than `most` bytes, before it takes that memory: a few words of a definition can name any length.
 */
export function encodeAny(
  type: string,
  value: RosValue,
  definition?: string,
  most: number = LIMITS.SAMPLE_BYTES_MAX,
): Uint8Array {
  const codec = codecOf(type, definition);
  const least = bytesMin(codec, codec.fields);
  if (least > most) throw misfit(codec, '/', `takes at least ${least} bytes, at most ${most} are allowed`);
  const writer = new CdrWriter(256, most);
  writeFields(codec, codec.fields, value, writer, '');
  return writer.finish();
}

type Scalar = { readonly zero: unknown; readonly write: (writer: CdrWriter, value: never) => void };

const SCALARS: Readonly<Record<string, Scalar>> = {
  bool: { zero: false, write: (w, v) => w.bool(v) },
  int8: { zero: 0, write: (w, v) => w.int8(v) },
  uint8: { zero: 0, write: (w, v) => w.uint8(v) },
  int16: { zero: 0, write: (w, v) => w.int16(v) },
  uint16: { zero: 0, write: (w, v) => w.uint16(v) },
  int32: { zero: 0, write: (w, v) => w.int32(v) },
  uint32: { zero: 0, write: (w, v) => w.uint32(v) },
  int64: { zero: 0n, write: (w, v) => w.int64(v) },
  uint64: { zero: 0n, write: (w, v) => w.uint64(v) },
  float32: { zero: 0, write: (w, v) => w.float32(v) },
  float64: { zero: 0, write: (w, v) => w.float64(v) },
  string: { zero: '', write: (w, v) => w.string(v) },
};

/** Inclusive bounds of the integers; what lies outside would come back as another number. */
const BOUNDS: Readonly<Record<string, readonly [number | bigint, number | bigint]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32_768, 32_767],
  uint16: [0, 65_535],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
};

const ARRAYS: Readonly<
  Record<string, { new (length: number): NumberArray; readonly BYTES_PER_ELEMENT: number }>
> = {
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  float32: Float32Array,
  float64: Float64Array,
};

function writeFields(
  codec: Codec,
  fields: readonly Field[],
  value: RosValue,
  w: CdrWriter,
  path: string,
): void {
  // IDL knows no empty structure: an empty message is one byte.
  if (fields.length === 0) w.uint8(0);
  const names = new Set(fields.map((field) => field.name));
  for (const name of Object.keys(value)) {
    if (!names.has(name)) throw misfit(codec, `${path}/${name}`, 'no such field');
  }
  for (const field of fields) writeField(codec, field, value[field.name], w, `${path}/${field.name}`);
}

function writeField(codec: Codec, field: Field, value: unknown, w: CdrWriter, path: string): void {
  if (field.isArray !== true) {
    writeOne(codec, field, value ?? field.defaultValue, w, path);
    return;
  }
  const given = value ?? field.defaultValue ?? [];
  const { arrayLength: fixed, arrayUpperBound: bound } = field;
  if (!isList(given)) throw misfit(codec, path, 'must be an array');
  if (fixed !== undefined && given.length !== fixed && (value ?? field.defaultValue) !== undefined) {
    throw misfit(codec, path, `must have ${fixed} elements, found ${given.length}`);
  }
  if (bound !== undefined && given.length > bound)
    throw misfit(codec, path, `must have at most ${bound} elements`);
  const count = fixed ?? given.length;
  if (fixed === undefined) w.uint32(count);
  const TypedArray = ARRAYS[field.type];
  if (TypedArray && given instanceof TypedArray) w.array(given);
  // Zeros at once: a definition may ask for millions of them.
  else if (TypedArray && given.length === 0) w.zeros(TypedArray.BYTES_PER_ELEMENT, count);
  else for (let i = 0; i < count; i++) writeOne(codec, field, given[i], w, `${path}/${i}`);
}

function writeOne(codec: Codec, field: Field, value: unknown, w: CdrWriter, path: string): void {
  if (field.isComplex === true) {
    if (value !== undefined && !isRecord(value)) throw misfit(codec, path, 'must be an object');
    writeFields(codec, partOf(codec, field.type), value ?? {}, w, path);
  } else if (field.type === 'time' || field.type === 'duration') {
    if (value !== undefined && !isRecord(value)) throw misfit(codec, path, 'must be {sec, nanosec}');
    writeScalar(codec, 'int32', value?.['sec'], w, `${path}/sec`);
    writeScalar(codec, 'uint32', value?.['nanosec'], w, `${path}/nanosec`);
  } else {
    writeScalar(codec, field.type, value, w, path, field.upperBound);
  }
}

function writeScalar(
  codec: Codec,
  type: string,
  given: unknown,
  w: CdrWriter,
  path: string,
  bound?: number,
): void {
  const scalar = SCALARS[type]!;
  const value = widened(given ?? scalar.zero, typeof scalar.zero);
  if (typeof value !== typeof scalar.zero)
    throw misfit(codec, path, `must be ${type}, found ${typeof value}`);
  const bounds = BOUNDS[type];
  if (bounds && !(isWhole(value) && value >= bounds[0] && value <= bounds[1])) {
    throw misfit(codec, path, `must be ${type}, found ${String(value)}`);
  }
  if (bound !== undefined && (value as string).length > bound)
    throw misfit(codec, path, `longer than ${bound}`);
  scalar.write(w, value as never);
}

/** A person writes 64-bit integers as numbers; one that a number cannot hold exactly stays what it is, and is refused. */
function widened(value: unknown, wanted: string): unknown {
  return wanted === 'bigint' && Number.isSafeInteger(value) ? BigInt(value as number) : value;
}
function isWhole(value: unknown): value is number | bigint {
  return typeof value === 'bigint' || Number.isInteger(value);
}
function isRecord(value: unknown): value is RosValue {
  return typeof value === 'object' && value !== null && !isList(value);
}
function isList(value: unknown): value is ArrayLike<unknown> {
  return Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
}
function misfit(codec: Codec, path: string, message: string): EdgeError {
  return new EdgeError('sample.malformed', {
    operation: 'encode-message',
    subject: codec.type,
    message: `${path}: ${message}`,
  });
}
