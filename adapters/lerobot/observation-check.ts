import { EdgeError, type Observation } from '../../contract/core.ts';
import type { ModelCard } from './model-card.ts';

/** Throws `model.bad_observation` naming the tensor: missing, misshapen, of another length, or not finite. */
export function checkObservation(observation: Observation, card: Pick<ModelCard, 'name' | 'inputs'>): void {
  for (const [name, shape] of Object.entries(card.inputs)) {
    const tensor = Object.hasOwn(observation.tensors, name) ? observation.tensors[name] : undefined;
    if (!tensor) throw bad(card.name, `/${name}: missing`);
    if (tensor.shape.join() !== shape.join())
      throw bad(
        card.name,
        `/${name}: shape [${shape.join(', ')}] expected, found [${tensor.shape.join(', ')}]`,
      );
    const length = shape.reduce((a, b) => a * b, 1);
    if (!(tensor.data instanceof Float32Array) || tensor.data.length !== length)
      throw bad(card.name, `/${name}: ${length} float32 values expected, found ${tensor.data.length}`);
    const odd = tensor.data.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0)
      throw bad(card.name, `/${name}/${odd}: a finite number expected, found ${tensor.data[odd]}`);
  }
  const stranger = Object.keys(observation.tensors).find((name) => !Object.hasOwn(card.inputs, name));
  if (stranger !== undefined)
    throw bad(
      card.name,
      `/${stranger}: unknown input; the policy takes ${Object.keys(card.inputs).join(', ')}`,
    );
}

function bad(policy: string, message: string): EdgeError {
  return new EdgeError('model.bad_observation', { operation: 'infer', subject: policy, message });
}
