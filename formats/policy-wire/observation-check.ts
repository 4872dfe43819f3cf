import { EdgeError, type Observation, type PolicyDescription } from '../../contract/core.ts';

type Wanted = Pick<PolicyDescription, 'name' | 'inputs' | 'images'>;

/**
 * Throws `model.bad_observation` naming the tensor or image: missing, misshapen, of another length, unknown, or not
 * finite. Leading axes of one are no difference: [1, 7] and [7] are the same seven numbers.
 */
export function checkObservation(observation: Observation, policy: Wanted): void {
  for (const [name, shape] of Object.entries(policy.inputs)) {
    const tensor = Object.hasOwn(observation.tensors, name) ? observation.tensors[name] : undefined;
    if (!tensor) throw bad(policy.name, `/${name}: missing`);
    if (!sameShape(tensor.shape, shape))
      throw bad(
        policy.name,
        `/${name}: shape [${shape.join(', ')}] expected, found [${tensor.shape.join(', ')}]`,
      );
    const length = shape.reduce((a, b) => a * b, 1);
    if (!(tensor.data instanceof Float32Array) || tensor.data.length !== length)
      throw bad(policy.name, `/${name}: expected ${length} float32 values, found ${tensor.data.length}`);
    const odd = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0)
      throw bad(policy.name, `/${name}/${odd}: expected a finite number, found ${tensor.data[odd]}`);
  }
  checkPictures(observation, policy);
  refuseStrangers(policy.name, observation.tensors, policy.inputs);
}

/** The axes without leading ones, as text. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return bare(a).join() === bare(b).join();
}

function bare(shape: readonly number[]): readonly number[] {
  const first = shape.findIndex((size) => size !== 1);
  return first < 0 ? shape.slice(-1) : shape.slice(first);
}

function checkPictures(observation: Observation, policy: Wanted): void {
  const images = observation.images ?? {};
  for (const [name, shape] of Object.entries(policy.images ?? {})) {
    const picture = Object.hasOwn(images, name) ? images[name] : undefined;
    if (!picture) throw bad(policy.name, `/${name}: missing (an image)`);
    const [height, width] = shape;
    const fits = picture.shape.join() === shape.join() && picture.data.length === height * width * 3;
    if (!(fits && picture.data instanceof Uint8Array))
      throw bad(
        policy.name,
        `/${name}: expected an image [${shape.join(', ')}] of bytes, found [${picture.shape.join(', ')}]`,
      );
  }
  refuseStrangers(policy.name, images, policy.images ?? {});
}

function refuseStrangers(policy: string, given: object, known: object): void {
  const stranger = Object.keys(given).find((name) => !Object.hasOwn(known, name));
  if (stranger !== undefined)
    throw bad(
      policy,
      `/${stranger}: unknown input; the inputs of this policy are ${Object.keys(known).join(', ')}`,
    );
}

function bad(policy: string, message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'infer', subject: policy, message });
}
