import { describe, expect, it } from 'vitest';
import { EpisodePolicy } from '../../adapters/lerobot-dataset/episode-policy.ts';
import type { DatasetEpisode, DatasetFrame, DatasetSpec } from '../../contract/core.ts';
import { policyConformance } from '../conformance/policy.ts';

const spec: DatasetSpec = {
  fps: 20,
  robotType: 'arm',
  features: {
    'observation.state': { kind: 'vector', names: ['a', 'b'] },
    action: { kind: 'vector', names: ['a', 'b'] },
  },
};

/** It goes up, stands still for ten frames, and goes down the same way. */
const states = [0, 1, 2, 3, ...new Array(10).fill(4), 3, 2, 1, 0];
function episode(values: readonly number[] = states): DatasetEpisode {
  return {
    task: 'pick',
    source: 'test',
    length: async () => values.length,
    async *frames(): AsyncGenerator<DatasetFrame> {
      for (const [i, value] of values.entries())
        yield {
          time: i / 20,
          vectors: {
            'observation.state': Float32Array.of(value, -value),
            action: Float32Array.of(i, value),
          },
          images: {},
        };
    },
  };
}

describe('an episode that holds no numbers', () => {
  it.each([
    ['a state', Number.NaN, 0],
    ['an action', 0, Number.POSITIVE_INFINITY],
  ])('in %s is served by nobody', async (_, state, action) => {
    const frames = async function* (): AsyncGenerator<DatasetFrame> {
      for (const [time, odd] of [0, 1, 0].entries())
        yield {
          time,
          vectors: {
            'observation.state': Float32Array.of(odd ? state : 0, 1),
            action: Float32Array.of(1, odd ? action : 0),
          },
          images: {},
        };
    };
    await expect(load([], { ...episode(), frames })).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/frame 1 /),
    });
  });
});

const load = async (told: number[] = [], given = episode()) =>
  EpisodePolicy.load({
    ...{ name: 'recorded', spec, episode: given, divergenceMax: 1 },
    onDivergence: (distance) => told.push(distance),
  });
const at = (value: number) => ({
  tensors: { 'observation.state': { shape: [2], data: Float32Array.of(value, -value) } },
  stamp: 1n,
});

policyConformance('a recorded episode', () => load());

describe('an episode of a dataset that names no actions', () => {
  it('is a policy that names none, so that a controller goes by their number', async () => {
    const unnamed: DatasetSpec = {
      ...spec,
      features: { ...spec.features, action: { kind: 'vector', names: ['0', '1'] } },
    };
    const policy = await EpisodePolicy.load({
      ...{ name: 'recorded', spec: unnamed, episode: episode(), divergenceMax: 1 },
      onDivergence: () => {},
    });
    expect(policy.describe()).toMatchObject({ output: [16, 2] });
    expect(policy.describe()).not.toHaveProperty('actionNames');
    expect((await load()).describe()).toMatchObject({ actionNames: ['a', 'b'] });
  });
});

describe('a recorded episode', () => {
  it('answers what was done next, and stays where it ends', async () => {
    const policy = await load();
    expect(policy.describe()).toMatchObject({ stepMs: 50, output: [16, 2], actionNames: ['a', 'b'] });
    const { actions } = await policy.infer(at(2));
    expect([...actions.data].filter((_, i) => i % 2 === 0)).toEqual([...Array(16).keys()].map((i) => i + 2));
    const late = await policy.infer(at(0));
    expect([...late.actions.data].slice(-2)).toEqual([17, 0]);
  });

  it('goes on along the episode where the same was observed twice, and begins anew after a reset', async () => {
    const policy = await load();
    const frame = async (value: number) => (await policy.infer(at(value))).actions.data[0];
    expect([await frame(2), await frame(3), await frame(4), await frame(3), await frame(2)]).toEqual([
      2, 3, 4, 14, 15,
    ]);
    await policy.reset();
    expect(await frame(2)).toBe(2);
  });

  it('tells how far an observation is from all that was recorded, once', async () => {
    const told: number[] = [];
    const policy = await load(told);
    await policy.infer(at(3.1));
    expect(told).toEqual([]);
    await policy.infer(at(40));
    await policy.infer(at(41));
    expect(told).toHaveLength(1);
    expect(policy.divergence().last).toBeGreaterThan(10);
    expect(policy.divergence().max).toBe(policy.divergence().last);
  });

  it('is another policy when one number of the recording is another', async () => {
    const other = [...states];
    other[5] = 4.0001;
    const hashes = [await load(), await load(), await load([], episode(other))].map((p) => p.describe().hash);
    expect(hashes[0]).toBe(hashes[1]);
    expect(hashes[2]).not.toBe(hashes[0]);
  });

  it('refuses an episode that has nothing to answer with', async () => {
    await expect(load([], episode([]))).rejects.toMatchObject({ code: 'model.unavailable' });
    const { 'observation.state': _, ...features } = spec.features;
    await expect(
      EpisodePolicy.load({
        ...{ name: 'blind', spec: { ...spec, features }, episode: episode(), divergenceMax: 1 },
        onDivergence: () => {},
      }),
    ).rejects.toMatchObject({ code: 'model.unavailable' });
  });
});
