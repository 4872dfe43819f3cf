import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../adapters/images/sharp-decoder.ts';
import type { PolicyDescription, Sample } from '../../contract/core.ts';
import type { InputSpec } from '../../daemon/execution/controllers/controller-spec.ts';
import { ObservationDesk } from '../../daemon/execution/controllers/observation-desk.ts';
import { resize } from '../../daemon/execution/controllers/resize.ts';
import {
  CdrWriter,
  encodeCompressedImage,
  encodeFloat64MultiArray,
  encodeImage,
  encodeJointState,
  encodeOdometry,
  encodeTwist,
  quaternionOfYaw,
} from '../../formats/cdr/index.ts';
import { inputSpec } from '../fakes/controller-spec.ts';

const stamp = 1_700_000_000_000_000_000n;
const header = { stamp, frame_id: 'base_link' };
const none = new Float64Array(0);
const sample = (topic: string, type: string, bytes: Uint8Array, at = stamp): Sample => ({
  ...{ topic, type, stamp: at, received: at, bytes },
});
const joints = (name: string[], position: number[], velocity: number[] = []) =>
  sample(
    '/joint_states',
    'sensor_msgs/msg/JointState',
    encodeJointState({
      ...{ header, name, position: Float64Array.from(position), effort: none },
      velocity: Float64Array.from(velocity),
    }),
  );
const policyOf = (over: Partial<PolicyDescription>): PolicyDescription => ({
  ...{ name: 'p', hash: 'h', inputs: {}, output: [1, 1], stepMs: 20 },
  ...over,
});

/** What a policy with these inputs sees. */
async function seen(
  specs: Partial<InputSpec>[],
  samples: Sample[],
  policy: Partial<PolicyDescription>,
  task?: string,
) {
  const desk = new ObservationDesk(
    { inputs: specs.map((one) => inputSpec({ joints: [], ...one })) },
    decodePicture,
  );
  for (const one of samples) desk.offer(one, 1_000, () => {});
  return desk.observe(policyOf(policy), task);
}
const state = async (specs: Partial<InputSpec>[], samples: Sample[], length: number) => {
  const inputs = { 'observation.state': [1, length] };
  const { tensors } = await seen(specs, samples, { inputs });
  return [...tensors['observation.state']!.data];
};

describe('observations', () => {
  it('take joints by name, in the order of the configuration, and the field that is asked for', async () => {
    const told = joints(['c', 'a', 'b'], [3, 1, 2], [30, 10, 20]);
    expect(await state([{ joints: ['a', 'b'] }], [told], 2)).toEqual([1, 2]);
    expect(await state([{ joints: ['b', 'c'], field: 'velocity' }], [told], 2)).toEqual([20, 30]);
    expect(await state([{}], [told], 3)).toEqual([3, 1, 2]);
  });

  it('put several inputs of one name behind each other, and tell the oldest stamp and where each came from', async () => {
    const later = stamp + 5_000_000n;
    const array = sample(
      '/extra',
      'std_msgs/msg/Float64MultiArray',
      encodeFloat64MultiArray(Float64Array.of(7, 8)),
      later,
    );
    const observation = await seen(
      [{ joints: ['a'] }, { topic: '/extra' }],
      [joints(['a'], [1]), array],
      { inputs: { 'observation.state': [3] } },
      'pick',
    );
    expect([...observation.tensors['observation.state']!.data]).toEqual([1, 7, 8]);
    expect(observation).toMatchObject({
      stamp,
      task: 'pick',
      sources: { 'observation.state': { topic: '/joint_states', stamp } },
    });
  });

  it('read poses, twists, odometry and single numbers', async () => {
    const pose = { position: { x: 1, y: 2, z: 3 }, orientation: quaternionOfYaw(0) };
    const twist = { linear: { x: 4, y: 5, z: 6 }, angular: { x: 7, y: 8, z: 9 } };
    const covariance = new Float64Array(36);
    const odometry = encodeOdometry({
      ...{ header, child_frame_id: 'base_link', pose: { pose, covariance } },
      twist: { twist, covariance },
    });
    const topic = '/x';
    expect(
      await state([{ topic }], [sample(topic, 'geometry_msgs/msg/Twist', encodeTwist(twist))], 6),
    ).toEqual([4, 5, 6, 7, 8, 9]);
    expect(await state([{ topic }], [sample(topic, 'nav_msgs/msg/Odometry', odometry)], 13)).toEqual([
      ...[1, 2, 3, 0, 0, 0, 1],
      ...[4, 5, 6, 7, 8, 9],
    ]);
    const writer = new CdrWriter();
    writer.float32(0.5);
    expect(await state([{ topic }], [sample(topic, 'std_msgs/msg/Float32', writer.finish())], 1)).toEqual([
      0.5,
    ]);
  });

  it.each([
    ['a joint that is not told', [{ joints: ['z'] }], 1, /reports the joints a, b, but not z/],
    [
      'another length',
      [{ joints: ['a', 'b'] }],
      3,
      /received 2 numbers, but the policy expects the shape \[1, 3\]/,
    ],
    ['a field that is empty', [{ joints: ['a'], field: 'effort' }], 1, /has no effort/],
    ['a topic on which nothing came', [{ topic: '/never' }], 1, /no message received on \/never/],
    [
      'an input that is not configured',
      [{ name: 'other' }],
      1,
      /policy .*p needs the input observation.state; the controller has other/,
    ],
  ] as const)('refuse %s', async (_, specs, length, message) => {
    const asked = state(specs as unknown as Partial<InputSpec>[], [joints(['a', 'b'], [1, 2])], length);
    await expect(asked).rejects.toMatchObject({
      code: 'model.bad_observation',
      message: expect.stringMatching(message) as string,
    });
  });

  it('refuse what is not finite, and a type that is no vector', async () => {
    await expect(state([{ joints: ['a'] }], [joints(['a'], [Number.NaN])], 1)).rejects.toMatchObject({
      message: 'number 0 is NaN',
    });
    const odd = sample('/joint_states', 'std_msgs/msg/String', new Uint8Array([0, 1, 0, 0]));
    await expect(state([{}], [odd], 1)).rejects.toMatchObject({ code: 'model.bad_observation' });
  });

  it('show pictures in the size that the policy takes, raw and compressed alike', async () => {
    const [width, height] = [64, 48];
    const data = new Uint8Array(width * height * 3);
    for (let i = 0; i < data.length; i += 3) data.set([200, 100, 50], i);
    const name = 'observation.images.front';
    const policy = { images: { [name]: [24, 32, 3] as const } };
    const raw = sample(
      '/cam',
      'sensor_msgs/msg/Image',
      encodeImage({ header, width, height, encoding: 'rgb8', bigEndian: false, step: width * 3, data }),
    );
    const file = await sharp(data, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 95 })
      .toBuffer();
    const jpeg = sample(
      '/cam',
      'sensor_msgs/msg/CompressedImage',
      encodeCompressedImage({ header, format: 'jpeg', data: new Uint8Array(file) }),
    );
    for (const one of [raw, jpeg]) {
      const { images } = await seen([{ name, topic: '/cam' }], [one], policy);
      const { shape, data: shown } = images![name]!;
      expect(shape).toEqual([24, 32, 3]);
      for (const [at, colour] of [200, 100, 50].entries())
        expect(Math.abs(shown[at]! - colour)).toBeLessThanOrEqual(3);
    }
    const bomb = encodeCompressedImage({ header, format: 'jpeg', data: new Uint8Array([1, 2, 3]) });
    const broken = sample('/cam', 'sensor_msgs/msg/CompressedImage', bomb);
    await expect(seen([{ name, topic: '/cam' }], [broken], policy)).rejects.toMatchObject({
      code: 'sample.malformed',
    });
  });

  it('swap the channels of bgr8 and spread grey over three', async () => {
    const name = 'observation.images.front';
    const policy = { images: { [name]: [1, 1, 3] as const } };
    const of = (encoding: string, data: number[]) =>
      sample(
        '/cam',
        'sensor_msgs/msg/Image',
        encodeImage({
          ...{ header, width: 1, height: 1, encoding, bigEndian: false },
          ...{ step: data.length, data: Uint8Array.from(data) },
        }),
      );
    const shown = async (one: Sample) => [
      ...(await seen([{ name, topic: '/cam' }], [one], policy)).images![name]!.data,
    ];
    expect(await shown(of('bgr8', [1, 2, 3]))).toEqual([3, 2, 1]);
    expect(await shown(of('mono8', [9]))).toEqual([9, 9, 9]);
    await expect(shown(of('16UC1', [1, 0]))).rejects.toMatchObject({ code: 'model.bad_observation' });
  });
});

describe('resize', () => {
  const grey = (width: number, height: number, values: readonly number[]) => ({
    ...{ width, height },
    data: Uint8Array.from(values.flatMap((value) => [value, value, value])),
  });
  const reds = (data: Uint8Array) => [...data].filter((_, i) => i % 3 === 0);

  it('gives what Pillow gives to within its rounding (bilinear, antialiased)', () => {
    // Image.fromarray(numpy.arange(0, 256, 16, dtype='uint8').reshape(4, 4)).resize((width, height), Image.BILINEAR)
    const picture = grey(
      4,
      4,
      Array.from({ length: 16 }, (_, i) => i * 16),
    );
    const pillow = [
      { height: 2, width: 2, values: [57, 83, 157, 183] },
      { height: 3, width: 3, values: [24, 43, 62, 101, 120, 139, 178, 197, 216] },
      {
        ...{ height: 3, width: 6 },
        values: [19, 27, 38, 48, 59, 67, 96, 104, 115, 125, 136, 144, 173, 181, 192, 202, 213, 221],
      },
    ];
    for (const { height, width, values } of pillow) {
      const ours = reds(resize(picture, height, width, 'stretch').data);
      expect(Math.max(...ours.map((value, i) => Math.abs(value - values[i]!)))).toBeLessThanOrEqual(1);
    }
    expect(resize(picture, 4, 4, 'stretch').data).toEqual(picture.data);
  });

  it('keeps what is even, larger and smaller, in every fit', () => {
    const picture = grey(30, 20, Array(600).fill(77) as number[]);
    for (const fit of ['stretch', 'crop'] as const)
      for (const [height, width] of [
        [7, 9],
        [50, 41],
      ] as const)
        expect(new Set(resize(picture, height, width, fit).data)).toEqual(new Set([77]));
  });

  it('pad keeps the proportions between black bars, crop cuts what juts out', () => {
    const wide = grey(4, 2, [10, 20, 30, 40, 10, 20, 30, 40]);
    const padded = reds(resize(wide, 4, 4, 'pad').data);
    expect(padded.slice(0, 4)).toEqual([0, 0, 0, 0]);
    expect(padded.slice(4, 8)).toEqual([10, 20, 30, 40]);
    expect(padded.slice(12)).toEqual([0, 0, 0, 0]);
    expect(reds(resize(wide, 2, 2, 'crop').data)).toEqual([20, 30, 20, 30]);
  });
});
