import type { Observation, PolicyDescription } from '../../contract/core.ts';

/** The same numbers for the same seed, in any process. */
export function randomObservation({ inputs }: PolicyDescription, seed: number): Observation {
  let state = (seed * 2_654_435_761 + 1) >>> 0;
  const next = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
  const tensors = Object.entries(inputs).map(([name, shape]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return [name, { shape, data: Float32Array.from({ length }, () => next() * 4 - 1) }] as const;
  });
  return { tensors: Object.fromEntries(tensors), stamp: BigInt(seed + 1) };
}
