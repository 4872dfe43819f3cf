import { Encoder } from '@msgpack/msgpack';
import type { NumpyDialect } from './decode.ts';
import { encodeNpy } from './npy.ts';
import { NumpyArray } from './numpy-array.ts';

/** Kept: making one costs more than encoding a small message. It is reentrant. */
let encoder = new Encoder();
/** It is replaced after it has grown for a large message. */
const KEPT_BYTES_MAX = 1024 * 1024;

function encode(value: unknown): Uint8Array {
  const bytes = encoder.encode(value);
  if (bytes.byteLength > KEPT_BYTES_MAX) encoder = new Encoder();
  return bytes;
}

/** One value; `undefined` in maps is left out where `numpy` is given, and nil otherwise. */
export function encodeMsgpack(value: unknown, options: { readonly numpy?: NumpyDialect } = {}): Uint8Array {
  if (options.numpy === undefined) return encode(value);
  const parts: Uint8Array[] = [];
  write(value, options.numpy, parts);
  return Buffer.concat(parts);
}

/**
 * Containers are written here because the vendor's encoder knows no binary keys; leaves are the vendor's. Bytes of
 * arrays are taken as they are, without a copy until the end.
 */
function write(value: unknown, dialect: NumpyDialect, parts: Uint8Array[]): void {
  if (value instanceof NumpyArray) writeArray(value, dialect, parts);
  else if (value instanceof Uint8Array) writeBytes(value, parts);
  else if (Array.isArray(value)) {
    parts.push(head(value.length, 0x90, 0xdc));
    for (const item of value) write(item, dialect, parts);
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined);
    parts.push(head(entries.length, 0x80, 0xde));
    for (const [key, item] of entries) {
      parts.push(encode(key));
      write(item, dialect, parts);
    }
  } else parts.push(encode(value));
}

function writeArray(array: NumpyArray, dialect: NumpyDialect, parts: Uint8Array[]): void {
  if (dialect === 'gr00t') {
    parts.push(head(2, 0x80, 0xde), encode('__ndarray_class__'), encode(true), encode('as_npy'));
    writeBytes(encodeNpy(array), parts);
    return;
  }
  parts.push(head(4, 0x80, 0xde), binaryKey('__ndarray__'), encode(true), binaryKey('data'));
  writeBytes(array.data, parts);
  parts.push(binaryKey('dtype'), encode(array.dtype), binaryKey('shape'), encode([...array.shape]));
}

function writeBytes(bytes: Uint8Array, parts: Uint8Array[]): void {
  const length = bytes.length;
  const header =
    length < 0x100
      ? Uint8Array.of(0xc4, length)
      : length < 0x10000
        ? Uint8Array.of(0xc5, length >> 8, length & 0xff)
        : Uint8Array.of(0xc6, length >>> 24, (length >> 16) & 0xff, (length >> 8) & 0xff, length & 0xff);
  parts.push(header, bytes);
}

function binaryKey(name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  return Uint8Array.of(0xc4, bytes.length, ...bytes);
}

/** Header of a container: `small` holds up to 15 items, `medium` is followed by 16 bits and `medium + 1` by 32. */
function head(count: number, small: number, medium: number): Uint8Array {
  if (count < 16) return Uint8Array.of(small | count);
  if (count < 0x10000) return Uint8Array.of(medium, count >> 8, count & 0xff);
  return Uint8Array.of(medium + 1, count >>> 24, (count >> 16) & 0xff, (count >> 8) & 0xff, count & 0xff);
}
