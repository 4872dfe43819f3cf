import { EdgeError, type Observation, type PolicyDescription, type Tensor } from '../../contract/core.ts';
import type { WireKeysFile } from '../../formats/policy-wire/wire-keys.ts';
import { featureOf, pictureName } from './features.ts';
import {
  type Feature,
  HELPERS,
  type OutgoingObservation,
  type PolicySetup,
  type TimedAction,
} from './messages.ts';

/** What a server is asked to serve, beside what the policy takes. */
export type Served = {
  /** `act`, `smolvla`, ...: LeRobot's own word for the class. */
  readonly policyType: string;
  /** Path or hub name at the server; at an Auraison server the name of the policy. */
  readonly pretrained: string;
  readonly device: string;
};

const IMAGES = 'observation.images.';

/** How observations of one policy are sent: its setup and, by input, the names of its numbers and images. */
export type Outgoing = {
  readonly policy: PolicyDescription;
  readonly setup: PolicySetup;
  readonly inputs: readonly { readonly input: string; readonly names: readonly string[] }[];
  readonly images: readonly { readonly input: string; readonly name: string }[];
};

/**
 * Pure. Names of numbers are only to be the same in setup and observations: a stock server knows them by their order.
 */
export function outgoingOf(policy: PolicyDescription, keys: WireKeysFile, served: Served): Outgoing {
  const features = new Map<string, Feature>();
  const inputs = Object.entries(policy.inputs).map(([input, shape]) => {
    const size = shape.reduce((product, axis) => product * axis, 1);
    const feature = featureOf(input, keys);
    const parts = keys.inputs?.[input] ?? [];
    const named = parts.length === size && size > 1 ? parts.map(({ key }) => key) : undefined;
    const names = named ?? Array.from({ length: size }, (_, i) => `${feature}.${i}`);
    features.set(feature, { dtype: 'float32', shape: [size], names });
    return { input, names };
  });
  const images = Object.entries(policy.images ?? {}).map(([input, shape]) => {
    const feature = keys.images?.[input] ?? pictureName(input);
    features.set(feature, { dtype: 'image', shape, names: ['height', 'width', 'channels'] });
    return { input, name: feature.startsWith(IMAGES) ? feature.slice(IMAGES.length) : feature };
  });
  const { policyType, pretrained, device } = served;
  const setup = {
    ...{ policyType, pretrained, device, features, module: HELPERS },
    actionsPerChunk: policy.output[0],
    renames: new Map<string, string>(),
  };
  return { policy, setup, inputs, images };
}

/** The checked observation. `timestep` distinguishes its answer from others. */
export function outgoingObservation(
  observation: Observation,
  { policy, inputs, images }: Outgoing,
  timestep: number,
): OutgoingObservation {
  const numbers = new Map<string, number>();
  for (const { input, names } of inputs) {
    const { data } = observation.tensors[input]!;
    for (const [i, name] of names.entries()) numbers.set(name, data[i]!);
  }
  return {
    timestamp: Number(observation.stamp) / 1e9,
    timestep,
    mustGo: true,
    numbers,
    pictures: new Map(images.map(({ input, name }) => [name, observation.images![input]!])),
    task: observation.task ?? (policy.takesTask === true ? '' : undefined),
  };
}

/** Throws `model.failed`: another horizon or dimension than the policy has, or something that is not finite. */
export function actionsTensor(actions: readonly TimedAction[], policy: PolicyDescription): Tensor {
  const [horizon, dimension] = policy.output;
  const odd = actions.find(({ action }) => action.length !== dimension);
  if (actions.length !== horizon || odd)
    throw failed(
      policy,
      `[${actions.length}, ${odd?.action.length ?? dimension}] was answered, but the policy outputs [${horizon}, ${dimension}]`,
    );
  const data = new Float32Array(horizon * dimension);
  for (const [i, { action }] of actions.entries()) data.set(action, i * dimension);
  const bad = data.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw failed(policy, `the server answered ${data[bad]} in action ${Math.floor(bad / dimension)}`);
  return { shape: policy.output, data };
}

function failed({ name }: PolicyDescription, message: string): EdgeError {
  return new EdgeError('model.failed', { operation: 'infer', subject: name, message: `${name}: ${message}` });
}
