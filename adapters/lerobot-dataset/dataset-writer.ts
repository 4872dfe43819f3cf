import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, DatasetEpisode, DatasetSpec, ParquetColumn, ParquetFiles } from '../../contract/core.ts';
import {
  type EpisodeRow,
  makeFolder,
  place,
  readEpisodes,
  readSources,
  readTasks,
  replaceText,
  type SourceNote,
  sweep,
  tasksMetadata,
} from './dataset-files.ts';
import { EpisodeBatch } from './episode-batch.ts';
import { episodeColumns, statsJson, statsOfRow } from './episode-columns.ts';
import { chooseCodec, type Ffmpeg, pixelFormat, type VideoCodec } from './ffmpeg.ts';
import { type DatasetInfo, emptyInfo, invalid, readInfo, specOf } from './info.ts';
import {
  dataPath,
  episodesPath,
  type FilePlace,
  INFO,
  nextPlace,
  SOURCES,
  STATS,
  TASKS,
  videoPath,
  WORK,
} from './layout.ts';
import { type FeatureStats, joinStats } from './statistics.ts';
import { lockDataset, unlockDataset } from './writer-lock.ts';

type Places = Pick<EpisodeRow, 'data' | 'meta'> & { readonly videos: Readonly<Record<string, FilePlace>> };

export type WriterOptions = {
  readonly root: string;
  readonly spec: DatasetSpec;
  readonly parquet: ParquetFiles;
  readonly clock: Clock;
  readonly ffmpeg: string;
  readonly codec: VideoCodec | 'auto';
};

/**
 * Adds episodes to a LeRobotDataset v3, in batches. A batch becomes one data file, one video per camera and one file of
 * episodes, all durable before `info.json` is replaced: that rename is the moment the batch is there. Killed at any
 * point, the folder holds the batches before it and loads; what lies around is swept by the next writer. One writer at
 * a time: the second is refused with `cell.overloaded`.
 */
export class DatasetWriter {
  readonly #options: WriterOptions;
  readonly #codec: VideoCodec;
  #info: DatasetInfo;
  #tasks: string[];
  #sources: SourceNote[];
  #stats: Record<string, FeatureStats>;
  /** Files of the last batch: the next one gets the next numbers. */
  #last: Places | undefined;
  #batch: EpisodeBatch | undefined;

  private constructor(
    options: WriterOptions,
    codec: VideoCodec,
    parts: { info: DatasetInfo; tasks: string[]; sources: SourceNote[]; rows: readonly EpisodeRow[] },
  ) {
    this.#options = options;
    this.#codec = codec;
    this.#info = parts.info;
    this.#tasks = parts.tasks;
    this.#sources = parts.sources;
    this.#last = parts.rows.at(-1);
    this.#stats = parts.rows
      .map(({ row }) => statsOfRow(row, Object.keys(parts.info.features)))
      .reduce<Record<string, FeatureStats>>((all, one) => joinAll(all, one), {});
  }

  /** Rejects with `schema.invalid` where a dataset of another shape is there, `host.missing` without ffmpeg. */
  static async open(options: WriterOptions): Promise<DatasetWriter> {
    const { root, spec, parquet } = options;
    await makeFolder(join(root, WORK));
    await lockDataset(root);
    try {
      const known = await readInfo(root);
      if (known) checkSame(known, spec, root);
      const ffmpeg = { path: options.ffmpeg, clock: options.clock };
      const hasVideo = Object.values(spec.features).some(({ kind }) => kind === 'video');
      const codec = hasVideo ? (codecOf(known) ?? (await chooseCodec(ffmpeg, options.codec))) : 'h264';
      const info = known ?? emptyInfo(spec, hasVideo ? videoFacts(spec, codec) : undefined);
      const all = info.total_episodes > 0 ? await readEpisodes(root, parquet) : [];
      const rows = all.filter(({ index }) => index < info.total_episodes);
      // LeRobot's own recorder counts episodes in info.json before it writes their rows. It may be at work, or was
      // killed.
      if (rows.length !== info.total_episodes)
        throw invalid(
          root,
          `info.json lists ${info.total_episodes} episodes, but meta/episodes has ${rows.length}`,
        );
      const sources = await readSources(root);
      // Of a dataset that somebody else made nothing is removed.
      if (sources || !known) await sweep(root, known ? all : [], info.total_episodes);
      const writer = new DatasetWriter(options, codec, {
        info,
        rows,
        tasks: info.total_tasks > 0 ? (await readTasks(root, parquet)).slice(0, info.total_tasks) : [],
        sources: (sources ?? []).filter(({ episode }) => episode < info.total_episodes),
      });
      if (sources && rows.length > 0) await writer.#mendStatistics();
      return writer;
    } catch (error) {
      await unlockDataset(root);
      throw error;
    }
  }

  /** Sources that are in the dataset already. */
  sources(): ReadonlySet<string> {
    return new Set(this.#sources.map(({ source }) => source));
  }

  info(): DatasetInfo {
    return this.#info;
  }

  /** Episodes added and not committed yet. */
  get waiting(): number {
    return this.#batch?.episodes.length ?? 0;
  }

  /** Rejects with what the episode is spoiled with; the whole batch is then discarded. */
  async add(
    episode: DatasetEpisode,
    options: { readonly signal?: AbortSignal | undefined; readonly onFrame?: () => void } = {},
  ): Promise<number> {
    this.#batch ??= await this.#begin();
    try {
      return (await this.#batch.add(episode, options)).length;
    } catch (error) {
      await this.giveUp();
      throw error;
    }
  }

  async giveUp(): Promise<void> {
    const batch = this.#batch;
    this.#batch = undefined;
    await batch?.abort();
  }

  /** Everything added since the last commit becomes part of the dataset, durably and at once. */
  async commit(): Promise<void> {
    const batch = this.#batch;
    if (!batch || batch.episodes.length === 0) return;
    this.#batch = undefined;
    const { root } = this.#options;
    const cameras = await batch.finishVideos();
    const places = {
      data: this.#next((row) => row.data),
      meta: this.#next((row) => row.meta),
      videos: Object.fromEntries(cameras.map((key) => [key, this.#next((row) => row.videos[key])])),
    };
    for (const key of cameras)
      await place(this.#workPath(`${key}.mp4`), join(root, videoPath(key, places.videos[key]!)));
    await this.#writeParquet(dataPath(places.data), batch.dataColumns());
    const columns = episodeColumns({
      batch: batch.episodes,
      firstEpisode: this.#info.total_episodes,
      firstIndex: this.#info.total_frames,
      fps: this.#info.fps,
      ...places,
    });
    const tasks = this.#withTasks(batch.episodes.map(({ task }) => task));
    await this.#writeParquet(
      TASKS,
      [
        { name: 'task_index', type: 'int64', values: tasks.map((_, i) => i) },
        { name: '__index_level_0__', type: 'text', values: tasks },
      ],
      tasksMetadata(),
    );
    await this.#writeParquet(episodesPath(places.meta), columns);
    const sources = [...this.#sources, ...batch.episodes.map((one, i) => this.#noteOf(one, i))];
    const stats = batch.episodes.map((one) => one.stats).reduce(joinAll, this.#stats);
    const total = this.#info.total_episodes + batch.episodes.length;
    const info: DatasetInfo = {
      ...this.#info,
      total_episodes: total,
      total_frames: this.#info.total_frames + batch.frames,
      total_tasks: tasks.length,
      splits: { train: `0:${total}` },
    };
    await replaceText(root, SOURCES, json({ format: 1, episodes: sources }));
    await replaceText(root, STATS, json(statsJson(stats, info.features)));
    await replaceText(root, INFO, json(info));
    this.#tasks = tasks;
    this.#sources = sources;
    this.#stats = stats;
    this.#info = info;
    this.#last = places;
  }

  /** What was not committed is gone. */
  async close(): Promise<void> {
    await this.giveUp();
    await unlockDataset(this.#options.root);
  }

  /** A kill just before `info.json` was replaced left statistics of one batch too many. */
  async #mendStatistics(): Promise<void> {
    const text = json(statsJson(this.#stats, this.#info.features));
    const there = await readFile(join(this.#options.root, STATS), 'utf8').catch(() => '');
    if (there !== text) await replaceText(this.#options.root, STATS, text);
  }

  async #begin(): Promise<EpisodeBatch> {
    const { spec, clock, ffmpeg } = this.#options;
    await mkdir(this.#workPath(''), { recursive: true });
    const tasks = [...this.#tasks];
    return new EpisodeBatch({
      spec,
      folder: this.#workPath(''),
      ffmpeg: { path: ffmpeg, clock } satisfies Ffmpeg,
      codec: this.#codec,
      firstIndex: this.#info.total_frames,
      firstEpisode: this.#info.total_episodes,
      taskIndex: (task) => {
        if (!tasks.includes(task)) tasks.push(task);
        return tasks.indexOf(task);
      },
    });
  }

  #withTasks(fresh: readonly string[]): string[] {
    return [...new Set([...this.#tasks, ...fresh])];
  }

  #next(of: (last: Places) => FilePlace | undefined): FilePlace {
    const last = this.#last && of(this.#last);
    return last ? nextPlace(last) : { chunk: 0, file: 0 };
  }

  #noteOf(
    one: { source: string; success: boolean | undefined; notes: SourceNote['notes'] | undefined },
    i: number,
  ) {
    const { source, success, notes } = one;
    return {
      episode: this.#info.total_episodes + i,
      source,
      ...(success === undefined ? {} : { success }),
      ...(notes === undefined ? {} : { notes }),
    };
  }

  async #writeParquet(
    name: string,
    columns: readonly ParquetColumn[],
    meta?: Readonly<Record<string, string>>,
  ): Promise<void> {
    const partial = this.#workPath(name.replaceAll('/', '-'));
    await this.#options.parquet.write(partial, columns, meta);
    await place(partial, join(this.#options.root, name));
  }

  #workPath(name: string): string {
    // An encoder may outlive a killed writer: what it still writes must not meet the files of the next.
    return join(this.#options.root, WORK, String(process.pid), name);
  }
}

function joinAll(
  all: Readonly<Record<string, FeatureStats>>,
  one: Readonly<Record<string, FeatureStats>>,
): Record<string, FeatureStats> {
  return Object.fromEntries(
    Object.entries(one).map(([key, stats]) => [key, all[key] ? joinStats([all[key], stats]) : stats]),
  );
}

function videoFacts(spec: DatasetSpec, codec: VideoCodec) {
  const feature = Object.values(spec.features).find(({ kind }) => kind === 'video');
  const isVideo = feature?.kind === 'video';
  return { codec, pixelFormat: isVideo ? pixelFormat(feature.height, feature.width) : '' };
}

/** The codec that a dataset has already: one decoder reads all of it. */
function codecOf(info: DatasetInfo | undefined): VideoCodec | undefined {
  const codecs = Object.values(info?.features ?? {}).map((feature) => feature.info?.['video.codec']);
  return codecs.find((codec): codec is VideoCodec => codec === 'h264' || codec === 'av1');
}

function checkSame(info: DatasetInfo, spec: DatasetSpec, root: string): void {
  const { spec: known, others } = specOf(info);
  const shape = (of: DatasetSpec) => JSON.stringify([of.fps, Object.entries(of.features).sort()]);
  if (others.length === 0 && shape(known) === shape(spec)) return;
  const words = (of: DatasetSpec) =>
    `${of.fps} fps; ${Object.entries(of.features)
      .map(([key, f]) => `${key} ${f.kind === 'vector' ? f.names.join(' ') : `${f.width} x ${f.height}`}`)
      .sort()
      .join(', ')}`;
  throw invalid(
    root,
    `the folder has a dataset with other features: ${words(known)}${others.length > 0 ? ` and ${others.join(', ')}` : ''}; these episodes have ${words(spec)}`,
    'export to another folder',
  );
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 4)}\n`;
}
