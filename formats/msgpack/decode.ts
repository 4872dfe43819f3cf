import { Decoder, ExtensionCodec } from '@msgpack/msgpack';
import { malformed } from './malformed.ts';
import { decodeNpy } from './npy.ts';
import { NumpyArray } from './numpy-array.ts';
import { MSGPACK_LIMITS, type MsgpackLimits, scan } from './scan.ts';

/**
 * How arrays of numpy travel. `openpi`: maps with binary keys `__ndarray__`, `data`, `dtype`, `shape` (and
 * `__npgeneric__` for scalars); `gr00t`: maps `{"__ndarray_class__": true, "as_npy": <npy file>}`.
 */
export type NumpyDialect = 'openpi' | 'gr00t';

export type DecodeOptions = {
  /** Maps of this form become `NumpyArray`; absent: maps stay maps. */
  readonly numpy?: NumpyDialect;
  /** 64-bit integers become bigint; otherwise numbers, rounded above 2^53. */
  readonly bigint?: boolean;
  readonly limits?: Partial<MsgpackLimits>;
};

/**
 * One value. Byte strings are views into `bytes`. Throws `sample.malformed`: cut short, trailing bytes, extension
 * types, more values or depth than the limits, keys that are neither text nor number nor bytes, inconsistent arrays.
 */
export function decodeMsgpack(bytes: Uint8Array, options: DecodeOptions = {}): unknown {
  const { numpy, bigint = false } = options;
  scan(bytes, { ...MSGPACK_LIMITS, ...options.limits });
  // `slice` of a Buffer would be a view, so the result is a plain array.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let value: unknown;
  try {
    value = (bigint ? EXACT : ROUNDED).decode(plain);
  } catch (cause) {
    throw malformed(cause instanceof Error ? cause.message : String(cause), cause);
  }
  return numpy === undefined ? value : withArrays(value, numpy);
}

/** No extension is known, timestamps included; the scan has refused them before. */
const NO_EXTENSIONS = new ExtensionCodec();

/** Kept: making one costs more than decoding a small message. They are reentrant and survive errors. */
const EXACT = new Decoder({ useBigInt64: true, extensionCodec: NO_EXTENSIONS, mapKeyConverter: keyOf });
const ROUNDED = new Decoder({ useBigInt64: false, extensionCodec: NO_EXTENSIONS, mapKeyConverter: keyOf });

/** Python dictionaries may have bytes for keys; objects here have text. */
function keyOf(key: unknown): string | number {
  const text = key instanceof Uint8Array ? new TextDecoder().decode(key) : key;
  if (text === '__proto__') throw malformed('a key that no map may have: __proto__');
  if (typeof text === 'string' || typeof text === 'number') return text;
  throw malformed('a key that is neither text nor bytes');
}

/** Replaces the maps of one dialect; the depth is bounded by the scan. */
function withArrays(value: unknown, dialect: NumpyDialect): unknown {
  if (Array.isArray(value)) return value.map((item) => withArrays(item, dialect));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  const map = value as Record<string, unknown>;
  if (dialect === 'openpi') {
    if (Object.hasOwn(map, '__ndarray__')) return NumpyArray.of(map['dtype'], map['shape'], map['data']);
    if (Object.hasOwn(map, '__npgeneric__')) return NumpyArray.scalar(map['dtype'], map['data']);
  } else if (Object.hasOwn(map, '__ndarray_class__')) {
    const file = map['as_npy'];
    if (!(file instanceof Uint8Array)) throw malformed('an array without as_npy');
    return decodeNpy(file);
  }
  for (const key of Object.keys(map)) map[key] = withArrays(map[key], dialect);
  return map;
}
