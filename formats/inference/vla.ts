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
import {
  asFlag,
  asMap,
  asMillis,
  asText,
  bad,
  encodePayload,
  isJson,
  onlyKnown,
  type Payload,
  parsePayload,
} from './payload.ts';
import { readPicture, readTensor, writePicture, writeTensor } from './tensors.ts';

/** The payloads of `ai/inference/vla`, both ways. Pure: bytes in, values out. docs/inference.md has the tables. */

/** Inputs of one policy; a real one has fewer than ten. */
const INPUTS_MAX = 64;
const TASK_CHARS_MAX = 4096;
const NAME_CHARS_MAX = 64;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const FIELDS = [
  ...['tensors', 'images', 'task', 'stamp', 'deadline_ms'],
  ...['policy', 'session', 'reset', 'prefix', 'call'],
];

/** One question, from any caller: a node of the key space, a ROS node, a program over HTTP. */
export type VlaRequest = {
  readonly observation: Observation;
  readonly deadlineMs: number | undefined;
  readonly policy: string | undefined;
  readonly session: string | undefined;
  readonly reset: boolean;
  readonly prefix: Tensor | undefined;
  /** Name under which it can be cancelled. */
  readonly call: string | undefined;
};

/** Throws `model.bad_observation`, naming the field. `now` stamps an observation that has no stamp. */
export function decodeVlaRequest(payload: Uint8Array, encoding: string, now: Nanoseconds): VlaRequest {
  return vlaRequest(parsePayload(payload, encoding, LIMITS.POLICY_PAYLOAD_BYTES_MAX), now);
}

/** The same for a parsed value. */
export function vlaRequest(value: unknown, now: Nanoseconds): VlaRequest {
  const root = asMap(value, '/');
  onlyKnown(root, FIELDS);
  let left = LIMITS.POLICY_VALUES_MAX;
  const read = (tensor: unknown, path: string) => {
    const made = readTensor(tensor, path, left);
    left -= made.data.length;
    return made;
  };
  const tensors = root['tensors'] === undefined ? {} : named(root['tensors'], '/tensors', read);
  const images = root['images'] === undefined ? {} : named(root['images'], '/images', readPicture);
  const hasImages = !isEmpty(images);
  if (isEmpty(tensors) && !hasImages) throw bad('/tensors', 'must have at least one input');
  const task = asText(root['task'], '/task', TASK_CHARS_MAX);
  const observation: Observation = {
    tensors,
    stamp: root['stamp'] === undefined ? now : stamp(root['stamp']),
    ...(hasImages ? { images } : undefined),
    ...(task === undefined ? undefined : { task }),
  };
  return {
    observation,
    deadlineMs: asMillis(root['deadline_ms'], '/deadline_ms', LIMITS.POLICY_DEADLINE_MS_MAX),
    policy: asText(root['policy'], '/policy', NAME_CHARS_MAX, NAME),
    session: asText(root['session'], '/session', NAME_CHARS_MAX, NAME),
    reset: asFlag(root['reset'], '/reset') ?? false,
    prefix: root['prefix'] === undefined ? undefined : read(root['prefix'], '/prefix'),
    call: asText(root['call'], '/call', NAME_CHARS_MAX, NAME),
  };
}

/** The question as it travels. */
export function encodeVlaRequest(request: VlaRequest, json: boolean): Payload {
  const { observation, deadlineMs, policy, session, reset, prefix, call } = request;
  const { tensors, images, task, stamp: measured } = observation;
  const each = <T>(map: Readonly<Record<string, T>>, write: (value: T, json: boolean) => object) =>
    Object.fromEntries(Object.entries(map).map(([name, value]) => [name, write(value, json)]));
  return encodePayload(
    {
      tensors: each(tensors, writeTensor),
      ...(images === undefined ? {} : { images: each(images, writePicture) }),
      ...(task === undefined ? {} : { task }),
      stamp: toWireTime(measured),
      ...(deadlineMs === undefined ? {} : { deadline_ms: deadlineMs }),
      ...(policy === undefined ? {} : { policy }),
      ...(session === undefined ? {} : { session }),
      ...(reset ? { reset } : {}),
      ...(prefix === undefined ? {} : { prefix: writeTensor(prefix, json) }),
      ...(call === undefined ? {} : { call }),
    },
    json,
  );
}

/** An action chunk on the wire. JSON numbers are the exact values of the floats. Throws `model.failed` for NaN. */
export function chunkBody(chunk: ActionChunk, json: boolean): object {
  const { data } = chunk.actions;
  for (let i = 0; i < data.length; i++) {
    if (Number.isFinite(data[i]!)) continue;
    throw new EdgeError('model.failed', {
      operation: 'infer',
      subject: chunk.policyHash,
      message: 'the policy returned an action that is not finite',
    });
  }
  return {
    actions: writeTensor(chunk.actions, json),
    step_ms: chunk.stepMs,
    stamp: toWireTime(chunk.stamp),
    policy_hash: chunk.policyHash,
  };
}

/** In the encoding of the question. */
export function encodeChunk(chunk: ActionChunk, queryEncoding: string): Payload {
  const json = isJson(queryEncoding);
  return encodePayload(chunkBody(chunk, json), json);
}

/** Reads an untrusted answer. Throws `model.failed`, naming the field. */
export function decodeChunk(payload: Uint8Array, encoding: string): ActionChunk {
  return asAnswer(() => {
    const root = asMap(parsePayload(payload, encoding, LIMITS.POLICY_PAYLOAD_BYTES_MAX), '/');
    const { step_ms: stepMs, policy_hash: policyHash } = root;
    const step = typeof stepMs === 'bigint' ? Number(stepMs) : stepMs;
    if (typeof step !== 'number' || !(step > 0)) throw bad('/step_ms', 'must be a number above 0');
    if (typeof policyHash !== 'string') throw bad('/policy_hash', 'must be text');
    const actions = readTensor(root['actions'], '/actions');
    if (actions.shape.length !== 2) throw bad('/actions/shape', 'must be [horizon, dimension]');
    return { actions, stepMs: step, stamp: stamp(root['stamp']), policyHash };
  });
}

/** The description of a policy on the wire. */
export function descriptionBody(description: PolicyDescription): object {
  const { name, hash, inputs, images, output, stepMs } = description;
  const { actionNames, takesPrefix, takesTask, remembers } = description;
  return {
    ...{ name, policy_hash: hash, inputs, output, step_ms: stepMs },
    ...(images === undefined ? {} : { images }),
    ...(actionNames === undefined ? {} : { action_names: actionNames }),
    ...(takesPrefix ? { takes_prefix: true } : {}),
    ...(takesTask ? { takes_task: true } : {}),
    ...(remembers ? { remembers: true } : {}),
  };
}

export function encodeDescription(description: PolicyDescription, queryEncoding: string): Payload {
  const json = queryEncoding === '' || queryEncoding === 'zenoh/bytes' || isJson(queryEncoding);
  return encodePayload(descriptionBody(description), json);
}

/** Throws `model.failed`, naming the field. */
export function decodeDescription(payload: Uint8Array, encoding: string): PolicyDescription {
  return asAnswer(() => {
    const root = asMap(parsePayload(payload, encoding, LIMITS.API_BODY_BYTES_MAX), '/');
    const { name, policy_hash: hash, action_names: actionNames, step_ms: stepMs } = root;
    if (typeof name !== 'string' || typeof hash !== 'string')
      throw bad('/', 'name and policy_hash must be text');
    const output = sizes(root['output'], '/output');
    const step = typeof stepMs === 'bigint' ? Number(stepMs) : stepMs;
    if (output.length !== 2) throw bad('/output', 'must be [horizon, dimension]');
    if (typeof step !== 'number' || !(step > 0)) throw bad('/step_ms', 'must be a number above 0');
    const names = Array.isArray(actionNames) && actionNames.every((one) => typeof one === 'string');
    const images = root['images'];
    return {
      ...{ name, hash, stepMs: step, output: [output[0]!, output[1]!] as const },
      inputs: named(root['inputs'], '/inputs', sizes),
      ...(images === undefined ? {} : { images: named(images, '/images', pictureSize) }),
      ...(names ? { actionNames: actionNames as string[] } : {}),
      ...(root['takes_prefix'] === true ? { takesPrefix: true } : {}),
      ...(root['takes_task'] === true ? { takesTask: true } : {}),
      ...(root['remembers'] === true ? { remembers: true } : {}),
    };
  });
}

/** The same faults, as faults of the answering side. */
function asAnswer<T>(read: () => T): T {
  try {
    return read();
  } catch (thrown) {
    const { subject, message } = EdgeError.from(thrown, 'model.failed', 'decode answer', '/');
    throw new EdgeError('model.failed', { operation: 'decode answer', subject, message });
  }
}

function named<T>(
  value: unknown,
  path: string,
  read: (value: unknown, path: string) => T,
): Record<string, T> {
  const map = asMap(value, path);
  const names = Object.keys(map);
  if (names.length > INPUTS_MAX)
    throw bad(path, `must hold at most ${INPUTS_MAX} inputs, found ${names.length}`);
  const made: Record<string, T> = {};
  for (const name of names) {
    // JSON may contain `__proto__`; assigned to an object it would not become a key.
    if (name === '__proto__') throw bad(`${path}/${name}`, 'is not a valid name of an input');
    made[name] = read(map[name], `${path}/${name}`);
  }
  return made;
}

function isEmpty(map: object): boolean {
  for (const _ in map) return false;
  return true;
}

function sizes(value: unknown, path: string): number[] {
  const list = Array.isArray(value) ? value.map(Number) : [];
  if (list.length > 0 && list.every((n) => Number.isSafeInteger(n) && n > 0)) return list;
  throw bad(path, 'must be a list of sizes');
}

function pictureSize(value: unknown, path: string): readonly [number, number, 3] {
  const [height = 0, width = 0, channels] = sizes(value, path);
  if (channels !== 3) throw bad(path, 'must be [height, width, 3]');
  return [height, width, 3];
}

function stamp(value: unknown): Nanoseconds {
  if (typeof value === 'bigint' && value >= 0n) return value;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'string' && /^(0|[1-9][0-9]{0,18})$/.test(value)) return BigInt(value);
  throw bad('/stamp', 'must be nanoseconds since the epoch, as decimal text or an integer');
}
