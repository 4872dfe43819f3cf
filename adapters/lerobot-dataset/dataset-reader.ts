import { readFile, stat } from 'node:fs/promises';
import { join, normalize } from 'node:path';
import {
  type Clock,
  type DatasetEpisode,
  type DatasetFrame,
  type DatasetSpec,
  EdgeError,
  type ParquetFiles,
} from '../../contract/core.ts';
import { type EpisodeRow, readEpisodes, readSources, readTasks, type SourceNote } from './dataset-files.ts';
import { decodeFrames } from './ffmpeg.ts';
import { type DatasetInfo, invalid, readInfo, specOf } from './info.ts';
import { fillPattern, INFO, STATS } from './layout.ts';

/** Rows of a data file that are in memory at a time. */
const ROWS_AT_ONCE = 4_096;

export type ReaderOptions = {
  readonly root: string;
  readonly parquet: ParquetFiles;
  readonly clock: Clock;
  readonly ffmpeg: string;
  /** False: videos are not decoded, and frames have no images. */
  readonly pictures?: boolean;
};

/** A LeRobotDataset v3 in a folder, made by this project or by any other tool. */
export class DatasetReader {
  readonly info: DatasetInfo;
  readonly spec: DatasetSpec;
  /** Features that cannot be read here: images kept in the data files, texts, matrices. */
  readonly others: readonly string[];
  readonly tasks: readonly string[];
  readonly rows: readonly EpisodeRow[];
  readonly sources: readonly SourceNote[];
  readonly #options: ReaderOptions;

  private constructor(
    options: ReaderOptions,
    parts: { info: DatasetInfo; tasks: string[]; rows: EpisodeRow[]; sources: SourceNote[] },
  ) {
    this.#options = options;
    this.info = parts.info;
    const { spec, others } = specOf(parts.info);
    this.spec = spec;
    this.others = others;
    this.tasks = parts.tasks;
    this.rows = parts.rows;
    this.sources = parts.sources;
  }

  /** Rejects with `schema.invalid` where the dataset does not exist or cannot be read here. */
  static async open(options: ReaderOptions): Promise<DatasetReader> {
    const { root, parquet } = options;
    const info = await readInfo(root);
    if (!info) throw invalid(root, `not a dataset: ${INFO} is missing`);
    const rows = (await readEpisodes(root, parquet)).filter(({ index }) => index < info.total_episodes);
    if (rows.length !== info.total_episodes)
      throw invalid(
        root,
        `${INFO} lists ${info.total_episodes} episodes, but meta/episodes has ${rows.length}`,
      );
    const tasks = info.total_tasks > 0 ? await readTasks(root, parquet) : [];
    return new DatasetReader(options, { info, rows, tasks, sources: (await readSources(root)) ?? [] });
  }

  /** Throws `schema.invalid` for a number that no episode has. */
  episode(index: number): DatasetEpisode {
    const row = this.rows.find((one) => one.index === index);
    if (!row)
      throw invalid(
        this.#options.root,
        `unknown episode ${index}; the dataset has ${this.rows.length} episodes`,
      );
    const note = this.sources.find(({ episode }) => episode === index);
    return {
      task: row.tasks[0] ?? '',
      source: note?.source ?? `${this.#options.root}#${index}`,
      ...(note?.success === undefined ? {} : { success: note.success }),
      length: () => Promise.resolve(row.length),
      frames: () => this.#frames(row),
    };
  }

  /** Files that are named and not there, or episodes that do not fit their rows. Empty: it is whole. */
  async faults(): Promise<string[]> {
    const faults: string[] = [];
    let at = 0;
    for (const row of this.rows) {
      if (row.fromIndex !== at || row.toIndex - row.fromIndex !== row.length)
        faults.push(
          `episode ${row.index}: covers rows ${row.fromIndex} to ${row.toIndex}; expected ${row.length} rows from ${at}`,
        );
      at = row.toIndex;
      for (const path of [
        this.#dataFile(row),
        ...Object.keys(row.videos).map((key) => this.#videoFile(row, key)),
      ])
        if (!(await stat(path).catch(() => undefined))?.isFile())
          faults.push(`episode ${row.index}: ${path} is missing`);
    }
    if (at !== this.info.total_frames)
      faults.push(`${INFO} lists ${this.info.total_frames} frames, but the episodes have ${at}`);
    const counted = await countOf(join(this.#options.root, STATS));
    if (counted !== this.info.total_frames)
      faults.push(
        `${STATS} covers ${counted} frames, but the dataset has ${this.info.total_frames}; the next export fixes it`,
      );
    return [...new Set(faults)];
  }

  async *#frames(row: EpisodeRow): AsyncGenerator<DatasetFrame> {
    const { ffmpeg: path, clock, pictures = true } = this.#options;
    const { fps, features } = this.spec;
    const videos = Object.entries(features).flatMap(([key, feature]) => {
      const at = row.videos[key];
      if (feature.kind !== 'video' || !at || !pictures) return [];
      const { height, width } = feature;
      const options = { from: at.from, count: row.length, fps, height, width };
      return [[key, decodeFrames({ path, clock }, this.#videoFile(row, key), options)] as const];
    });
    try {
      for await (const data of this.#dataRows(row)) {
        const images: Record<string, Uint8Array> = {};
        for (const [key, frames] of videos) {
          const { value, done } = await frames.next();
          if (done) throw invalid(this.#options.root, `episode ${row.index}: the video of ${key} ends early`);
          images[key] = value;
        }
        yield { time: Number(data['timestamp']), vectors: this.#vectorsOf(data), images };
      }
    } finally {
      for (const [, frames] of videos) await frames.return(undefined);
    }
  }

  async *#dataRows(row: EpisodeRow): AsyncGenerator<Readonly<Record<string, unknown>>> {
    const first = this.rows
      .filter(({ data }) => data.chunk === row.data.chunk && data.file === row.data.file)
      .reduce((least, { fromIndex }) => Math.min(least, fromIndex), row.fromIndex);
    const vectors = Object.entries(this.spec.features).filter(([, { kind }]) => kind === 'vector');
    const columns = [...vectors.map(([key]) => key), 'timestamp', 'episode_index'];
    const begin = row.fromIndex - first;
    for (let at = 0; at < row.length; at += ROWS_AT_ONCE) {
      const range = { from: begin + at, to: begin + Math.min(row.length, at + ROWS_AT_ONCE) };
      const rows = await this.#options.parquet.read(this.#dataFile(row), columns, range);
      const stranger = rows.find((data) => Number(data['episode_index']) !== row.index);
      if (stranger || rows.length !== range.to - range.from)
        throw invalid(
          this.#dataFile(row),
          `rows ${range.from} to ${range.to} do not belong to episode ${row.index}`,
        );
      yield* rows;
    }
  }

  #vectorsOf(data: Readonly<Record<string, unknown>>): Record<string, Float32Array> {
    const vectors: Record<string, Float32Array> = {};
    for (const [key, feature] of Object.entries(this.spec.features)) {
      if (feature.kind !== 'vector') continue;
      const value = data[key];
      const numbers = Array.isArray(value) ? value : [value];
      if (numbers.length !== feature.names.length)
        throw invalid(
          this.#options.root,
          `${key}: has ${numbers.length} numbers, but ${INFO} lists ${feature.names.length}`,
        );
      vectors[key] = Float32Array.from(numbers, Number);
    }
    return vectors;
  }

  #dataFile({ data }: EpisodeRow): string {
    return this.#within(fillPattern(this.info.data_path, data));
  }

  #videoFile({ videos }: EpisodeRow, key: string): string {
    return this.#within(fillPattern(this.info.video_path ?? '', { ...videos[key]!, key }));
  }

  /** A dataset from somewhere may name any path; only those within it are read. */
  #within(path: string): string {
    const inside = normalize(path);
    if (inside.startsWith('..') || inside.startsWith('/'))
      throw new EdgeError('schema.invalid', {
        operation: 'dataset',
        subject: this.#options.root,
        message: `${INFO} names ${path}, which is outside the dataset`,
      });
    return join(this.#options.root, inside);
  }
}

/** Of how many frames the statistics are; 0 without statistics. */
async function countOf(path: string): Promise<number> {
  try {
    const stats = JSON.parse(await readFile(path, 'utf8')) as Record<string, { count?: readonly number[] }>;
    return stats['frame_index']?.count?.[0] ?? 0;
  } catch {
    return 0;
  }
}
