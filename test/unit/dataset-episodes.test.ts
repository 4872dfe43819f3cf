import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { decodePicture } from '../../adapters/images/sharp-decoder.ts';
import {
  EpisodeFromSamples,
  type EpisodeMapping,
  mappingLike,
} from '../../adapters/lerobot-dataset/index.ts';
import type { DatasetFrame, Sample } from '../../contract/core.ts';
import { encodeCompressedImage } from '../../formats/cdr/index.ts';
import { encodeAny } from '../../formats/ros2/index.ts';
import { cameraSample, commandSample, jointSample, picture, psnr } from '../support/datasets.ts';

const MS = 1_000_000n;
const T0 = 1_760_000_000_000_000_000n;
const at = (ms: number) => T0 + BigInt(ms) * MS;
const mapping: EpisodeMapping = {
  fps: 10,
  slopMs: 0,
  vectors: {
    'observation.state': { topic: '/joint_states', maxAgeMs: 500 },
    action: { topic: '/forward_position_controller/commands', maxAgeMs: 1_000, isAction: true },
  },
  images: {},
};
const camera: EpisodeMapping = {
  ...mapping,
  images: { 'observation.images.front': { topic: '/camera/front/image_raw', maxAgeMs: 500 } },
};

function episode(samples: readonly Sample[], map: EpisodeMapping = mapping): EpisodeFromSamples {
  return new EpisodeFromSamples(
    {
      task: 'pick',
      source: 'recording-1',
      async *samples(topics) {
        for (const sample of samples) if (topics.has(sample.topic)) yield sample;
      },
    },
    map,
  );
}

async function framesOf(of: EpisodeFromSamples): Promise<DatasetFrame[]> {
  const frames: DatasetFrame[] = [];
  for await (const frame of of.frames()) frames.push(frame);
  return frames;
}

const state = (frames: readonly DatasetFrame[]) =>
  frames.map(({ vectors }) => [...vectors['observation.state']!]);
const commands = (count: number) =>
  Array.from({ length: count }, (_, k) => commandSample(at(100 * k + 1), [k, k]));

describe('a recording as frames', () => {
  it('takes joints by name, in the order of the dataset, whatever order a message has', async () => {
    const names = ['a', 'b'];
    const samples = [
      jointSample(at(0), [2, 1], ['b', 'a']),
      jointSample(at(100), [3, 4], names),
      jointSample(at(200), [6, 5, 9], ['b', 'a', 'wheel']),
      ...commands(3),
    ];
    const own = await episode(samples).spec('r');
    expect(own.features['observation.state']).toEqual({ kind: 'vector', names: ['b', 'a'] });
    // Commands have an order of their own, and say no names.
    expect(own.features['action']).toEqual({ kind: 'vector', names: ['0', '1'] });
    const like = mappingLike(mapping, {
      ...own,
      features: { ...own.features, 'observation.state': { kind: 'vector', names } },
    });
    expect(state(await framesOf(episode(samples, like)))).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
  });

  it('orders the numbers of a command as it was told to, and not as the joints of another message', async () => {
    const joints = ['elbow', 'lift', 'pan'];
    const samples = [0, 1].flatMap((k) => [
      jointSample(at(100 * k), [k, k, k], joints),
      commandSample(at(100 * k + 1), [1, 2, 3]),
    ]);
    const { action } = mapping.vectors;
    const named = { ...mapping.vectors, action: { ...action!, names: ['pan', 'lift', 'elbow'] } };
    const names = async (map: EpisodeMapping) => (await episode(samples, map).spec('r')).features['action'];
    expect(await names(mapping)).toEqual({ kind: 'vector', names: ['0', '1', '2'] });
    expect(await names({ ...mapping, vectors: named })).toEqual({
      kind: 'vector',
      names: ['pan', 'lift', 'elbow'],
    });
    // A dataset that has none goes on without; names that were given are not dropped for it.
    const like = await episode(samples).spec('r');
    expect(await names(mappingLike(mapping, like))).toEqual(like.features['action']);
    expect(await names(mappingLike({ ...mapping, vectors: named }, like))).not.toEqual(
      like.features['action'],
    );
  });

  it.each([
    ['a joint', [jointSample(at(100), [Number.NaN, 1], ['a', 'b'])], /joint_states: a is NaN/],
    ['a command', [commandSample(at(150), [1, Number.POSITIVE_INFINITY])], /commands: number 1 is Infinity/],
  ] as [string, Sample[], RegExp][])(
    'is none where %s that was asked for is no number: nothing else is put in its place',
    async (_, odd, words) => {
      const samples = [
        ...[0, 200, 300].map((ms) => jointSample(at(ms), [1, 2], ['a', 'b'])),
        ...[1, 101, 201].map((ms) => commandSample(at(ms), [1, 2])),
        ...odd,
      ].sort((a, b) => Number(a.received - b.received));
      await expect(episode(samples).length()).rejects.toMatchObject({
        code: 'sample.malformed',
        message: expect.stringMatching(words),
      });
    },
  );

  it('takes no offence at a joint without a number that was not asked for', async () => {
    const samples = [
      ...[0, 100].map((ms) => jointSample(at(ms), [1, 2, Number.NaN], ['a', 'b', 'wheel'])),
      ...commands(2),
    ];
    const vectors = {
      ...mapping.vectors,
      'observation.state': { topic: '/joint_states', maxAgeMs: 500, names: ['a', 'b'] },
    };
    expect(await episode(samples, { ...mapping, vectors }).length()).toBe(2);
  });

  it('waits until every joint was named, and keeps what others did not say again', async () => {
    const samples = [
      jointSample(at(0), [1], ['a']),
      jointSample(at(50), [2], ['b']),
      jointSample(at(150), [3], ['a']),
      jointSample(at(250), [4], ['b']),
      ...commands(3),
    ];
    const like = {
      ...mapping,
      vectors: {
        ...mapping.vectors,
        'observation.state': { topic: '/joint_states', maxAgeMs: 500, names: ['a', 'b'] },
      },
    };
    const one = episode(samples, like);
    expect(state(await framesOf(one))).toEqual([
      [1, 2],
      [3, 2],
      [3, 4],
    ]);
    expect(one.notes()).toMatchObject({ skipped: { 'observation.state': 1 } });
    const lacking = {
      ...like,
      vectors: {
        ...like.vectors,
        'observation.state': { topic: '/joint_states', maxAgeMs: 1, names: ['a', 'hand'] },
      },
    };
    await expect(episode(samples, lacking).length()).rejects.toThrow(
      /hand on \/joint_states .*was not recorded/,
    );
  });

  it('goes by the arrival where a stamp is of another clock', async () => {
    const samples = Array.from({ length: 4 }, (_, k) => ({
      ...jointSample(BigInt(k) * 100n * MS, [k, k], ['a', 'b']),
      received: at(100 * k),
    }));
    expect(state(await framesOf(episode([...samples, ...commands(4)])))).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
      [3, 3],
    ]);
  });

  it('reads what a controller applied, and fields that are named', async () => {
    const applied = (k: number): Sample => ({
      topic: '/auraison/actions/arm',
      type: 'std_msgs/msg/String',
      stamp: at(100 * k + 1),
      received: at(100 * k + 1),
      bytes: encodeAny('std_msgs/msg/String', {
        data: JSON.stringify({ names: ['a', 'b'], asked: [9, 9], applied: [k, 3 - k], verdict: 'limited' }),
      }),
    });
    const twist = (k: number): Sample => ({
      topic: '/cmd_vel',
      type: 'geometry_msgs/msg/Twist',
      stamp: at(100 * k),
      received: at(100 * k),
      bytes: encodeAny('geometry_msgs/msg/Twist', {
        linear: { x: k, y: 0, z: 0 },
        angular: { x: 0, y: 0, z: k / 2 },
      }),
    });
    const frames = await framesOf(
      episode(
        [0, 1, 2].flatMap((k) => [twist(k), applied(k)]),
        {
          ...mapping,
          vectors: {
            'observation.state': { topic: '/cmd_vel', maxAgeMs: 500, fields: ['linear.x', 'angular.z'] },
            action: { topic: '/auraison/actions/arm', maxAgeMs: 500, isAction: true },
          },
        },
      ),
    );
    expect(state(frames)).toEqual([
      [0, 0],
      [1, 0.5],
      [2, 1],
    ]);
    expect(frames.map(({ vectors }) => [...vectors['action']!])).toEqual([
      [0, 3],
      [1, 2],
      [2, 1],
    ]);
  });

  it('unpacks pictures that the camera compressed', async () => {
    const shown = picture(48, 64, 5);
    const data = new Uint8Array(
      await sharp(shown, { raw: { width: 64, height: 48, channels: 3 } })
        .png()
        .toBuffer(),
    );
    const packed = (k: number): Sample => ({
      topic: '/camera/front/image_raw',
      type: 'sensor_msgs/msg/CompressedImage',
      stamp: at(100 * k),
      received: at(100 * k),
      bytes: encodeCompressedImage({ header: { stamp: at(100 * k), frame_id: '' }, format: 'png', data }),
    });
    const samples = [0, 1].flatMap((k) => [jointSample(at(100 * k), [1, 2], ['a', 'b']), packed(k)]);
    const one = episode([...samples, ...commands(2)], { ...camera, decode: decodePicture });
    expect((await one.spec('r')).features['observation.images.front']).toEqual({
      kind: 'video',
      height: 48,
      width: 64,
    });
    const [first] = await framesOf(one);
    expect(psnr(first!.images['observation.images.front']!, shown)).toBeGreaterThan(60);
    await expect(episode(samples, camera).length()).rejects.toThrow(/CompressedImage is not an image type/);
  });

  it.each([
    [
      'changes its size',
      [cameraSample(at(0), picture(48, 64, 0)), cameraSample(at(100), picture(64, 48, 0), 64, 48)],
      /changes its size from 64x48 to 48x64/,
    ],
    [
      'was cut off',
      [
        {
          ...cameraSample(at(0), picture(48, 64, 0)),
          bytes: cameraSample(at(0), picture(48, 64, 0)).bytes.slice(0, 900),
        },
      ],
      /./,
    ],
    ['never came', [], /\/camera\/front\/image_raw .*was not recorded/],
  ] as [string, Sample[], RegExp][])('refuses a recording whose picture %s', async (_, pictures, words) => {
    const samples = [jointSample(at(0), [1, 2], ['a', 'b']), ...commands(2), ...pictures];
    await expect(episode(samples, camera).length()).rejects.toThrow(words);
  });

  it('refuses pictures of another size than those of the dataset', async () => {
    const samples = [
      jointSample(at(0), [1, 2], ['a', 'b']),
      cameraSample(at(0), picture(48, 64, 0)),
      ...commands(2),
    ];
    const spec = await episode(samples, camera).spec('r');
    const other = {
      ...spec,
      features: {
        ...spec.features,
        'observation.images.front': { kind: 'video', height: 64, width: 48 } as const,
      },
    };
    await expect(episode(samples, mappingLike(camera, other)).length()).rejects.toThrow(
      /64x48, but those in the dataset are 48x64/,
    );
  });
});
