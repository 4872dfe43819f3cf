import { EdgeError } from '../../contract/core.ts';
import {
  isPy,
  type NdArray,
  type PickleLimits,
  PickleWriter,
  type PyDict,
  type PyObject,
  type PyValue,
  readFloats,
  readPickle,
  SETUP_LIMITS,
  type TorchTensor,
} from './pickle/index.ts';

/** The three messages that LeRobot pickles, as plain values. Pure: bytes in, values out. */

/** A feature as `hw_to_dataset_features` of LeRobot writes it. */
export type Feature = {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly names: readonly string[];
};

/** What a client asks a server to serve. */
export type PolicySetup = {
  readonly policyType: string;
  readonly pretrained: string;
  readonly features: ReadonlyMap<string, Feature>;
  readonly actionsPerChunk: number;
  readonly device: string;
  readonly renames: ReadonlyMap<string, string>;
  /** Where the client's LeRobot keeps its messages: it is answered in these words. */
  readonly module: string;
};

/** `timestamp`: seconds since the epoch, as a double. Values by name: numbers, text, arrays, tensors. */
export type TimedObservation = {
  readonly timestamp: number;
  readonly timestep: number;
  readonly mustGo: boolean;
  readonly values: ReadonlyMap<string, PyValue>;
};

export type TimedAction = {
  readonly timestamp: number;
  readonly timestep: number;
  readonly action: Float32Array;
};

/** Where LeRobot 0.4 and later keep their messages. */
export const HELPERS = 'lerobot.async_inference.helpers';

const NAMES_MAX = 512;
const FEATURES_MAX = 64;
const ACTIONS_MAX = 10_000;

/** Throws `wire.refused`. */
export function readSetup(bytes: Uint8Array): PolicySetup {
  const value = instance(readPickle(bytes, SETUP_LIMITS), 'RemotePolicyConfig');
  const features = dict(field(value, 'lerobot_features'), 'lerobot_features');
  if (features.items.size > FEATURES_MAX) throw odd(`more than ${FEATURES_MAX} features`);
  const actionsPerChunk = whole(field(value, 'actions_per_chunk'), 'actions_per_chunk');
  if (actionsPerChunk < 1 || actionsPerChunk > ACTIONS_MAX)
    throw odd(`actions_per_chunk is ${actionsPerChunk}; expected 1 to ${ACTIONS_MAX}`);
  const renames = value.fields.get('rename_map');
  return {
    policyType: text(field(value, 'policy_type'), 'policy_type'),
    pretrained: text(field(value, 'pretrained_name_or_path'), 'pretrained_name_or_path'),
    features: new Map([...features.items].map(([name, entry]) => [text(name, 'feature'), feature(entry)])),
    actionsPerChunk,
    device: text(value.fields.get('device') ?? 'cpu', 'device'),
    renames: new Map(
      [...(isPy(renames, 'dict') ? renames.items : [])].map(([from, to]) => [
        text(from, 'rename_map'),
        text(to, 'rename_map'),
      ]),
    ),
    module: value.type.module,
  };
}

export function writeSetup(setup: PolicySetup): Uint8Array {
  const to = new PickleWriter();
  to.object(setup.module, 'RemotePolicyConfig', [
    ['policy_type', () => to.text(setup.policyType)],
    ['pretrained_name_or_path', () => to.text(setup.pretrained)],
    [
      'lerobot_features',
      () =>
        to.dict(
          [...setup.features].map(([name, { dtype, shape, names }]) => [
            name,
            () =>
              to.dict([
                ['dtype', () => to.text(dtype)],
                ['shape', () => to.ints(shape)],
                ['names', () => to.list(names, (one) => to.text(one))],
              ]),
          ]),
        ),
    ],
    ['actions_per_chunk', () => to.int(setup.actionsPerChunk)],
    ['device', () => to.text(setup.device)],
    ['rename_map', () => to.dict([...setup.renames].map(([from, name]) => [from, () => to.text(name)]))],
  ]);
  return to.finish();
}

/** Throws `wire.refused`. Arrays are views of `bytes`. */
export function readObservation(bytes: Uint8Array, limits?: PickleLimits): TimedObservation {
  const value = instance(readPickle(bytes, limits), 'TimedObservation');
  const values = dict(field(value, 'observation'), 'observation');
  return {
    timestamp: real(field(value, 'timestamp'), 'timestamp'),
    timestep: whole(field(value, 'timestep'), 'timestep'),
    mustGo: value.fields.get('must_go') === true,
    values: new Map([...values.items].map(([name, entry]) => [text(name, 'observation'), entry])),
  };
}

/** What our side sends: numbers by joint, images [height, width, 3], a task. */
export type OutgoingObservation = {
  readonly timestamp: number;
  readonly timestep: number;
  readonly mustGo: boolean;
  readonly numbers: ReadonlyMap<string, number>;
  readonly pictures: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Uint8Array }>;
  readonly task: string | undefined;
};

export function writeObservation(message: OutgoingObservation, module: string): Uint8Array {
  const to = new PickleWriter();
  const entries: [string, () => unknown][] = [
    ...[...message.numbers].map(([name, value]): [string, () => unknown] => [name, () => to.float(value)]),
    ...[...message.pictures].map(([name, { shape, data }]): [string, () => unknown] => [
      name,
      () => to.ndarray(shape, data),
    ]),
  ];
  const { task } = message;
  if (task !== undefined) entries.push(['task', () => to.text(task)]);
  to.object(module, 'TimedObservation', [
    ['timestamp', () => to.float(message.timestamp)],
    ['timestep', () => to.int(message.timestep)],
    ['observation', () => to.dict(entries)],
    ['must_go', () => to.bool(message.mustGo)],
  ]);
  return to.finish();
}

/** Throws `wire.refused`: not a list of actions of one length. */
export function readActions(bytes: Uint8Array, limits?: PickleLimits): TimedAction[] {
  const list = readPickle(bytes, limits);
  if (!isPy(list, 'list') || list.items.length > ACTIONS_MAX) throw odd('the actions are not a list');
  return list.items.map((entry) => {
    const value = instance(entry, 'TimedAction');
    const action = array(field(value, 'action'), 'action');
    if (action.shape.length !== 1) throw odd(`an action has rank ${action.shape.length}`);
    return {
      timestamp: real(field(value, 'timestamp'), 'timestamp'),
      timestep: whole(field(value, 'timestep'), 'timestep'),
      action: readFloats(action),
    };
  });
}

export function writeActions(actions: Iterable<TimedAction>, module: string): Uint8Array {
  const to = new PickleWriter();
  to.list(actions, ({ timestamp, timestep, action }) =>
    to.object(module, 'TimedAction', [
      ['timestamp', () => to.float(timestamp)],
      ['timestep', () => to.int(timestep)],
      ['action', () => to.tensor([action.length], action)],
    ]),
  );
  return to.finish();
}

function feature(value: PyValue): Feature {
  const entry = dict(value, 'feature');
  const shape = sequence(entry.items.get('shape'), 'shape').map((size) => whole(size, 'shape'));
  const names = entry.items.get('names');
  return {
    dtype: text(entry.items.get('dtype'), 'dtype'),
    shape,
    names: names === null || names === undefined ? [] : sequence(names, 'names').map((n) => text(n, 'names')),
  };
}

function instance(value: PyValue, name: string): PyObject {
  if (isPy(value, 'object') && value.type.name === name) return value;
  throw odd(`a ${name} expected`);
}

function field(object: PyObject, name: string): PyValue {
  const value = object.fields.get(name);
  if (value === undefined) throw odd(`${object.type.name} without ${name}`);
  return value;
}

function dict(value: PyValue | undefined, what: string): PyDict {
  if (isPy(value, 'dict')) return value;
  throw odd(`${what} is no dict`);
}

function sequence(value: PyValue | undefined, what: string): readonly PyValue[] {
  const items = isPy(value, 'list') || isPy(value, 'tuple') ? value.items : undefined;
  if (!items || items.length > NAMES_MAX) throw odd(`${what} is not a list of at most ${NAMES_MAX}`);
  return items;
}

function text(value: PyValue | undefined, what: string): string {
  if (typeof value === 'string' && value.length <= NAMES_MAX) return value;
  throw odd(`${what} is not text of at most ${NAMES_MAX} characters`);
}

function whole(value: PyValue | undefined, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw odd(`${what} is not a whole number`);
}

/** Also a number of numpy. */
export function real(value: PyValue | undefined, what: string): number {
  if (typeof value === 'number') return value;
  if ((isPy(value, 'ndarray') || isPy(value, 'tensor')) && value.shape.every((size) => size === 1))
    return readFloats(value)[0]!;
  throw odd(`${what} is no number`);
}

function array(value: PyValue, what: string): NdArray | TorchTensor {
  if (isPy(value, 'ndarray') || isPy(value, 'tensor')) return value;
  throw odd(`${what} is no array`);
}

function odd(message: string): EdgeError {
  return new EdgeError('wire.refused', { operation: 'read message', subject: 'LeRobot', message });
}
