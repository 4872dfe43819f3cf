import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { ModelCard } from '../../adapters/onnx/model-card.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import {
  type FeatureScale,
  normalize,
  pictureToPlanes,
  scaleFault,
  unnormalize,
} from '../../adapters/onnx/scaling.ts';
import { type OnnxGraph, onnxFile } from '../../scripts/policy/onnx-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'onnx-card-'));
const clock = new SystemClock();
afterAll(() => rmSync(directory, { recursive: true }));
const floats = (...values: number[]) => Float32Array.from(values);

describe('normalisation', () => {
  it('computes what LeRobot computes', () => {
    const meanStd: FeatureScale = { mode: 'mean_std', mean: [1, 10], std: [2, 0.5] };
    expect([...normalize(floats(3, 10, 1, 11), 2, meanStd)]).toEqual([1, 0, 0, 2]);
    expect([...unnormalize(floats(1, 0, 0, 2), 2, meanStd)]).toEqual([3, 10, 1, 11]);
    const minMax: FeatureScale = { mode: 'min_max', min: [0, -1], max: [4, 1] };
    expect([...normalize(floats(0, -1, 4, 1, 2, 0), 2, minMax)]).toEqual([-1, -1, 1, 1, 0, 0]);
    expect([...unnormalize(floats(-1, -1, 1, 1, 0, 0), 2, minMax)]).toEqual([0, -1, 4, 1, 2, 0]);
    expect([...normalize(floats(5), 1, { mode: 'identity' })]).toEqual([5]);
  });

  it('keeps a feature that never varied at exactly zero, and so does not blow it up', () => {
    const mean = Math.fround(0.1);
    expect([...normalize(floats(0.1), 1, { mode: 'mean_std', mean: [mean], std: [0] })]).toEqual([0]);
    expect([...normalize(floats(0.1), 1, { mode: 'mean_std', mean: [0.1], std: [0] })]).toEqual([0]);
    expect([...normalize(floats(0.1), 1, { mode: 'min_max', min: [0.1], max: [0.1] })]).toEqual([-1]);
  });

  it('comes back to where it began', () => {
    const number = fc.float({ min: -100, max: 100, noNaN: true });
    const spread = fc.float({ min: Math.fround(0.01), max: 50, noNaN: true });
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 8 }), number, spread, (values, at, wide) => {
        const data = Float32Array.from(values);
        for (const scale of [
          { mode: 'mean_std', mean: [at], std: [wide] },
          { mode: 'min_max', min: [at], max: [at + wide] },
        ] as const) {
          const back = unnormalize(normalize(data, 1, scale), 1, scale);
          for (const [i, value] of data.entries()) expect(Math.abs(back[i]! - value)).toBeLessThan(1e-3);
        }
      }),
    );
  });

  it('makes planes of pictures, in 0..1 and scaled per colour', () => {
    const picture = Uint8Array.of(255, 0, 51, 0, 255, 102);
    expect([...pictureToPlanes(picture, 2, { mode: 'identity' })]).toEqual([1, 0, 0, 1, ...floats(0.2, 0.4)]);
    const scale: FeatureScale = { mode: 'mean_std', mean: [0.5, 0, 0], std: [0.5, 1, 1] };
    expect(pictureToPlanes(picture, 2, scale)[0]).toBeCloseTo(1, 6);
    expect(pictureToPlanes(picture, 2, scale)[1]).toBeCloseTo(-1, 6);
  });

  it.each([
    [{ mode: 'mean_std', mean: [1] }, /std/],
    [{ mode: 'mean_std', mean: [1, 2, 3], std: [1, 1] }, /mean is not 2/],
    [{ mode: 'min_max', min: [Number.NaN, 0], max: [1, 1] }, /min/],
    [{ mode: 'pickle' }, /mode/],
    [undefined, /mode/],
  ])('says what is wrong with %j', (scale, words) => {
    expect(scaleFault(scale, 2)).toMatch(words);
  });
});

/** A network of these nodes with its card; `spoil` changes the card. */
function model(
  name: string,
  graph: Omit<OnnxGraph, 'name'>,
  card: Omit<ModelCard, 'name' | 'sha256'>,
): string {
  const path = join(directory, `${name}.onnx`);
  const bytes = onnxFile({ name, ...graph }, 'test');
  writeFileSync(path, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(`${path}.json`, JSON.stringify({ name, sha256, ...card }));
  return path;
}

const SUM = {
  inputs: [
    { name: 'observation.state', shape: [1, 2] },
    { name: 'observation.images.front', shape: [1, 3, 1, 2] },
    { name: 'task', shape: [1, 2] },
  ],
  outputs: [
    { name: 'arm', shape: [1, 2, 2] },
    { name: 'hand', shape: [1, 2, 1] },
  ],
  constants: [
    { name: 'armShape', shape: [3], data: BigInt64Array.of(1n, 2n, 2n) },
    { name: 'handShape', shape: [3], data: BigInt64Array.of(1n, 2n, 1n) },
    { name: 'pixelsShape', shape: [2], data: BigInt64Array.of(3n, 2n) },
  ],
  nodes: [
    {
      op: 'Concat',
      inputs: ['observation.state', 'observation.state'],
      outputs: ['two'],
      attributes: { axis: 1 },
    },
    { op: 'Reshape', inputs: ['two', 'armShape'], outputs: ['arm'] },
    { op: 'Reshape', inputs: ['observation.images.front', 'pixelsShape'], outputs: ['pixels'] },
    { op: 'Gather', inputs: ['pixels', 'colour'], outputs: ['red'], attributes: { axis: 0 } },
    { op: 'Add', inputs: ['red', 'task'], outputs: ['seen'] },
    { op: 'Reshape', inputs: ['seen', 'handShape'], outputs: ['hand'] },
  ],
};

describe('an ONNX policy that sees', () => {
  const path = () =>
    model(
      'seeing',
      { ...SUM, constants: [...SUM.constants, { name: 'colour', shape: [1], data: BigInt64Array.of(0n) }] },
      {
        inputs: { 'observation.state': [1, 2] },
        images: { 'observation.images.front': [1, 2, 3] },
        output: { names: ['arm', 'hand'], shape: [2, 3] },
        step_ms: 50,
        task: { input: 'task', names: ['pick', 'place'] },
        action_names: ['j1', 'j2', 'gripper'],
        normalization: {
          inputs: { 'observation.state': { mode: 'mean_std', mean: [1, 1], std: [2, 2] } },
          output: { mode: 'min_max', min: [0, 0, 0], max: [2, 2, 20] },
        },
      },
    );
  const observation = (task: string | undefined) => ({
    tensors: { 'observation.state': { shape: [2], data: floats(3, 5) } },
    images: {
      'observation.images.front': {
        shape: [1, 2, 3] as const,
        data: Uint8Array.of(255, 9, 9, 0, 9, 9),
      },
    },
    ...(task === undefined ? {} : { task }),
    stamp: 1n,
  });

  it('is given scaled numbers, planes and its task, and answers in the units of the robot, outputs side by side', async () => {
    const policy = await OnnxPolicy.load(path(), clock);
    expect(policy.describe()).toMatchObject({
      images: { 'observation.images.front': [1, 2, 3] },
      actionNames: ['j1', 'j2', 'gripper'],
      takesTask: true,
    });
    // State 3, 5 is 1, 2 to the network; red is 1, 0; the first task adds 1 to the first step.
    const pick = await policy.infer(observation('pick'), 5_000);
    expect([...pick.actions.data]).toEqual([2, 3, 30, 2, 3, 10]);
    const place = await policy.infer(observation('place'), 5_000);
    expect([...place.actions.data]).toEqual([2, 3, 20, 2, 3, 20]);
    expect([...(await policy.infer(observation(undefined), 5_000)).actions.data]).toEqual([
      ...pick.actions.data,
    ]);
    await expect(policy.infer(observation('dance'), 5_000)).rejects.toMatchObject({
      code: 'model.bad_observation',
      message: expect.stringMatching(/"pick", "place"/),
    });
    const { images: _, ...blind } = observation('pick');
    await expect(policy.infer(blind, 5_000)).rejects.toMatchObject({
      code: 'model.bad_observation',
      message: expect.stringMatching(/observation\.images\.front: missing/),
    });
    await policy.close();
  });

  it('runs on the processor where a graphics card is asked for and not there, and says so', async () => {
    const told: unknown[] = [];
    const policy = await OnnxPolicy.load(path(), clock, {
      providers: ['tensorrt', 'cuda'],
      onProvider: (provider, skipped) => told.push([provider, skipped.map((one) => one.provider)]),
    });
    expect((await policy.infer(observation('pick'), 5_000)).actions.data).toHaveLength(6);
    const [[provider, skipped]] = told as [[string, string[]]];
    // On a host that has one the list of those that could not be had ends before it.
    expect([...skipped, provider]).toEqual(['tensorrt', 'cuda', 'cpu'].slice(0, skipped.length + 1));
    await policy.close();
  });

  it('gives no action that is not a number', async () => {
    const divide = {
      inputs: [{ name: 'x', shape: [1, 2] }],
      outputs: [{ name: 'a', shape: [1, 2] }],
      constants: [{ name: 'one', shape: [1], data: floats(1) }],
      nodes: [
        { op: 'Div', inputs: ['one', 'y'], outputs: ['a'] },
        { op: 'Add', inputs: ['x', 'one'], outputs: ['y'] },
      ].reverse(),
    };
    const file = model('divide', divide, {
      inputs: { x: [1, 2] },
      output: { name: 'a', shape: [1, 2] },
      step_ms: 50,
    });
    const policy = await OnnxPolicy.load(file, clock);
    const x = (value: number) => ({ tensors: { x: { shape: [2], data: floats(value, 1) } }, stamp: 1n });
    await expect(policy.infer(x(-1), 5_000)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(/Infinity/),
    });
    expect([...(await policy.infer(x(1), 5_000)).actions.data]).toEqual([0.5, 0.5]);
    await policy.close();
  });

  it('settles when its question is withdrawn, and goes on', async () => {
    const policy = await OnnxPolicy.load(path(), clock);
    const withdrawn = AbortSignal.abort();
    await expect(policy.infer(observation('pick'), 5_000, { signal: withdrawn })).rejects.toMatchObject({
      code: 'model.failed',
    });
    expect((await policy.infer(observation('pick'), 5_000)).actions.data).toHaveLength(6);
    await policy.close();
  });

  it.each([
    ['a scale for an input that is not there', { inputs: { nobody: { mode: 'identity' } } }, /nobody/],
    [
      'a scale of another width',
      { inputs: { x: { mode: 'mean_std', mean: [1, 2, 3], std: [1, 1, 1] } } },
      /mean/,
    ],
  ])('refuses a card with %s', async (_, wrong, words) => {
    const graph = {
      inputs: [{ name: 'x', shape: [1, 2] }],
      outputs: [{ name: 'a', shape: [1, 2] }],
      constants: [{ name: 'one', shape: [1], data: floats(1) }],
      nodes: [{ op: 'Add', inputs: ['x', 'one'], outputs: ['a'] }],
    };
    const normalization = { output: { mode: 'identity' }, ...wrong } as never;
    const card = {
      inputs: { x: [1, 2] },
      output: { name: 'a', shape: [1, 2] as const },
      step_ms: 50,
      normalization,
    };
    await expect(OnnxPolicy.load(model('wrong', graph, card), clock)).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(words),
    });
  });
});
