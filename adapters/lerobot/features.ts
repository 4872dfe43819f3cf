import {
  EdgeError,
  type Nanoseconds,
  type Observation,
  type PictureTensor,
  type PolicyDescription,
  type Tensor,
} from '../../contract/core.ts';
import type { WireKeysFile } from '../../formats/policy-wire/wire-keys.ts';
import { type Feature, type PolicySetup, real, type TimedObservation } from './messages.ts';
import { isPy, type PyValue, readPixels } from './pickle/index.ts';
import { resized } from './resize.ts';

/** Between the features of LeRobot and the inputs of a policy. Pure. */

const OBSERVATION = 'observation.';
const IMAGES = 'observation.images.';
export const STATE = 'observation.state';

/** How LeRobot calls an input: names of this project stay as they are, others are below `observation.`. */
export function featureName(input: string): string {
  return input.startsWith(OBSERVATION) ? input : `${OBSERVATION}${input}`;
}

export function pictureName(input: string): string {
  return input.startsWith(IMAGES) ? input : `${IMAGES}${input}`;
}

/** One part that is the whole names the feature; parts of one number each name its numbers. */
export function featureOf(input: string, keys: WireKeysFile): string {
  const parts = keys.inputs?.[input];
  return parts?.length === 1 && parts[0] ? parts[0].key : featureName(input);
}

/** Which values of an observation make which input: found once, when a client says what it has. */
export type Plan = {
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly from: readonly string[];
  }[];
  readonly images: readonly {
    readonly name: string;
    readonly shape: readonly [number, number, 3];
    readonly from: string;
  }[];
  readonly takesTask: boolean;
  /** Names of the numbers of `observation.state`, by which observations are compared. */
  readonly state: readonly string[];
};

/**
 * Throws `model.bad_observation` naming what the policy wants and the client has not. A policy with one input takes the
 * client's one feature of numbers under any name.
 */
export function planOf(setup: PolicySetup, policy: PolicyDescription, keys: WireKeysFile): Plan {
  const features = renamed(setup);
  const numbers = [...features].filter(([, { dtype, shape }]) => isNumbers(dtype) && shape.length === 1);
  const inputs = Object.entries(policy.inputs).map(([name, shape]) => {
    const given = featureOf(name, keys);
    const sole =
      Object.keys(policy.inputs).length === 1 && numbers.length === 1 ? numbers[0]?.[1] : undefined;
    const feature = features.get(given) ?? sole;
    const size = shape.reduce((product, axis) => product * axis, 1);
    if (!feature || feature.names.length !== size)
      throw bad(
        policy,
        `${given}: ${size} numbers wanted, ${feature?.names.length ?? 'none'} offered`,
        features,
      );
    return { name, shape, from: feature.names };
  });
  const images = Object.entries(policy.images ?? {}).map(([name, shape]) => {
    const given = keys.images?.[name] ?? pictureName(name);
    const found = [...features].find(([key, { dtype }]) => key === given && isPicture(dtype));
    if (!found)
      throw bad(policy, `${given}: the policy needs an image, but the client offers none`, features);
    // A renamed feature still lies under the client's own name in its observations.
    const own = [...setup.renames].find(([, to]) => to === given)?.[0] ?? given;
    return { name, shape, from: own.startsWith(IMAGES) ? own.slice(IMAGES.length) : own };
  });
  const state = features.get(STATE)?.names ?? numbers[0]?.[1].names ?? [];
  return { inputs, images, takesTask: policy.takesTask === true, state };
}

/** Throws `model.bad_observation` naming the value: missing, no number, not finite, no image. */
export function observationOf(message: TimedObservation, plan: Plan): Observation {
  const tensors: Record<string, Tensor> = {};
  for (const { name, shape, from } of plan.inputs)
    tensors[name] = { shape, data: numbersOf(message.values, from) };
  const images: Record<string, PictureTensor> = {};
  for (const { name, shape, from } of plan.images) images[name] = pictureOf(message.values, from, shape);
  const task = message.values.get('task');
  return {
    tensors,
    ...(plan.images.length > 0 ? { images } : {}),
    ...(plan.takesTask && typeof task === 'string' && task !== '' ? { task: taskOf(task) } : {}),
    stamp: stampOf(message.timestamp),
  };
}

/** The numbers of a state, or fewer than asked for where they are not available: then nothing is similar to it. */
export function stateOf(message: TimedObservation, plan: Plan): Float32Array | undefined {
  try {
    return plan.state.length === 0 ? undefined : numbersOf(message.values, plan.state);
  } catch {
    return undefined;
  }
}

const TASK_CHARS_MAX = 4_096;

function taskOf(task: string): string {
  if (task.length <= TASK_CHARS_MAX) return task;
  throw unfit('task', `${task.length} characters, ${TASK_CHARS_MAX} at most`);
}

function numbersOf(values: ReadonlyMap<string, PyValue>, names: readonly string[]): Float32Array {
  return Float32Array.from(names, (name) => {
    const value = values.get(name);
    if (value === undefined) throw unfit(name, 'missing');
    let number = Number.NaN;
    try {
      number = real(value, name);
    } catch (cause) {
      throw unfit(name, 'no number', cause);
    }
    if (!Number.isFinite(number)) throw unfit(name, `is ${number}: observations must be finite`);
    return number;
  });
}

function pictureOf(
  values: ReadonlyMap<string, PyValue>,
  name: string,
  [height, width]: readonly [number, number, 3],
): PictureTensor {
  const value = values.get(name);
  if (!isPy(value, 'ndarray') && !isPy(value, 'tensor')) throw unfit(name, 'not an array of an image');
  const [h = 0, w = 0, channels] = value.shape;
  if (value.shape.length !== 3 || channels !== 3 || h < 1 || w < 1)
    throw unfit(name, `[height, width, 3] expected, found [${value.shape.join(', ')}]`);
  const picture = { height: h, width: w, data: readPixels(value) };
  return { shape: [height, width, 3], data: resized(picture, height, width) };
}

/** Seconds as a double to nanoseconds; what is no time of this age is refused. */
function stampOf(seconds: number): Nanoseconds {
  if (!(seconds >= 0 && seconds < 2 ** 33)) throw unfit('timestamp', `${seconds} is no time`);
  const whole = Math.floor(seconds);
  return BigInt(whole) * 1_000_000_000n + BigInt(Math.round((seconds - whole) * 1e9));
}

function renamed(setup: PolicySetup): ReadonlyMap<string, Feature> {
  return new Map([...setup.features].map(([name, feature]) => [setup.renames.get(name) ?? name, feature]));
}

function isNumbers(dtype: string): boolean {
  return dtype === 'float32' || dtype === 'float64';
}

function isPicture(dtype: string): boolean {
  return dtype === 'image' || dtype === 'video';
}

function bad(policy: PolicyDescription, message: string, features: ReadonlyMap<string, Feature>): EdgeError {
  return new EdgeError('model.bad_observation', {
    operation: 'read features',
    subject: policy.name,
    message: `${policy.name}: ${message}; the client has ${[...features.keys()].join(', ') || 'nothing'}`,
    hint: 'use the feature names of the policy, or map the names with serve.keys (docs/wires.md)',
  });
}

function unfit(name: string, message: string, cause?: unknown): EdgeError {
  const subject = name.slice(0, 64);
  return new EdgeError('model.bad_observation', {
    operation: 'read observation',
    subject,
    message: `/${subject}: ${message}`,
    cause,
  });
}
