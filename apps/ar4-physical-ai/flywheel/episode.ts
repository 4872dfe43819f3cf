import type { DatasetEpisode, DatasetFrame, DatasetSpec } from '../../../contract/index.ts';
import { ENVIRONMENT_NAMES, FEATURES, HZ, STATE_NAMES } from '../observation.ts';

/** One control step as it is learned from: what was seen, and what the teacher did about it. */
export type Frame = {
  readonly state: readonly number[];
  readonly environment: readonly number[];
  readonly action: readonly number[];
};

/** Who moved the arm in the frames: the expert from the start, or the expert who took over from a policy. */
export type EpisodeKind = 'demonstration' | 'intervention';

export type Episode = {
  readonly kind: EpisodeKind;
  /** The start. */
  readonly seed: number;
  /** Of an intervention: the policy that was taken over from, and the step of the episode at which it was. */
  readonly policy?: string;
  readonly from?: number;
  readonly frames: readonly Frame[];
};

/** The features of this application's datasets. */
export const SPEC: DatasetSpec = {
  fps: HZ,
  robotType: 'ar4',
  features: {
    [FEATURES.state]: { kind: 'vector', names: STATE_NAMES },
    [FEATURES.environment]: { kind: 'vector', names: ENVIRONMENT_NAMES },
    [FEATURES.action]: { kind: 'vector', names: STATE_NAMES },
  },
};

/** An episode as a dataset takes it. `source` says where it is from: kind, seed, and what was taken over. */
export function datasetEpisode(episode: Episode, task: string): DatasetEpisode {
  const { kind, seed, policy, from, frames } = episode;
  const taken = policy === undefined ? '' : ` of ${policy} at step ${from}`;
  return {
    task,
    source: `${kind} seed ${seed}${taken}`,
    success: true,
    async *frames(): AsyncIterable<DatasetFrame> {
      for (const [i, { state, environment, action }] of frames.entries()) {
        yield {
          time: i / HZ,
          vectors: {
            [FEATURES.state]: Float32Array.from(state),
            [FEATURES.environment]: Float32Array.from(environment),
            [FEATURES.action]: Float32Array.from(action),
          },
          images: {},
        };
      }
    },
  };
}
