import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DatasetFeature, type DatasetSpec, EdgeError } from '../../contract/core.ts';
import {
  CHUNK_FILES_MAX,
  CODEBASE_VERSION,
  DATA_FILE_MB,
  DATA_PATTERN,
  INFO,
  VIDEO_FILE_MB,
  VIDEO_PATTERN,
} from './layout.ts';

export type InfoFeature = {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly names?: unknown;
  readonly info?: Readonly<Record<string, unknown>>;
};

/** meta/info.json as LeRobot v3.0 writes it. */
export type DatasetInfo = {
  readonly codebase_version: string;
  readonly robot_type: string | null;
  readonly total_episodes: number;
  readonly total_frames: number;
  readonly total_tasks: number;
  readonly chunks_size: number;
  readonly data_files_size_in_mb: number;
  readonly video_files_size_in_mb: number;
  readonly fps: number;
  readonly splits: Readonly<Record<string, string>>;
  readonly data_path: string;
  readonly video_path: string | null;
  readonly features: Readonly<Record<string, InfoFeature>>;
};

/** Sides of an image, 8K: a larger size is not that of an image and would waste memory. */
const SIDE_MAX = 8_192;
/** Numbers of a vector, each of which gets a name; a robot has some dozens, a row of a dataset not much more. */
const VECTOR_MAX = 65_536;
/** Tables of names within tables. */
const NAMES_DEPTH_MAX = 8;

/** Columns that every dataset has, besides its features. */
export const OWN_COLUMNS = ['timestamp', 'frame_index', 'episode_index', 'index', 'task_index'] as const;

export type VideoFacts = { readonly codec: string; readonly pixelFormat: string };

/** Info of a dataset without episodes. Throws `schema.invalid` for a spec that LeRobot could not read. */
export function emptyInfo(spec: DatasetSpec, video: VideoFacts | undefined): DatasetInfo {
  checkSpec(spec);
  const features = Object.entries(spec.features).map(
    ([key, feature]) => [key, infoFeature(feature, spec.fps, video)] as const,
  );
  const own = OWN_COLUMNS.map(
    (name) => [name, { dtype: name === 'timestamp' ? 'float32' : 'int64', shape: [1], names: null }] as const,
  );
  return {
    codebase_version: CODEBASE_VERSION,
    robot_type: spec.robotType,
    total_episodes: 0,
    total_frames: 0,
    total_tasks: 0,
    chunks_size: CHUNK_FILES_MAX,
    data_files_size_in_mb: DATA_FILE_MB,
    video_files_size_in_mb: VIDEO_FILE_MB,
    fps: spec.fps,
    splits: {},
    data_path: DATA_PATTERN,
    video_path: video ? VIDEO_PATTERN : null,
    features: Object.fromEntries([...features, ...own]),
  };
}

function infoFeature(feature: DatasetFeature, fps: number, video: VideoFacts | undefined): InfoFeature {
  if (feature.kind === 'vector')
    return {
      dtype: 'float32',
      shape: [feature.names.length],
      names: isNamed(feature.names) ? feature.names : null,
    };
  const { height, width } = feature;
  return {
    dtype: 'video',
    shape: [height, width, 3],
    names: ['height', 'width', 'channels'],
    info: {
      'video.height': height,
      'video.width': width,
      'video.codec': video?.codec,
      'video.pix_fmt': video?.pixelFormat,
      'video.is_depth_map': false,
      'video.fps': fps,
      'video.channels': 3,
      has_audio: false,
    },
  };
}

function checkSpec({ fps, features }: DatasetSpec): void {
  if (!Number.isSafeInteger(fps) || fps < 1 || fps > 1_000)
    throw invalid('fps', `${fps}: expected a whole number from 1 to 1000, as LeRobot requires`);
  for (const [key, feature] of Object.entries(features)) {
    if (!/^[A-Za-z0-9_.-]{1,128}$/.test(key) || (OWN_COLUMNS as readonly string[]).includes(key))
      throw invalid(
        key,
        'not a valid feature name: use letters, digits, ., _ and -; names that LeRobot reserves are not allowed',
      );
    if (feature.kind === 'vector' && feature.names.length === 0)
      throw invalid(key, 'the vector has no numbers');
  }
  if (Object.keys(features).length === 0) throw invalid('features', 'the dataset has no features');
}

/**
 * The spec behind an info, as far as this project supports it: float vectors and videos. `others` are the rest, by
 * name.
 */
export function specOf(info: DatasetInfo): {
  readonly spec: DatasetSpec;
  readonly others: readonly string[];
} {
  const features: Record<string, DatasetFeature> = {};
  const others: string[] = [];
  for (const [key, feature] of Object.entries(info.features)) {
    if ((OWN_COLUMNS as readonly string[]).includes(key)) continue;
    const [a, b, c] = feature.shape;
    const isPicture = c === 3 && Math.min(a!, b!) > 0 && Math.max(a!, b!) <= SIDE_MAX;
    if (feature.dtype === 'video' && feature.shape.length === 3 && isPicture)
      features[key] = { kind: 'video', height: a!, width: b! };
    else if (/^(?:float|int|uint)\d+$/.test(feature.dtype) && feature.shape.length === 1 && a! <= VECTOR_MAX)
      features[key] = { kind: 'vector', names: namesOf(feature) };
    else others.push(key);
  }
  return { spec: { fps: info.fps, robotType: info.robot_type ?? '', features }, others };
}

/** Names that claim nothing, for numbers without a name: their places. In info.json they are `null`. */
export function placesOf(size: number): string[] {
  return Array.from({ length: size }, (_, i) => String(i));
}

/** Whether somebody said what the numbers are. */
export function isNamed(names: readonly string[]): boolean {
  return names.some((name, i) => name !== String(i));
}

/** Names come as a list, as `{motors: [...]}` or `{axes: {...}}`, or not at all. */
function namesOf({ names, shape }: InfoFeature): string[] {
  const size = shape[0]!;
  const flat = (value: unknown, depth = 0): string[] => {
    if (typeof value === 'string') return [value];
    if (typeof value !== 'object' || value === null || depth > NAMES_DEPTH_MAX) return [];
    const values: unknown[] = Object.values(value);
    const isNumbered = !Array.isArray(value) && values.every((v) => typeof v === 'number');
    return isNumbered ? Object.keys(value) : values.flatMap((one) => flat(one, depth + 1));
  };
  const found = flat(names);
  return found.length === size ? found : placesOf(size);
}

/**
 * Info of the dataset in a folder; undefined where it does not exist. Throws `schema.invalid` for another version or
 * nonsense.
 */
export async function readInfo(root: string): Promise<DatasetInfo | undefined> {
  const path = join(root, INFO);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  let info: Partial<DatasetInfo>;
  try {
    info = JSON.parse(text) as Partial<DatasetInfo>;
  } catch {
    throw invalid(path, 'not JSON');
  }
  if (typeof info?.codebase_version !== 'string' || !info.codebase_version.startsWith('v3.'))
    throw invalid(
      path,
      `codebase_version ${String(info?.codebase_version)} is not supported, only v3; convert older datasets with LeRobot (lerobot.datasets.v30.convert_dataset_v21_to_v30)`,
    );
  const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
  const isGood =
    isCount(info.total_episodes) &&
    isCount(info.total_frames) &&
    Number.isSafeInteger(info.fps) &&
    info.fps! > 0 &&
    typeof info.data_path === 'string' &&
    typeof info.features === 'object' &&
    info.features !== null &&
    Object.values(info.features).every(
      (f) => typeof f?.dtype === 'string' && Array.isArray(f.shape) && f.shape.every(isCount),
    );
  if (!isGood) throw invalid(path, 'not the info of a LeRobotDataset v3');
  return info as DatasetInfo;
}

export function invalid(subject: string, message: string, hint = ''): EdgeError {
  return new EdgeError('schema.invalid', {
    operation: 'dataset',
    subject,
    message: `${subject}: ${message}`,
    hint,
  });
}
