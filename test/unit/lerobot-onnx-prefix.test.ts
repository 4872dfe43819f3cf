import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type ModelCard, readModel } from '../../adapters/onnx/model-card.ts';
import { networkInputs } from '../../adapters/onnx/onnx-inputs.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import { LazyPolicy } from '../../formats/policy-wire/lazy-policy.ts';
import { type OnnxGraph, onnxFile } from '../../scripts/policy/onnx-file.ts';
import { policyConformance } from '../conformance/policy.ts';
import { checkTold, mean, runLoop } from '../support/prefix-loop.ts';

const directory = mkdtempSync(join(tmpdir(), 'prefix-'));
const clock = new SystemClock();
const DRIVE = join(import.meta.dirname, '..', '..', 'apps', 'turtlebot-maze', 'policy', 'drive.onnx');
afterAll(() => rmSync(directory, { recursive: true }));

const [FLOAT, INT32, INT64, BOOL, DOUBLE] = [1, 6, 7, 9, 11];
const HORIZON = 16;
const ROWS = 8;
const SPEED = 0.02;
const STATE = 'observation.state';

type Input = OnnxGraph['inputs'][number];
const ACTIONS: Input = { name: 'action_prefix', shape: [1, ROWS, 2] };
const LENGTH: Input = { name: 'prefix_length', shape: [1], type: INT64 };
const MASK: Input = { name: 'prefix_mask', shape: [1, ROWS] };

/**
 * A network that goes on at a constant speed: from the last action of the prefix, or from the joints as measured where
 * there is none. In the rows of the prefix it answers what it answers: the joints, going on backwards.
 */
function goesOn(inputs: readonly Input[]): OnnxGraph {
  const takes = (name: string) => inputs.some((one) => one.name === name);
  const counts = takes('prefix_length')
    ? [{ op: 'Cast', inputs: ['prefix_length'], outputs: ['count'], attributes: { to: INT64 } }]
    : [
        { op: 'Cast', inputs: ['prefix_mask'], outputs: ['mask'], attributes: { to: FLOAT } },
        { op: 'ReduceSum', inputs: ['mask', 'axis'], outputs: ['sum'], attributes: { keepdims: 0 } },
        { op: 'Cast', inputs: ['sum'], outputs: ['count'], attributes: { to: INT64 } },
      ];
  const nodes: OnnxGraph['nodes'] = takes('action_prefix')
    ? [
        ...counts,
        { op: 'Sub', inputs: ['count', 'one'], outputs: ['before'] },
        { op: 'Max', inputs: ['before', 'zero'], outputs: ['last'] },
        { op: 'Reshape', inputs: ['action_prefix', 'rows'], outputs: ['fixed'] },
        { op: 'Gather', inputs: ['fixed', 'last'], outputs: ['action'], attributes: { axis: 0 } },
        { op: 'Less', inputs: ['before', 'zero'], outputs: ['none'] },
        { op: 'Where', inputs: ['none', STATE, 'action'], outputs: ['here'] },
      ]
    : [
        { op: 'Identity', inputs: [STATE], outputs: ['here'] },
        { op: 'Identity', inputs: ['zero'], outputs: ['last'] },
      ];
  const used = (name: string) => nodes.some(({ inputs: of }) => of.includes(name));
  return {
    name: 'goes on',
    inputs: [{ name: STATE, shape: [1, 2] }, ...inputs],
    outputs: [{ name: 'actions', shape: [HORIZON, 2] }],
    constants: [
      ...[
        { name: 'zero', shape: [1], data: BigInt64Array.of(0n) },
        { name: 'one', shape: [1], data: BigInt64Array.of(1n) },
        { name: 'axis', shape: [1], data: BigInt64Array.of(1n) },
        { name: 'rows', shape: [2], data: BigInt64Array.of(-1n, 2n) },
      ].filter(({ name }) => used(name)),
      { name: 'places', shape: [HORIZON, 1], data: Float32Array.from({ length: HORIZON }, (_, i) => i) },
      { name: 'speed', shape: [1, 2], data: Float32Array.of(SPEED, -SPEED) },
    ],
    nodes: [
      ...nodes,
      { op: 'Cast', inputs: ['last'], outputs: ['from'], attributes: { to: FLOAT } },
      { op: 'Sub', inputs: ['places', 'from'], outputs: ['ahead'] },
      { op: 'Mul', inputs: ['ahead', 'speed'], outputs: ['way'] },
      { op: 'Add', inputs: ['here', 'way'], outputs: ['actions'] },
    ],
  };
}

let files = 0;
function model(inputs: readonly Input[], card: Partial<ModelCard> = {}): string {
  const path = join(directory, `model-${files++}.onnx`);
  const bytes = onnxFile(goesOn(inputs), 'test');
  writeFileSync(path, bytes);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const output = { name: 'actions', shape: [HORIZON, 2] };
  const plain = { name: 'goes-on', sha256, inputs: { [STATE]: [1, 2] }, output, step_ms: 50 };
  writeFileSync(`${path}.json`, JSON.stringify({ ...plain, ...card }));
  return path;
}

const at = (a: number, b: number) => ({
  tensors: { [STATE]: { shape: [1, 2], data: Float32Array.of(a, b) } },
  stamp: 1n,
});
const prefix = (...values: number[]) => ({
  prefix: { shape: [values.length / 2, 2], data: Float32Array.from(values) },
});

policyConformance('ONNX, a network that takes a prefix', () =>
  OnnxPolicy.load(model([ACTIONS, LENGTH]), clock),
);

describe('what an ONNX file says of its inputs', () => {
  it('names, types and shapes, of the networks that come with the house too', () => {
    expect(networkInputs(onnxFile(goesOn([ACTIONS, LENGTH]), 'test'), 'a.onnx')).toEqual([
      { name: STATE, type: 'float32', shape: [1, 2] },
      { name: 'action_prefix', type: 'float32', shape: [1, ROWS, 2] },
      { name: 'prefix_length', type: 'int64', shape: [1] },
    ]);
    expect(networkInputs(readFileSync(DRIVE), DRIVE).map(({ name }) => name)).toEqual([
      'scan',
      'goal',
      'twist',
    ]);
  });

  it('nothing where it is none, wherever it was cut', () => {
    const whole = onnxFile(goesOn([ACTIONS, LENGTH]), 'test');
    for (let length = 0; length < whole.length; length++)
      expect(networkInputs(whole.subarray(0, length), 'a.onnx')).toEqual([]);
    expect(networkInputs(new TextEncoder().encode('this is no network'), 'a.onnx')).toEqual([]);
  });
});

describe('an ONNX policy that takes a prefix', () => {
  it.each<[string, readonly Input[]]>([
    ['its length', [ACTIONS, LENGTH]],
    ['its length in 32 bits', [ACTIONS, { ...LENGTH, type: INT32 }]],
    ['its length as a float', [ACTIONS, { ...LENGTH, type: FLOAT }]],
    [
      'its length, without batches',
      [
        { ...ACTIONS, shape: [ROWS, 2] },
        { ...LENGTH, shape: [] },
      ],
    ],
    ['a mask', [ACTIONS, MASK]],
    ['a mask of truths', [ACTIONS, { ...MASK, type: BOOL }]],
  ])('is told by %s, goes on from there, and leaves what is fixed bit by bit', async (_, inputs) => {
    const policy = await OnnxPolicy.load(model(inputs), clock);
    expect(policy.describe().takesPrefix).toBe(true);
    const fixed = [0.1, 0.2, 0.3, 0.1, 1 / 3, -5];
    const { data } = (await policy.infer(at(9, 9), 5_000, prefix(...fixed))).actions;
    expect([...data.subarray(0, 6)]).toEqual([...Float32Array.from(fixed)]);
    expect(data[6]).toBeCloseTo(1 / 3 + SPEED, 6);
    expect(data[7]).toBeCloseTo(-5 - SPEED, 6);
    expect(data[30]).toBeCloseTo(1 / 3 + 13 * SPEED, 6);
    const none = (await policy.infer(at(9, 9), 5_000)).actions.data;
    expect(none[0]).toBe(9);
    const empty = (await policy.infer(at(9, 9), 5_000, prefix())).actions.data;
    expect([...empty]).toEqual([...none]);
    await policy.close();
  });

  it('gives the network the prefix in its own numbers: scaled as its answers are', async () => {
    const output = { mode: 'min_max', min: [0, 0], max: [2, 20] } as const;
    const policy = await OnnxPolicy.load(
      model([ACTIONS, LENGTH], { normalization: { inputs: {}, output } }),
      clock,
    );
    const { data } = (await policy.infer(at(0, 0), 5_000, prefix(1.5, 15))).actions;
    // Half of the range above its middle is 0.5 to the network; it adds 0.02 and takes 0.02 away.
    expect([...data.subarray(0, 2)]).toEqual([1.5, 15]);
    expect(data[2]).toBeCloseTo(1.5 + SPEED, 5);
    expect(data[3]).toBeCloseTo(15 - 10 * SPEED, 4);
    await policy.close();
  });

  it('of a prefix that is longer than it knows it is given the beginning', async () => {
    const policy = await OnnxPolicy.load(model([ACTIONS, LENGTH]), clock);
    const long = prefix(...Array.from({ length: 2 * (ROWS + 2) }, (_, i) => i));
    const { data } = (await policy.infer(at(0, 0), 5_000, long)).actions;
    expect([...data.subarray(0, 16)]).toEqual(Array.from({ length: 16 }, (_, i) => i));
    expect(data[16]).toBeCloseTo(14 + SPEED, 5);
    await policy.close();
  });

  it.each<[string, { prefix: { shape: number[]; data: Float32Array } }, RegExp]>([
    [
      'of another width',
      { prefix: { shape: [1, 3], data: new Float32Array(3) } },
      /\/prefix: shape \[n, 2\]/,
    ],
    ['longer than a chunk', prefix(...new Array<number>(34).fill(0)), /n up to 16, found \[17, 2\]/],
    ['that is not a number', prefix(0, Number.NaN), /\/prefix\/1: a finite number/],
    ['with fewer numbers than told', { prefix: { shape: [2, 2], data: new Float32Array(3) } }, /4 float32/],
  ])('refuses a prefix %s', async (_, options, message) => {
    const policy = await OnnxPolicy.load(model([ACTIONS, LENGTH]), clock);
    await expect(policy.infer(at(0, 0), 5_000, options)).rejects.toMatchObject({
      code: 'model.bad_observation',
      message: expect.stringMatching(message),
    });
    await policy.close();
  });

  it.each<[string, readonly Input[], RegExp, Partial<ModelCard>?]>([
    [
      'doubles',
      [{ ...ACTIONS, type: DOUBLE }, LENGTH],
      /action_prefix.*float32 \[1, rows, 2\].*float64 \[1, 8, 2\]/,
    ],
    ['another width', [{ ...ACTIONS, shape: [1, 8, 3] }, LENGTH], /action_prefix.*found float32 \[1, 8, 3\]/],
    ['more rows than a chunk', [{ ...ACTIONS, shape: [1, 17, 2] }, LENGTH], /1 to 16 rows/],
    ['a batch', [{ ...ACTIONS, shape: [2, 8, 2] }, LENGTH], /action_prefix/],
    ['two lengths', [ACTIONS, { ...LENGTH, shape: [2] }], /prefix_length.*int64.*found int64 \[2\]/],
    ['a length of truths', [ACTIONS, { ...LENGTH, type: BOOL }], /prefix_length.*found bool \[1\]/],
    ['a mask of other length', [ACTIONS, { ...MASK, shape: [1, 7] }], /prefix_mask.*\[1, 8\].*\[1, 7\]/],
    ['no length at all', [ACTIONS], /prefix_length int64 \[1\] or prefix_mask/],
    [
      'a card that takes it for measured',
      [ACTIONS, LENGTH],
      /inputs in the card/,
      { inputs: { [STATE]: [1, 2], action_prefix: [1, 8, 2] } },
    ],
  ])(
    'refuses when it is loaded a network with %s, naming file, input and what was expected',
    async (_, inputs, message, card) => {
      const path = model(inputs, card);
      await expect(OnnxPolicy.load(path, clock)).rejects.toMatchObject({
        code: 'model.unavailable',
        subject: path,
        message: expect.stringMatching(message),
      });
    },
  );

  it('is known to take one before it is loaded, as the daemon serves it', async () => {
    const path = model([ACTIONS, LENGTH]);
    const { description } = await readModel(path);
    const lazy = new LazyPolicy(description, clock, () => OnnxPolicy.load(path, clock));
    expect(lazy.describe().takesPrefix).toBe(true);
    const { data } = (await lazy.infer(at(9, 9), 10_000, prefix(1, 1))).actions;
    expect(data[2]).toBeCloseTo(1 + SPEED, 5);
    await lazy.close();
  });

  it('one without these inputs declares none, and a prefix changes nothing for it', async () => {
    const policy = await OnnxPolicy.load(model([]), clock);
    expect(policy.describe()).not.toHaveProperty('takesPrefix');
    const told = await policy.infer(at(1, 2), 5_000, prefix(5, 5, 6, 6));
    expect([...told.actions.data]).toEqual([...(await policy.infer(at(1, 2), 5_000)).actions.data]);
    await policy.close();
  });
});

describe('real-time chunking', () => {
  const swings = (question: number) => [100, 300, 200][question % 3]!;

  it.each<[string, (question: number) => number]>([
    ['100 ms', () => 100],
    ['200 ms', () => 200],
    ['300 ms', () => 300],
    ['100 to 300 ms', swings],
  ])(
    'behind a path of %s goes on where the chunk before was, and is told exactly what is applied',
    async (name, delayMs) => {
      const leaps: number[] = [];
      for (const inputs of [[], [ACTIONS, LENGTH]]) {
        const policy = await OnnxPolicy.load(model(inputs), clock);
        const result = await runLoop({ policy, delayMs, seconds: 10, start: [0, 0], noise: 0.02 });
        await policy.close();
        expect(result.leaps.length).toBeGreaterThan(10);
        leaps.push(mean(result.leaps));
        if (inputs.length === 0) expect(result.prefixes).toEqual([]);
        else expect(checkTold(result).rows).toBeGreaterThan(result.leaps.length);
      }
      const [without, with_] = leaps as [number, number];
      console.log(
        `${name}: leaps of ${without.toFixed(4)} rad without a prefix, ${with_.toExponential(1)} with one`,
      );
      expect(with_).toBeLessThan(without / 20);
    },
  );
});
