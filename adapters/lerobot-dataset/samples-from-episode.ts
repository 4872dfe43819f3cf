import type { DatasetEpisode, DatasetSpec, Sample } from '../../contract/core.ts';
import { encodeImage, encodeJointState } from '../../formats/cdr/index.ts';
import { encodeAny } from '../../formats/ros2/index.ts';
import { invalid } from './info.ts';
import { frameOffsetNs } from './resample.ts';

export type TopicMap = Readonly<Record<string, { readonly topic: string; readonly type: string }>>;

const JOINT_STATE = 'sensor_msgs/msg/JointState';
const NUMBERS = 'std_msgs/msg/Float64MultiArray';
const IMAGE = 'sensor_msgs/msg/Image';

/** The topics that this house records features under: joint states, commands, camera images, and a topic of its own for any other vector. */
export function topicsFor(spec: DatasetSpec): TopicMap {
  return Object.fromEntries(
    Object.entries(spec.features).map(([key, feature]) => {
      if (feature.kind === 'video') {
        const camera = key.replace(/^observation\.images?\./, '').replace(/[^A-Za-z0-9_]/g, '_');
        return [key, { topic: `/camera/${camera}/image_raw`, type: IMAGE }];
      }
      if (key === 'observation.state') return [key, { topic: '/joint_states', type: JOINT_STATE }];
      if (key === 'action') return [key, { topic: '/forward_position_controller/commands', type: NUMBERS }];
      return [key, { topic: `/dataset/${key.replace(/[^A-Za-z0-9_]/g, '_')}`, type: JOINT_STATE }];
    }),
  );
}

/**
 * The frames of an episode as the samples they could have been recorded as: every feature of a frame at the frame's
 * time, `startNs` for the first. float32 numbers pass float64 messages and come back bit-equal.
 */
export async function* samplesOf(
  episode: DatasetEpisode,
  spec: DatasetSpec,
  topics: TopicMap,
  startNs: bigint,
): AsyncGenerator<Sample> {
  let k = 0;
  for await (const frame of episode.frames()) {
    const time = startNs + frameOffsetNs(k, spec.fps);
    for (const [key, feature] of Object.entries(spec.features)) {
      const at = topics[key];
      if (!at) throw invalid(key, 'has no topic');
      const bytes =
        feature.kind === 'video'
          ? pictureBytes(frame.images[key], feature, time)
          : vectorBytes(frame.vectors[key], feature.names, at.type, time);
      yield { topic: at.topic, type: at.type, stamp: time, received: time, bytes };
    }
    k += 1;
  }
}

function headerOf(time: bigint, frame: string) {
  return { stamp: time, frame_id: frame };
}

function pictureBytes(
  data: Uint8Array | undefined,
  { height, width }: { height: number; width: number },
  time: bigint,
): Uint8Array {
  if (!data) throw invalid('dataset', 'a frame has no image');
  const header = headerOf(time, 'camera');
  return encodeImage({ header, height, width, encoding: 'rgb8', bigEndian: false, step: width * 3, data });
}

function vectorBytes(
  values: Float32Array | undefined,
  names: readonly string[],
  type: string,
  time: bigint,
): Uint8Array {
  if (!values) throw invalid('dataset', 'a frame has no vector');
  if (type === NUMBERS) return encodeAny(NUMBERS, { data: Float64Array.from(values) });
  const nothing = new Float64Array();
  const position = Float64Array.from(values);
  return encodeJointState({
    header: headerOf(time, ''),
    name: names,
    position,
    velocity: nothing,
    effort: nothing,
  });
}
