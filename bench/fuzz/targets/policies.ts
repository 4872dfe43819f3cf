import { readObserved, withTask } from '../../../adapters/groot/groot-messages.ts';
import type { PolicyDescription } from '../../../contract/core.ts';
import {
  decodeMsgpack,
  encodeMsgpack,
  NumpyArray,
  type NumpyDialect,
} from '../../../formats/msgpack/index.ts';
import { checkObservation } from '../../../formats/policy-wire/observation-check.ts';
import { grootKeys, isMap, openpiKeys } from '../../../formats/policy-wire/wire-keys.ts';
import { actionsFrom, observationOf } from '../../../formats/policy-wire/wire-observation.ts';
import { mutate } from '../mutate.ts';
import type { Target } from '../target.ts';

/** Questions and answers of openpi and GR00T: MessagePack with arrays of numpy, from unknown clients. */
const policy: PolicyDescription = {
  name: 'fuzz',
  hash: '0'.repeat(64),
  inputs: { 'observation.state': [2] },
  images: { 'observation.images.front': [1, 2, 3] },
  output: [1, 2],
  stepMs: 50,
  takesTask: true,
};
const state = NumpyArray.float32([1, 1, 2], Float32Array.of(1, 2));
const picture = NumpyArray.uint8([1, 1, 1, 2, 3], new Uint8Array(6));
const text = NumpyArray.of('<U2', [1], new Uint8Array(8).fill(65, 0, 1));
const action = NumpyArray.float32([1, 2], Float32Array.of(1, 2));

function target(
  name: string,
  numpy: NumpyDialect,
  corpus: readonly unknown[],
  read: (map: Record<string, unknown>) => unknown,
): Target {
  const messages = corpus.map((message) => encodeMsgpack(message, { numpy }));
  return {
    name,
    weight: 6,
    make: (random) => mutate(messages[random.below(messages.length)]!, random),
    run(input) {
      const value = decodeMsgpack(input, { numpy });
      return isMap(value) ? read(value) : undefined;
    },
  };
}

const openpi = target(
  'openpi',
  'openpi',
  [{ 'observation/state': state, 'observation/images/front': picture, prompt: text }, { actions: action }],
  (map) => {
    const keys = openpiKeys(policy);
    if (Object.hasOwn(map, 'actions')) return actionsFrom(map, policy, keys);
    const observation = observationOf(map, policy, keys, 1n);
    checkObservation(observation, policy);
    return observation;
  },
);

const groot = target(
  'groot',
  'gr00t',
  [
    { 'state.state': state, 'video.front': picture, 'annotation.a': ['x'] },
    {
      observation: { state: { state }, video: { front: picture }, language: { task: [['x']] } },
      options: null,
    },
  ],
  (map) => {
    const keys = grootKeys(policy);
    const observation = observationOf(withTask(readObserved(map).values, keys.task), policy, keys, 1n);
    checkObservation(observation, policy);
    return observation;
  },
);

export const policyTargets: readonly Target[] = [openpi, groot];
