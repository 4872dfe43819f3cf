import { describe, expect, it } from 'vitest';
import type { Observation, Policy } from '../../contract/index.ts';

/** Every Policy passes this. `make` gives a fresh one; it is closed by the suite. */
export function policyConformance(name: string, make: () => Promise<Policy>): void {
  const with_ = async (use: (policy: Policy, observation: () => Observation) => Promise<void>) => {
    const policy = await make();
    try {
      await use(policy, () => observationFor(policy, 0.5));
    } finally {
      await policy.close();
    }
  };

  describe(`Policy: ${name}`, () => {
    it('gives a chunk of the shape, hash, step and stamp it describes', () =>
      with_(async (policy, observation) => {
        const { hash, output, stepMs } = policy.describe();
        const chunk = await policy.infer({ ...observation(), stamp: 42n }, 30_000);
        expect(chunk.actions.shape).toEqual(output);
        expect(chunk.actions.data).toHaveLength(output[0] * output[1]);
        expect(chunk).toMatchObject({ stepMs, stamp: 42n, policyHash: hash });
        expect(chunk.actions.data.every(Number.isFinite)).toBe(true);
        expect(hash).toMatch(/^[0-9a-f]{64}$/);
      }));

    it('gives bit-equal actions for the same observation, also when asked many times at once', () =>
      with_(async (policy, observation) => {
        const chunks = await Promise.all(
          Array.from({ length: 16 }, () => policy.infer(observation(), 30_000)),
        );
        const bits = chunks.map((chunk) =>
          Buffer.from(
            chunk.actions.data.buffer,
            chunk.actions.data.byteOffset,
            chunk.actions.data.byteLength,
          ).toString('hex'),
        );
        expect(new Set(bits).size).toBe(1);
      }));

    it('answers in order and does not mix up its callers', () =>
      with_(async (policy) => {
        const alone = [];
        for (const value of [0.2, 0.6, 1])
          alone.push(await policy.infer(observationFor(policy, value), 30_000));
        const together = await Promise.all(
          [0.2, 0.6, 1].map((value) => policy.infer(observationFor(policy, value), 30_000)),
        );
        expect(together.map((c) => [...c.actions.data])).toEqual(alone.map((c) => [...c.actions.data]));
      }));

    it.each([
      ['a missing tensor', (o: Observation) => without(o)],
      ['NaN', (o: Observation) => replaceFirst(o, (data) => data.fill(Number.NaN))],
      ['infinity', (o: Observation) => replaceFirst(o, (data) => data.fill(Number.POSITIVE_INFINITY))],
      ['a tensor that is too short', (o: Observation) => shortened(o)],
    ])('refuses %s, naming the tensor, and goes on working', (_, spoil) =>
      with_(async (policy, observation) => {
        const name = Object.keys(policy.describe().inputs)[0]!;
        await expect(policy.infer(spoil(observation()), 30_000)).rejects.toMatchObject({
          code: 'model.bad_observation',
        });
        await expect(policy.infer(spoil(observation()), 30_000)).rejects.toSatisfy(
          (e: { message: string; subject: string }) => `${e.subject} ${e.message}`.includes(name),
        );
        expect((await policy.infer(observation(), 30_000)).actions.data.length).toBeGreaterThan(0);
      }),
    );

    it('may be closed twice', async () => {
      const policy = await make();
      await policy.close();
      await policy.close();
    });
  });
}

export function observationFor(policy: Policy, value: number): Observation {
  const tensors = Object.fromEntries(
    Object.entries(policy.describe().inputs).map(([name, shape]) => [
      name,
      { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(value) },
    ]),
  );
  const { images, takesTask } = policy.describe();
  const pictures = Object.entries(images ?? {}).map(([name, shape]) => [
    name,
    { shape, data: new Uint8Array(shape[0] * shape[1] * 3).fill(Math.round(value * 200)) },
  ]);
  return {
    tensors,
    ...(pictures.length > 0 ? { images: Object.fromEntries(pictures) } : {}),
    ...(takesTask === true ? { task: 'conform' } : {}),
    stamp: 1n,
  };
}

function without(observation: Observation): Observation {
  const [, ...rest] = Object.entries(observation.tensors);
  return { ...observation, tensors: Object.fromEntries(rest) };
}

function replaceFirst(observation: Observation, change: (data: Float32Array) => Float32Array): Observation {
  const [[name, tensor], ...rest] = Object.entries(observation.tensors) as [
    [string, { shape: readonly number[]; data: Float32Array }],
  ];
  return {
    ...observation,
    tensors: { [name]: { ...tensor, data: change(tensor.data.slice()) }, ...Object.fromEntries(rest) },
  };
}

function shortened(observation: Observation): Observation {
  return replaceFirst(observation, (data) => data.slice(1));
}
