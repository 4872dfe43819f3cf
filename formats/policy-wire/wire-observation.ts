import {
  EdgeError,
  type Nanoseconds,
  type Observation,
  type PictureTensor,
  type PolicyDescription,
  type Tensor,
} from '../../contract/core.ts';
import { NumpyArray } from '../msgpack/index.ts';
import type { WireKeys } from './wire-keys.ts';

/** Between the named arrays of a wire and the tensors of a policy. Pure. */

const TASK_CHARS_MAX = 4_096;

/**
 * What a client sent, as the policy takes it. Numbers may be any type of numpy, or lists; leading axes (batch, time)
 * may stand before the policy's own: the newest of a history counts, batches are refused. What the policy does not
 * take is not looked at. Throws `model.bad_observation` naming the key.
 */
export function observationOf(
  given: Readonly<Record<string, unknown>>,
  policy: PolicyDescription,
  keys: WireKeys,
  stamp: Nanoseconds,
): Observation {
  const tensors: Record<string, Tensor> = {};
  for (const [name, shape] of Object.entries(policy.inputs)) {
    const parts = keys.inputs[name]!.map(({ key, size }) => numbersOf(find(given, key), key, size));
    tensors[name] = { shape, data: joined(parts) };
  }
  const images: Record<string, PictureTensor> = {};
  for (const [name, shape] of Object.entries(policy.images ?? {}))
    images[name] = pictureOf(find(given, keys.images[name]!), keys.images[name]!, shape);
  const task = taskOf(maybe(given, keys.task), keys.task);
  return {
    tensors,
    ...(Object.keys(images).length > 0 ? { images } : {}),
    ...(task === undefined || policy.takesTask !== true ? {} : { task }),
    stamp,
  };
}

/** The observation under the names of the wire; `lead`: axes of one before each array, as the other side wants them. */
export function namedArrays(
  observation: Observation,
  keys: WireKeys,
  lead: { readonly vector: readonly number[]; readonly picture: readonly number[] },
): Record<string, NumpyArray> {
  const named: Record<string, NumpyArray> = {};
  for (const [name, parts] of Object.entries(keys.inputs)) {
    const data = observation.tensors[name]!.data;
    let from = 0;
    for (const { key, size } of parts) {
      named[key] = NumpyArray.float32([...lead.vector, size], data.subarray(from, from + size));
      from += size;
    }
  }
  for (const [name, key] of Object.entries(keys.images)) {
    const { shape, data } = observation.images![name]!;
    named[key] = NumpyArray.uint8([...lead.picture, ...shape], data);
  }
  return named;
}

/** The actions of a chunk under the names of the wire. Throws `model.failed` for a NaN, which no client may get. */
export function namedActions(
  actions: Tensor,
  keys: WireKeys,
  lead: readonly number[],
): Record<string, NumpyArray> {
  const [horizon = 0, dimension = 0] = actions.shape;
  const odd = actions.data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0) throw failed('actions', `the policy returned ${actions.data[odd]}: actions must be finite`);
  const named: Record<string, NumpyArray> = {};
  let from = 0;
  for (const { key, size } of keys.actions) {
    const part = new Float32Array(horizon * size);
    for (let step = 0; step < horizon; step++) {
      const at = step * dimension + from;
      part.set(actions.data.subarray(at, at + size), step * size);
    }
    named[key] = NumpyArray.float32([...lead, horizon, size], part);
    from += size;
  }
  return named;
}

/**
 * What a server answered, as [horizon, dimension]. Throws `model.failed`: a part that is missing, of another length,
 * or not finite.
 */
export function actionsFrom(
  given: Readonly<Record<string, unknown>>,
  policy: PolicyDescription,
  keys: WireKeys,
): Tensor {
  const [horizon, dimension] = policy.output;
  const data = new Float32Array(horizon * dimension);
  let from = 0;
  for (const { key, size } of keys.actions) {
    const array = maybe(given, key);
    if (!(array instanceof NumpyArray) || array.isText)
      throw failed(policy.name, `the answer has no ${key}; it has ${names(given)}`);
    const part = array.floats();
    if (part.length !== horizon * size)
      throw failed(
        policy.name,
        `${key}: the server answered the shape [${array.shape.join(', ')}], but the policy outputs [${horizon}, ${size}]`,
      );
    for (let step = 0; step < horizon; step++)
      data.set(part.subarray(step * size, (step + 1) * size), step * dimension + from);
    from += size;
  }
  const odd = data.findIndex((value) => !Number.isFinite(value));
  if (odd >= 0)
    throw failed(policy.name, `the server answered ${data[odd]} in action ${Math.floor(odd / dimension)}`);
  return { shape: policy.output, data };
}

function numbersOf(value: unknown, key: string, size: number): Float32Array {
  const data = floatsOf(value, key);
  const shape = value instanceof NumpyArray ? value.shape : [data.length];
  const odd = data.findIndex((number) => !Number.isFinite(number));
  if (odd >= 0) throw bad(`${key}: ${data[odd]} in place ${odd}; observations must be finite`);
  return newest(data, shape, size, key);
}

function floatsOf(value: unknown, key: string): Float32Array {
  if (value instanceof NumpyArray && !value.isText) return value.floats();
  if (typeof value === 'number') return Float32Array.of(value);
  const flat = Array.isArray(value) ? (value.flat(8) as unknown[]) : undefined;
  if (flat?.every((item) => typeof item === 'number')) return Float32Array.from(flat as number[]);
  throw bad(`${key}: expected an array of numbers`);
}

/** The policy's own axes at the end of the array, of the newest step. */
function newest<T extends Float32Array | Uint8Array>(
  data: T,
  shape: readonly number[],
  size: number,
  key: string,
): T {
  if (data.length === size) return data;
  const steps = data.length / size;
  // [batch, time, …] with a batch of one, or [time, …]: a history. Anything else is another size or a batch.
  const history =
    Number.isInteger(steps) &&
    steps > 1 &&
    (shape[0] === steps || (shape[0] === 1 && shape[1] === steps)) &&
    shape.length > 1;
  if (history) return data.subarray(data.length - size) as T;
  throw bad(`${key}: ${size} numbers expected, found [${shape.join(', ')}]`);
}

function pictureOf(value: unknown, key: string, wanted: readonly [number, number, 3]): PictureTensor {
  const [height, width] = wanted;
  const bytes = value instanceof NumpyArray ? value.bytes() : undefined;
  if (!(value instanceof NumpyArray) || !bytes) throw bad(`${key}: an image of uint8 expected`);
  const data = newest(bytes, value.shape, height * width * 3, key);
  const axes = value.shape.slice(-3).join();
  if (axes === `${height},${width},3`) return { shape: wanted, data };
  if (axes === `3,${height},${width}`) return { shape: wanted, data: interleaved(data, height * width) };
  throw bad(`${key}: an image [${height}, ${width}, 3] expected, found [${value.shape.join(', ')}]`);
}

/** From planes to pixels: PyTorch's order to everybody else's. */
function interleaved(planes: Uint8Array, pixels: number): Uint8Array {
  const data = new Uint8Array(pixels * 3);
  for (let colour = 0; colour < 3; colour++)
    for (let i = 0; i < pixels; i++) data[i * 3 + colour] = planes[colour * pixels + i]!;
  return data;
}

/** Text, or the first of a list of texts (batch, time). */
function taskOf(value: unknown, key: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  const flat = value instanceof NumpyArray && value.isText ? value.texts() : [value].flat(8);
  const first = flat[0];
  if (typeof first === 'string' && first.length <= TASK_CHARS_MAX) return first;
  throw bad(`${key}: expected text of at most ${TASK_CHARS_MAX} characters`);
}

function find(given: Readonly<Record<string, unknown>>, key: string): unknown {
  const value = maybe(given, key);
  if (value !== undefined) return value;
  throw bad(`${key} is missing; the observation has ${names(given)}`);
}

/** `observation/state` and `observation.state` are the same name: openpi's examples write slashes, LeRobot dots. */
function maybe(given: Readonly<Record<string, unknown>>, key: string): unknown {
  for (const name of [key, key.replaceAll('.', '/'), key.replaceAll('/', '.')])
    if (Object.hasOwn(given, name)) return given[name];
  return undefined;
}

function joined(parts: readonly Float32Array[]): Float32Array {
  if (parts.length === 1) return parts[0]!;
  const data = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let from = 0;
  for (const part of parts) {
    data.set(part, from);
    from += part.length;
  }
  return data;
}

function names(given: Readonly<Record<string, unknown>>): string {
  return Object.keys(given).slice(0, 32).join(', ').slice(0, 512) || 'nothing';
}

function bad(message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'infer', subject: 'observation', message });
}

function failed(subject: string, message: string): EdgeError {
  return new EdgeError('model.failed', { operation: 'infer', subject, message });
}
