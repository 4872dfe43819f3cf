import {
  type ActionChunk,
  EdgeError,
  LIMITS,
  type Nanoseconds,
  type Observation,
  type PolicyDescription,
  type Tensor,
  toWireTime,
} from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack } from '../../formats/msgpack/index.ts';
import { isJson, JSON_ENCODING, MSGPACK } from './error-reply.ts';

/** The payloads of `ai/inference/vla`, both ways. Pure: bytes in, values out. The README has the tables. */

/** Inputs of one policy; a real one has fewer than ten. */
const TENSORS_MAX = 64;
const RANK_MAX = 8;
const TASK_CHARS_MAX = 4096;
const DEADLINE_MS_MAX = 30_000;
const FIELDS = ['tensors', 'task', 'stamp', 'deadline_ms'];

export type VlaRequest = { readonly observation: Observation; readonly deadlineMs: number | undefined };
export type Payload = { readonly payload: Uint8Array; readonly encoding: string };

/** Throws `model.bad_observation`, naming the field. `now` stamps an observation that has no stamp. */
export function decodeVlaRequest(payload: Uint8Array, encoding: string, now: Nanoseconds): VlaRequest {
  if (payload.byteLength > LIMITS.POLICY_PAYLOAD_BYTES_MAX) {
    throw bad('/', `${payload.byteLength} bytes, the limit is ${LIMITS.POLICY_PAYLOAD_BYTES_MAX}`);
  }
  const root = map(parse(payload, encoding), '/');
  const stranger = Object.keys(root).find((name) => !FIELDS.includes(name));
  if (stranger !== undefined) throw bad(`/${stranger}`, `unknown field; known are ${FIELDS.join(', ')}`);
  const task = root['task'];
  if (task !== undefined && (typeof task !== 'string' || task.length > TASK_CHARS_MAX)) {
    throw bad('/task', `must be text of at most ${TASK_CHARS_MAX} characters`);
  }
  const tensors = Object.entries(map(root['tensors'], '/tensors'));
  if (tensors.length === 0 || tensors.length > TENSORS_MAX) {
    throw bad('/tensors', `must hold 1 to ${TENSORS_MAX} tensors, found ${tensors.length}`);
  }
  const observation: Observation = {
    tensors: Object.fromEntries(tensors.map(([name, value]) => [name, tensor(value, `/tensors/${name}`)])),
    stamp: root['stamp'] === undefined ? now : stamp(root['stamp']),
    ...(task === undefined ? {} : { task }),
  };
  return { observation, deadlineMs: deadline(root['deadline_ms']) };
}

/** An action chunk in the encoding of the question. JSON numbers are the exact values of the floats. */
export function encodeChunk(chunk: ActionChunk, queryEncoding: string): Payload {
  const { shape, data } = chunk.actions;
  if (data.some((value) => !Number.isFinite(value))) {
    throw new EdgeError('model.failed', {
      operation: 'infer',
      subject: chunk.policyHash,
      message: 'the policy returned an action that is not finite',
    });
  }
  const rest = { step_ms: chunk.stepMs, stamp: toWireTime(chunk.stamp), policy_hash: chunk.policyHash };
  const json = isJson(queryEncoding);
  const actions = { shape, dtype: 'float32', data: json ? Array.from(data) : littleEndian(data) };
  return encodePayload({ actions, ...rest }, json);
}

export function encodeDescription(description: PolicyDescription, queryEncoding: string): Payload {
  const { name, hash, inputs, output, stepMs } = description;
  return encodePayload(
    { name, policy_hash: hash, inputs, output, step_ms: stepMs },
    queryEncoding === '' || isJson(queryEncoding),
  );
}

function encodePayload(value: object, json: boolean): Payload {
  return json
    ? { payload: new TextEncoder().encode(JSON.stringify(value)), encoding: JSON_ENCODING }
    : { payload: encodeMsgpack(value), encoding: MSGPACK };
}

function parse(payload: Uint8Array, encoding: string): unknown {
  try {
    if (isJson(encoding)) return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
    return decodeMsgpack(payload, { bigint: true });
  } catch (error) {
    const format = isJson(encoding) ? 'JSON' : 'MessagePack';
    throw bad('/', `is not ${format}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function tensor(value: unknown, path: string): Tensor {
  const fields = map(value, path);
  const shape = fields['shape'];
  if (!Array.isArray(shape) || shape.length > RANK_MAX) {
    throw bad(`${path}/shape`, `must be a list of at most ${RANK_MAX} sizes`);
  }
  const sizes = shape.map((size, i) => {
    const number = typeof size === 'bigint' ? Number(size) : size;
    if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 1) {
      throw bad(`${path}/shape/${i}`, 'must be an integer above 0');
    }
    return number;
  });
  const count = sizes.reduce((product, size) => product * size, 1);
  const data = floats(fields['data'], fields['dtype'], path);
  if (data.length !== count) {
    throw bad(`${path}/data`, `holds ${data.length} values, the shape [${sizes.join(', ')}] needs ${count}`);
  }
  const odd = data.findIndex((number) => !Number.isFinite(number));
  if (odd >= 0) throw bad(`${path}/data/${odd}`, `is ${data[odd]}: observations must be finite`);
  return { shape: sizes, data };
}

/** Bytes per value of the types that can be sent; all become float32, the type of the port. */
const DTYPES: Readonly<Record<string, (view: DataView, count: number) => Float32Array>> = {
  float32: (view, count) => Float32Array.from({ length: count }, (_, i) => view.getFloat32(i * 4, true)),
  float64: (view, count) => Float32Array.from({ length: count }, (_, i) => view.getFloat64(i * 8, true)),
  int32: (view, count) => Float32Array.from({ length: count }, (_, i) => view.getInt32(i * 4, true)),
  uint8: (view, count) => Float32Array.from({ length: count }, (_, i) => view.getUint8(i)),
};
const WIDTH: Readonly<Record<string, number>> = { float32: 4, float64: 8, int32: 4, uint8: 1 };

function floats(data: unknown, dtype: unknown, path: string): Float32Array {
  const width = typeof dtype === 'string' ? WIDTH[dtype] : undefined;
  if (width === undefined) throw bad(`${path}/dtype`, `must be one of ${Object.keys(WIDTH).join(', ')}`);
  if (data instanceof Uint8Array) {
    if (data.byteLength % width !== 0) throw bad(`${path}/data`, `is not a multiple of ${width} bytes`);
    // The common case is one copy; a payload's offset is seldom a multiple of 4, so a view is impossible.
    if (dtype === 'float32' && LITTLE) return new Float32Array(data.slice().buffer);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    return DTYPES[dtype as string]!(view, data.byteLength / width);
  }
  if (Array.isArray(data) && data.every((item) => typeof item === 'number')) return Float32Array.from(data);
  throw bad(`${path}/data`, 'must be little-endian bytes, or a flat list of numbers');
}

const LITTLE = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

function littleEndian(data: Float32Array): Uint8Array {
  if (LITTLE) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const bytes = new Uint8Array(data.length * 4);
  const view = new DataView(bytes.buffer);
  for (const [i, value] of data.entries()) view.setFloat32(i * 4, value, true);
  return bytes;
}

function stamp(value: unknown): Nanoseconds {
  if (typeof value === 'bigint' && value >= 0n) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && /^(0|[1-9][0-9]{0,18})$/.test(value)) return BigInt(value);
  throw bad('/stamp', 'must be nanoseconds since the epoch, as decimal text or an integer');
}

function deadline(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  const ms = typeof value === 'bigint' ? Number(value) : value;
  if (typeof ms === 'number' && ms > 0 && ms <= DEADLINE_MS_MAX) return ms;
  throw bad('/deadline_ms', `must be a number above 0 and at most ${DEADLINE_MS_MAX}`);
}

function map(value: unknown, path: string): Record<string, unknown> {
  const isMap = typeof value === 'object' && value !== null && !Array.isArray(value);
  if (isMap && !(value instanceof Uint8Array)) return value as Record<string, unknown>;
  throw bad(path, 'must be a map');
}

function bad(path: string, message: string): EdgeError {
  return new EdgeError('model.bad_observation', {
    operation: 'decode observation',
    subject: path.slice(0, 256),
    message: `${path.slice(0, 256)}: ${message}`,
    hint: 'adapters/zenoh/README.md has the format',
  });
}
