import { OnnxPolicy } from '../../../adapters/onnx/onnx-policy.ts';
import type { LoadedPolicy } from '../../../apps/ar4-physical-ai/flywheel/flywheel.ts';
import { FEATURES, STATE_NAMES } from '../../../apps/ar4-physical-ai/observation.ts';
import type { Clock } from '../../../contract/core.ts';

/** One inference in process takes a millisecond; a crowded host may take a thousand times longer. */
const INFER_MS = 10_000;

/** The policy as System 1 loads it, asked in process. */
export async function loadPolicy(path: string, clock: Clock): Promise<LoadedPolicy> {
  const policy = await OnnxPolicy.load(path, clock);
  const { hash, takesPrefix } = policy.describe();
  return {
    hash,
    answer: async ({ state, environment }, prefix) => {
      const tensor = (values: readonly number[]) => ({
        shape: [1, values.length],
        data: Float32Array.from(values),
      });
      const tensors = { [FEATURES.state]: tensor(state), [FEATURES.environment]: tensor(environment) };
      // As System 1 does it: only those are told that take one, and only where something is fixed.
      const fixed =
        takesPrefix === true && prefix && prefix.length > 0
          ? { prefix: { shape: [prefix.length / STATE_NAMES.length, STATE_NAMES.length], data: prefix } }
          : {};
      return (await policy.infer({ tensors, stamp: 0n }, INFER_MS, fixed)).actions.data;
    },
    close: () => policy.close(),
  };
}
