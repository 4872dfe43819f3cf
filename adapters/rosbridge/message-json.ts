import { encode } from 'cbor2';
import type { Sample } from '../../contract/core.ts';
import { decodeAny } from '../../formats/ros2/index.ts';

/**
 * A message as rosbridge has it in JSON: bytes are base64, 64-bit integers numbers, and numbers that JSON lacks are null. Kept
 * by sample, since several clients follow the same topic. Throws `sample.malformed`, `sample.unknown_type`.
 */
export class MessageTexts {
  readonly #texts = new WeakMap<Sample, string>();

  of(sample: Sample, schema: string): string {
    const known = this.#texts.get(sample);
    if (known !== undefined) return known;
    const text = JSON.stringify(decodeAny(sample.type, sample.bytes, schema), jsonValue);
    this.#texts.set(sample, text);
    return text;
  }
}

/** The same in CBOR, with arrays of numbers as typed arrays (RFC 8746). */
export function cborMessage(topic: string, sample: Sample, schema: string): Uint8Array {
  return encode({ op: 'publish', topic, msg: decodeAny(sample.type, sample.bytes, schema) });
}

/** The bytes as they travelled, with the time of reception. */
export function rawMessage(topic: string, { received, bytes }: Sample): Uint8Array {
  const [secs, nsecs] = [Number(received / 1_000_000_000n), Number(received % 1_000_000_000n)];
  return encode({ op: 'publish', topic, msg: { secs, nsecs, bytes } });
}

function jsonValue(this: unknown, _key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64');
  return ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<unknown>, plain) : value;
}

function plain(value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
