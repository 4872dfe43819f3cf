/**
 * One value of each frame of a dataset, by the names of LeRobot: `observation.state`, `observation.images.front`,
 * `action`.
 */
export type DatasetFeature =
  | { readonly kind: 'vector'; readonly names: readonly string[] }
  | { readonly kind: 'video'; readonly height: number; readonly width: number };

export type DatasetSpec = {
  readonly fps: number;
  readonly robotType: string;
  readonly features: Readonly<Record<string, DatasetFeature>>;
};

/** One frame; `time` is seconds from the start of its episode, images are rgb8 of [height, width, 3]. */
export type DatasetFrame = {
  readonly time: number;
  readonly vectors: Readonly<Record<string, Float32Array>>;
  readonly images: Readonly<Record<string, Uint8Array>>;
};

export type DatasetEpisode = {
  readonly task: string;
  /** The recording that it is made of, for reports. */
  readonly source: string;
  readonly success?: boolean;
  /** Frames that `frames` gives; it may read the recording once. Rejects as `frames` throws. */
  length(): Promise<number>;
  /** May be asked more than once. Throws if the recording is damaged. */
  frames(): AsyncIterable<DatasetFrame>;
  /** After `frames` ended: what was left out of the recording, for reports. */
  notes?(): Readonly<Record<string, unknown>>;
};

/** A column of a Parquet file. `list`: fixed number of float32 a row; all others are scalars. */
export type ParquetColumn = {
  readonly name: string;
  readonly type:
    | 'int64'
    | 'float32'
    | 'float64'
    | 'bool'
    | 'text'
    | 'float32_list'
    | 'float64_list'
    /** Three levels deep: the statistics of an image are [channels][1][1]. */
    | 'float64_list3'
    | 'text_list'
    | 'int64_list';
  readonly values: readonly unknown[];
};

/** Parquet files without anything else of a lakehouse. Files are whole and durable when `write` resolves. */
export interface ParquetFiles {
  /** `meta` becomes key-value metadata of the file. Rejects with `lake.failed`. */
  write(
    path: string,
    columns: readonly ParquetColumn[],
    meta?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /**
   * Rows as plain objects, in the order of the file; 64-bit integers are bigint. `range`: rows of the file, the last
   * one exclusive. Rejects with `lake.failed`.
   */
  read(
    path: string,
    columns?: readonly string[],
    range?: { readonly from: number; readonly to: number },
  ): Promise<readonly Readonly<Record<string, unknown>>[]>;
  metadata(path: string): Promise<Readonly<Record<string, string>>>;
  close(): Promise<void>;
}
