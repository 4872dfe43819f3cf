import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { DatasetEpisode, DatasetFrame, DatasetSpec, Sample } from '../../contract/core.ts';
import { encodeImage, encodeJointState } from '../../formats/cdr/index.ts';
import { encodeAny } from '../../formats/ros2/index.ts';

const run = promisify(execFile);
const peers = join(import.meta.dirname, '..', 'peers');
let python: string | undefined;
let ffmpeg: string | undefined;

/** The Python with pyarrow, pandas and a static ffmpeg; installs it where `npm test` has not yet. */
export function datasetsPython(): string {
  python ??= execFileSync(join(peers, 'datasets.sh'), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
  return python;
}

export function testFfmpeg(): string {
  ffmpeg ??= execFileSync(
    datasetsPython(),
    ['-c', 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())'],
    { encoding: 'utf8' },
  ).trim();
  return ffmpeg;
}

/** What Python makes of a dataset, by the way LeRobot reads it. */
export async function pythonView(root: string): Promise<PythonView> {
  const { stdout } = await run(datasetsPython(), [join(peers, 'read_dataset.py'), root], {
    maxBuffer: 1 << 28,
  });
  return JSON.parse(stdout) as PythonView;
}

export type PythonView = {
  readonly info: { readonly total_episodes: number; readonly total_frames: number };
  readonly tasks: readonly string[];
  readonly episodes: readonly Readonly<Record<string, unknown>>[];
  readonly data: Readonly<Record<string, readonly unknown[]>>;
  readonly stats: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

export const JOINTS = ['joint_1', 'joint_2', 'joint_3', 'joint_4', 'joint_5', 'joint_6', 'gripper'];

export const SPEC: DatasetSpec = {
  fps: 20,
  robotType: 'ar4',
  features: {
    'observation.state': { kind: 'vector', names: JOINTS },
    action: { kind: 'vector', names: JOINTS },
  },
};

export function withCamera(height = 48, width = 64): DatasetSpec {
  return {
    ...SPEC,
    features: { ...SPEC.features, 'observation.images.front': { kind: 'video', height, width } },
  };
}

/** A picture with a gradient and a square that moves: what a codec keeps and a shifted frame shows. */
export function picture(height: number, width: number, k: number): Uint8Array {
  const rgb = new Uint8Array(height * width * 3);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const isSquare = Math.abs(x - ((k * 3) % width)) < 6 && Math.abs(y - height / 2) < 8;
      rgb.set(isSquare ? [230, 40, 40] : [(x * 255) / width, (y * 255) / height, 90], (y * width + x) * 3);
    }
  return rgb;
}

/** An episode of numbers that tell episode, frame and place. */
export function madeEpisode(
  spec: DatasetSpec,
  of: { index: number; length: number; task?: string; success?: boolean; pauseEvery?: () => Promise<void> },
): DatasetEpisode {
  const { index, length, task = 'pick the cube', success } = of;
  return {
    task,
    source: `episode-${index}`,
    ...(success === undefined ? {} : { success }),
    length: () => Promise.resolve(length),
    async *frames(): AsyncGenerator<DatasetFrame> {
      for (let k = 0; k < length; k++) {
        await of.pauseEvery?.();
        const vectors: Record<string, Float32Array> = {};
        const images: Record<string, Uint8Array> = {};
        for (const [key, feature] of Object.entries(spec.features)) {
          if (feature.kind === 'video') images[key] = picture(feature.height, feature.width, k + index * 7);
          else
            vectors[key] = Float32Array.from(feature.names, (_, i) =>
              Math.sin(index * 1.3 + k / 10 + i + (key === 'action' ? 0.05 : 0)),
            );
        }
        yield { time: k / spec.fps, vectors, images };
      }
    },
  };
}

export function jointSample(
  time: bigint,
  values: readonly number[],
  names: readonly string[] = JOINTS,
  topic = '/joint_states',
): Sample {
  const nothing = new Float64Array();
  const bytes = encodeJointState({
    header: { stamp: time, frame_id: '' },
    name: names,
    position: Float64Array.from(values),
    velocity: nothing,
    effort: nothing,
  });
  return { topic, type: 'sensor_msgs/msg/JointState', stamp: time, received: time, bytes };
}

export function commandSample(time: bigint, values: readonly number[]): Sample {
  const type = 'std_msgs/msg/Float64MultiArray';
  const bytes = encodeAny(type, { data: Float64Array.from(values) });
  return { topic: '/forward_position_controller/commands', type, stamp: time, received: time, bytes };
}

export function cameraSample(time: bigint, rgb: Uint8Array, height = 48, width = 64): Sample {
  const header = { stamp: time, frame_id: 'camera' };
  const bytes = encodeImage({
    header,
    height,
    width,
    encoding: 'rgb8',
    bigEndian: false,
    step: width * 3,
    data: rgb,
  });
  return {
    topic: '/camera/front/image_raw',
    type: 'sensor_msgs/msg/Image',
    stamp: time,
    received: time,
    bytes,
  };
}

/** Peak signal to noise of two pictures, decibels. */
export function psnr(a: Uint8Array, b: Uint8Array): number {
  const error = a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length;
  return 10 * Math.log10((255 * 255) / Math.max(error, 1e-9));
}
