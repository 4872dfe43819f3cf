import { EdgeError, LIMITS, parseJson } from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack } from '../msgpack/index.ts';

export const MSGPACK = 'application/msgpack';
export const JSON_ENCODING = 'application/json';

export type Payload = { readonly payload: Uint8Array; readonly encoding: string };

/** `application/json;utf-8` and `application/json` are the same kind. */
export function isJson(encoding: string): boolean {
  return encoding === JSON_ENCODING || encoding.startsWith(`${JSON_ENCODING};`) || encoding === 'text/json';
}

export function encodePayload(value: object, json: boolean): Payload {
  return json
    ? { payload: new TextEncoder().encode(JSON.stringify(value)), encoding: JSON_ENCODING }
    : { payload: encodeMsgpack(value), encoding: MSGPACK };
}

/** An untrusted payload as JSON or MessagePack. Throws `model.bad_observation`. */
export function parsePayload(payload: Uint8Array, encoding: string, bytesMax: number): unknown {
  const max = isJson(encoding) ? Math.min(bytesMax, LIMITS.INFERENCE_JSON_BYTES_MAX) : bytesMax;
  if (payload.byteLength > max) throw bad('/', `${payload.byteLength} bytes, the limit is ${max}`);
  try {
    if (isJson(encoding)) return parseJson(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return decodeMsgpack(payload, { bigint: true });
  } catch (error) {
    const format = isJson(encoding) ? 'JSON' : 'MessagePack';
    throw bad('/', `is not ${format}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function asMap(value: unknown, path: string): Record<string, unknown> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isMap && !(value instanceof Uint8Array)) return value as Record<string, unknown>;
  throw bad(path, 'must be a map');
}

/** Throws for an unknown key: a typing error must not change the meaning of a question. */
export function onlyKnown(map: Record<string, unknown>, known: readonly string[], path = ''): void {
  for (const name in map)
    if (!known.includes(name))
      throw bad(`${path}/${name}`, `unknown field; known fields: ${known.join(', ')}`);
}

export function asText(value: unknown, path: string, charsMax: number, match?: RegExp): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length <= charsMax && (match?.test(value) ?? true)) return value;
  throw bad(
    path,
    match
      ? `must be a name of at most ${charsMax} characters`
      : `must be text of at most ${charsMax} characters`,
  );
}

export function asFlag(value: unknown, path: string): boolean | undefined {
  if (value === undefined || typeof value === 'boolean') return value;
  throw bad(path, 'must be true or false');
}

/** A number above 0; integers of MessagePack may be bigint. */
export function asMillis(value: unknown, path: string, max: number): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === 'bigint' ? Number(value) : value;
  if (typeof ms === 'number' && ms > 0 && ms <= max) return ms;
  throw bad(path, `must be a number above 0 and at most ${max}`);
}

export function bad(path: string, message: string): EdgeError {
  return new EdgeError('model.bad_observation', {
    operation: 'decode observation',
    subject: path.slice(0, 256),
    message: `${path.slice(0, 256)}: ${message}`,
    hint: 'docs/inference.md describes the format',
  });
}
