import { LIMITS, type PolicyDescription } from '../../contract/core.ts';
import { isMap, type WireKeysFile, wireKeysFault } from './wire-keys.ts';

/** What a policy behind a server takes and gives, and its names there; from a file, or from an Auraison server. */
export type RemoteCard = { readonly description: PolicyDescription; readonly keys: WireKeysFile };

/** A card from a value that somebody sent or wrote; text: what is wrong with it. */
export function cardOf(value: unknown, hash: string): RemoteCard | string {
  if (!isMap(value)) return 'is not a table';
  const { name, inputs, images = {}, output, step_ms, action_names, takes_task = false, keys = {} } = value;
  if (typeof name !== 'string' || name === '') return 'has no name';
  if (!isMap(inputs) || !Object.values(inputs).every(isShape)) return 'inputs is not {name: shape}';
  if (!isMap(images) || !Object.values(images).every(isPicture))
    return 'images is not {name: [height, width, 3]}';
  const shape = isMap(output) ? output['shape'] : output;
  if (!isShape(shape) || shape.length !== 2) return 'output is not [horizon, dimension]';
  if (typeof step_ms !== 'number' || !(step_ms > 0)) return 'step_ms is not a number above 0';
  const named = Array.isArray(action_names) && action_names.every((one) => typeof one === 'string');
  if (action_names !== undefined && !(named && action_names.length === shape[1]))
    return `action_names does not name ${shape[1]} numbers`;
  const fault = wireKeysFault(keys);
  if (fault !== undefined) return `keys: ${fault}`;
  const description: PolicyDescription = {
    name,
    hash,
    inputs: inputs as Record<string, number[]>,
    output: shape as unknown as [number, number],
    stepMs: step_ms,
    ...(Object.keys(images).length > 0 ? { images: images as Record<string, [number, number, 3]> } : {}),
    ...(action_names === undefined ? {} : { actionNames: action_names as string[] }),
    ...(takes_task === true ? { takesTask: true } : {}),
  };
  return { description, keys: keys as WireKeysFile };
}

/** What a server of this project sends its clients. `cardOf` reads it. */
export function cardBody(policy: PolicyDescription, keys: WireKeysFile): Record<string, unknown> {
  return {
    name: policy.name,
    policy_hash: policy.hash,
    inputs: policy.inputs,
    images: policy.images ?? {},
    output: policy.output,
    step_ms: policy.stepMs,
    ...(policy.actionNames ? { action_names: policy.actionNames } : {}),
    takes_task: policy.takesTask === true,
    keys,
  };
}

/** Memory is allocated by these sizes, and a server may have sent them: none exceeds what a message can carry. */
function isSized(value: unknown, elementsMax: number): value is readonly number[] {
  const isSize = (size: unknown) => Number.isSafeInteger(size) && (size as number) > 0;
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= 8 &&
    value.every(isSize) &&
    value.reduce((product: number, size: number) => product * size, 1) <= elementsMax
  );
}

function isShape(value: unknown): value is readonly number[] {
  return isSized(value, LIMITS.POLICY_PAYLOAD_BYTES_MAX / 4);
}

function isPicture(value: unknown): boolean {
  return isSized(value, LIMITS.POLICY_PAYLOAD_BYTES_MAX) && value.length === 3 && value[2] === 3;
}
