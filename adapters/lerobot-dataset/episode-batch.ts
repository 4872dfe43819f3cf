import { join } from 'node:path';
import type { DatasetEpisode, DatasetFrame, DatasetSpec, ParquetColumn } from '../../contract/core.ts';
import { type Ffmpeg, type VideoCodec, VideoEncoder } from './ffmpeg.ts';
import { invalid, OWN_COLUMNS } from './info.ts';
import { FRAMES_MAX } from './resample.ts';
import { type FeatureStats, PictureStats, sampledFrames, vectorStats } from './statistics.ts';

/** An episode of a batch, encoded. */
export type BatchEpisode = {
  readonly task: string;
  readonly source: string;
  readonly success: boolean | undefined;
  readonly notes: Readonly<Record<string, unknown>> | undefined;
  readonly length: number;
  /** By camera: which frames of the batch's video are its own. */
  readonly videoFrom: Readonly<Record<string, number>>;
  readonly stats: Readonly<Record<string, FeatureStats>>;
};

/** Several episodes on their way into one data file and one video per camera. Not yet in the dataset. */
export class EpisodeBatch {
  readonly #spec: DatasetSpec;
  readonly #encoders: ReadonlyMap<string, VideoEncoder>;
  readonly #vectors: Readonly<Record<string, Float32Array[]>>;
  readonly #own: Record<(typeof OWN_COLUMNS)[number], number[]>;
  readonly #firstIndex: number;
  readonly #firstEpisode: number;
  readonly #taskIndex: (task: string) => number;
  readonly episodes: BatchEpisode[] = [];
  frames = 0;

  constructor(options: {
    spec: DatasetSpec;
    folder: string;
    ffmpeg: Ffmpeg;
    codec: VideoCodec;
    firstIndex: number;
    firstEpisode: number;
    taskIndex: (task: string) => number;
  }) {
    const { spec, folder, ffmpeg, codec } = options;
    this.#spec = spec;
    this.#firstIndex = options.firstIndex;
    this.#firstEpisode = options.firstEpisode;
    this.#taskIndex = options.taskIndex;
    const kinds = Object.entries(spec.features);
    this.#vectors = Object.fromEntries(
      kinds.filter(([, f]) => f.kind === 'vector').map(([key]) => [key, []]),
    );
    this.#own = { timestamp: [], frame_index: [], episode_index: [], index: [], task_index: [] };
    this.#encoders = new Map(
      kinds.flatMap(([key, f]) =>
        f.kind === 'video'
          ? [
              [
                key,
                new VideoEncoder(ffmpeg, join(folder, `${key}.mp4`), { ...f, fps: spec.fps, codec }),
              ] as const,
            ]
          : [],
      ),
    );
  }

  /** Rejects with what the episode is spoiled with; the batch is spoiled too then and is to be aborted. */
  async add(
    episode: DatasetEpisode,
    options: { readonly signal?: AbortSignal | undefined; readonly onFrame?: () => void } = {},
  ): Promise<BatchEpisode> {
    const { fps } = this.#spec;
    const length = await episode.length();
    if (length === 0) throw invalid(episode.source, 'the episode has no complete frame');
    const episodeIndex = this.#firstEpisode + this.episodes.length;
    const task = this.#taskIndex(episode.task);
    const sampled = sampledFrames(length);
    const pictures = new Map([...this.#encoders.keys()].map((key) => [key, new PictureStats()]));
    const videoFrom = Object.fromEntries([...this.#encoders].map(([key, { frames }]) => [key, frames]));
    const begin = this.frames;
    let k = 0;
    for await (const frame of episode.frames()) {
      options.signal?.throwIfAborted();
      if (k >= length) throw invalid(episode.source, `more than the planned ${length} frames`);
      this.#takeVectors(frame, episode.source, k);
      const own = { timestamp: Math.fround(k / fps), frame_index: k, episode_index: episodeIndex };
      this.#takeOwn({ ...own, index: this.#firstIndex + this.frames, task_index: task });
      await this.#takePictures(frame, episode.source, sampled.has(k) ? pictures : undefined);
      k += 1;
      this.frames += 1;
      options.onFrame?.();
    }
    if (k !== length) throw invalid(episode.source, `expected ${length} frames, found ${k}`);
    const added: BatchEpisode = {
      task: episode.task,
      source: episode.source,
      success: episode.success,
      notes: episode.notes?.(),
      length,
      videoFrom,
      stats: { ...this.#stats(begin), ...mapValues(pictures, (stats) => stats.stats()) },
    };
    this.episodes.push(added);
    return added;
  }

  /** Ends the videos. They are whole afterwards, by camera; where one cannot be ended, the batch is aborted. */
  async finishVideos(): Promise<readonly string[]> {
    try {
      for (const encoder of this.#encoders.values()) await encoder.finish();
    } catch (error) {
      // The encoders of the other cameras wait for images, and this process would wait for them.
      await this.abort();
      throw error;
    }
    return [...this.#encoders.keys()];
  }

  async abort(): Promise<void> {
    for (const encoder of this.#encoders.values()) await encoder.abort();
  }

  dataColumns(): ParquetColumn[] {
    return [
      ...Object.entries(this.#vectors).map(([name, values]): ParquetColumn => {
        const isScalar = sizeOf(this.#spec, name) === 1;
        return isScalar
          ? { name, type: 'float32', values: values.map((v) => v[0]!) }
          : { name, type: 'float32_list', values };
      }),
      ...OWN_COLUMNS.map(
        (name): ParquetColumn => ({
          name,
          type: name === 'timestamp' ? 'float32' : 'int64',
          values: this.#own[name],
        }),
      ),
    ];
  }

  #takeOwn(values: Readonly<Record<(typeof OWN_COLUMNS)[number], number>>): void {
    for (const name of OWN_COLUMNS) this.#own[name].push(values[name]);
  }

  #takeVectors(frame: DatasetFrame, source: string, k: number): void {
    for (const [key, rows] of Object.entries(this.#vectors)) {
      const values = frame.vectors[key];
      const size = sizeOf(this.#spec, key);
      if (values?.length !== size)
        throw invalid(source, `frame ${k}: ${key} has ${values?.length ?? 'no'} numbers; expected ${size}`);
      const odd = values.findIndex((v) => !Number.isFinite(v));
      if (odd >= 0) throw invalid(source, `frame ${k}: ${key}[${odd}] is ${values[odd]}`);
      rows.push(values.slice());
    }
    if (k >= FRAMES_MAX) throw invalid(source, `an episode can have at most ${FRAMES_MAX} frames`);
  }

  async #takePictures(
    frame: DatasetFrame,
    source: string,
    stats: ReadonlyMap<string, PictureStats> | undefined,
  ): Promise<void> {
    for (const [key, encoder] of this.#encoders) {
      const feature = this.#spec.features[key]!;
      const picture = frame.images[key];
      if (feature.kind !== 'video') continue;
      const { height, width } = feature;
      if (picture?.length !== height * width * 3)
        throw invalid(
          source,
          `${key}: has ${picture?.length ?? 'no'} bytes; expected ${width} x ${height} pixels of rgb8`,
        );
      stats?.get(key)?.add(picture, height, width);
      await encoder.write(picture);
    }
  }

  #stats(begin: number): Record<string, FeatureStats> {
    const own = OWN_COLUMNS.map(
      (name) => [name, vectorStats(this.#own[name].slice(begin).map((v) => [v]))] as const,
    );
    return {
      ...mapValues(new Map(Object.entries(this.#vectors)), (rows) => vectorStats(rows.slice(begin))),
      ...Object.fromEntries(own),
    };
  }
}

function sizeOf(spec: DatasetSpec, key: string): number {
  const feature = spec.features[key];
  return feature?.kind === 'vector' ? feature.names.length : 0;
}

function mapValues<V, R>(map: ReadonlyMap<string, V>, by: (value: V) => R): Record<string, R> {
  return Object.fromEntries([...map].map(([key, value]) => [key, by(value)]));
}
