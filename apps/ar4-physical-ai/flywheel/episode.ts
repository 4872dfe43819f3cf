import type { DatasetEpisode, DatasetFrame, DatasetSpec } from 'auraison-edge';
import { ENVIRONMENT_NAMES, FEATURES, HZ, STATE_NAMES } from '../observation.ts';

/** One control step for training: the observation, and the action of the teacher. */
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
  /** For an intervention: the policy that was taken over from, and the step of the takeover. */
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

/** The source of an episode in one line; equal episodes have equal lines. */
export function sourceOf({ kind, seed, policy }: Pick<Episode, 'kind' | 'seed' | 'policy'>): string {
  return policy === undefined ? `${kind} seed ${seed}` : `${kind} seed ${seed} policy ${policy}`;
}

/** An episode for a dataset, with its source and, for an intervention, the time of the takeover. */
export function datasetEpisode(episode: Episode, task: string): DatasetEpisode {
  const { kind, from, frames } = episode;
  return {
    task,
    source: sourceOf(episode),
    success: true,
    length: async () => frames.length,
    notes: () => ({ kind, ...(from === undefined ? {} : { taken_over_at_s: from / HZ }) }),
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
