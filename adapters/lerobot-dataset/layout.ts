import { join } from 'node:path';

/** Where the parts of a LeRobotDataset v3 lie. */
export const CODEBASE_VERSION = 'v3.0';
export const CHUNK_FILES_MAX = 1_000;
export const DATA_FILE_MB = 100;
export const VIDEO_FILE_MB = 500;

export const INFO = 'meta/info.json';
export const STATS = 'meta/stats.json';
export const TASKS = 'meta/tasks.parquet';
/** Of this project: which recording each episode is from, and what was left out. LeRobot does not look at it. */
export const SOURCES = 'meta/auraison.json';
/** Of this project: files being written, and who writes. */
export const WORK = '.auraison';

export const DATA_PATTERN = 'data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet';
export const VIDEO_PATTERN = 'videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4';

/** One numbered file: `chunk` holds `CHUNK_FILES_MAX` of them. */
export type FilePlace = { readonly chunk: number; readonly file: number };

export function nextPlace({ chunk, file }: FilePlace): FilePlace {
  return file >= CHUNK_FILES_MAX - 1 ? { chunk: chunk + 1, file: 0 } : { chunk, file: file + 1 };
}

export function dataPath(place: FilePlace): string {
  return `data/${placePath(place)}.parquet`;
}

export function episodesPath(place: FilePlace): string {
  return `meta/episodes/${placePath(place)}.parquet`;
}

export function videoPath(key: string, place: FilePlace): string {
  return `videos/${key}/${placePath(place)}.mp4`;
}

function placePath({ chunk, file }: FilePlace): string {
  const three = (n: number) => String(n).padStart(3, '0');
  return join(`chunk-${three(chunk)}`, `file-${three(file)}`);
}

/** A pattern of info.json filled in. Only what LeRobot itself uses is understood. */
export function fillPattern(pattern: string, values: FilePlace & { readonly key?: string }): string {
  return pattern
    .replace('{video_key}', values.key ?? '')
    .replace(/\{chunk_index(?::0(\d)d)?\}/, (_, width: string | undefined) => padded(values.chunk, width))
    .replace(/\{file_index(?::0(\d)d)?\}/, (_, width: string | undefined) => padded(values.file, width));
}

function padded(value: number, width: string | undefined): string {
  return String(value).padStart(Number(width ?? 0), '0');
}
