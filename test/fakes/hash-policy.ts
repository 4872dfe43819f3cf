import { createHash } from 'node:crypto';
import type { ActionChunk, Observation, Policy, PolicyDescription } from '../../contract/index.ts';
import { EdgeError } from '../../contract/index.ts';

const HORIZON = 8;
const DIMENSION = 2;

/**
 * A policy whose actions are a hash of every bit of the observation: when one bit of it changes on the way,
 * the actions change.
 */
export class HashPolicy implements Policy {
  calls = 0;

  describe(): PolicyDescription {
    return {
      name: 'hash',
      hash: 'f'.repeat(64),
      inputs: { scan: [1, 36], state: [4] },
      output: [HORIZON, DIMENSION],
      stepMs: 50,
    };
  }

  async infer(observation: Observation): Promise<ActionChunk> {
    this.calls += 1;
    const hash = createHash('sha512');
    for (const [name, shape] of Object.entries(this.describe().inputs)) {
      const tensor = observation.tensors[name];
      if (tensor?.shape.join() !== shape.join()) {
        throw new EdgeError('model.bad_observation', {
          operation: 'infer',
          subject: name,
          message: `/tensors/${name}: must have the shape [${shape.join(', ')}]`,
        });
      }
      hash
        .update(name)
        .update(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.data.byteLength));
    }
    hash.update(observation.stamp.toString());
    const digest = hash.digest();
    const data = Float32Array.from(
      { length: HORIZON * DIMENSION },
      (_, i) => digest.readInt32LE(i * 4) / 7e8,
    );
    return {
      actions: { shape: [HORIZON, DIMENSION], data },
      stepMs: 50,
      stamp: observation.stamp,
      policyHash: this.describe().hash,
    };
  }

  async close(): Promise<void> {}
}
