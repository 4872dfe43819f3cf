import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { ParquetFiles } from '../../contract/core.ts';
import { invalid } from './info.ts';
import { type FilePlace, INFO, SOURCES, TASKS, WORK } from './layout.ts';

/** A row of meta/episodes: what a reader needs of it. */
export type EpisodeRow = {
  readonly index: number;
  readonly tasks: readonly string[];
  readonly length: number;
  readonly fromIndex: number;
  readonly toIndex: number;
  readonly data: FilePlace;
  readonly meta: FilePlace;
  readonly videos: Readonly<Record<string, FilePlace & { readonly from: number; readonly to: number }>>;
  readonly row: Readonly<Record<string, unknown>>;
};

/** Which recording an episode is from. */
export type SourceNote = {
  readonly episode: number;
  readonly source: string;
  readonly success?: boolean;
  readonly notes?: Readonly<Record<string, unknown>>;
};

/** Every row of meta/episodes, in order. Throws `schema.invalid` for invalid rows. */
export async function readEpisodes(root: string, parquet: ParquetFiles): Promise<EpisodeRow[]> {
  const rows: EpisodeRow[] = [];
  for (const path of await numberedFiles(join(root, 'meta', 'episodes'), 'parquet'))
    for (const row of await parquet.read(path)) rows.push(episodeRow(row, relative(root, path)));
  return rows.sort((a, b) => a.index - b.index);
}

function episodeRow(row: Readonly<Record<string, unknown>>, path: string): EpisodeRow {
  const int = (key: string) => {
    const value = Number(row[key]);
    if (Number.isSafeInteger(value) && value >= 0) return value;
    throw invalid(path, `column ${key}: expected a whole number, found ${String(row[key])}`);
  };
  const place = (prefix: string) => ({
    chunk: int(`${prefix}/chunk_index`),
    file: int(`${prefix}/file_index`),
  });
  const keys = Object.keys(row)
    .map((key) => /^videos\/(.+)\/chunk_index$/.exec(key)?.[1])
    .filter((key) => key !== undefined);
  return {
    index: int('episode_index'),
    tasks: (row['tasks'] as readonly string[] | undefined) ?? [],
    length: int('length'),
    fromIndex: int('dataset_from_index'),
    toIndex: int('dataset_to_index'),
    data: place('data'),
    meta: place('meta/episodes'),
    videos: Object.fromEntries(
      keys.map((key) => [
        key,
        {
          ...place(`videos/${key}`),
          from: Number(row[`videos/${key}/from_timestamp`]),
          to: Number(row[`videos/${key}/to_timestamp`]),
        },
      ]),
    ),
    row,
  };
}

/** Limits the memory for the list of tasks, whose length comes from a number in a foreign file. */
const TASKS_MAX = 1_000_000;

/** The tasks by index. Throws `schema.invalid` for a task without words or with an invalid number. */
export async function readTasks(root: string, parquet: ParquetFiles): Promise<string[]> {
  const tasks: string[] = [];
  for (const row of await parquet.read(join(root, TASKS))) {
    const text = Object.entries(row).find(([key]) => key !== 'task_index')?.[1];
    if (typeof text !== 'string') throw invalid(TASKS, 'a task has no text');
    const index = Number(row['task_index']);
    if (!Number.isSafeInteger(index) || index < 0 || index >= TASKS_MAX)
      throw invalid(TASKS, `invalid task_index ${String(row['task_index'])}`);
    tasks[index] = text;
  }
  return tasks;
}

/**
 * Without this metadata pandas takes the rows by number, and every task of the dataset becomes the number of a row:
 * LeRobot then gives 0 for all of them, and says nothing.
 */
export function tasksMetadata(): Record<string, string> {
  const column = (name: string | null, field: string, type: string, numpy: string) => ({
    name,
    field_name: field,
    pandas_type: type,
    numpy_type: numpy,
    metadata: null,
  });
  const pandas = {
    index_columns: ['__index_level_0__'],
    column_indexes: [{ ...column(null, 'None', 'unicode', 'object'), metadata: { encoding: 'UTF-8' } }].map(
      ({ field_name: _, ...rest }) => ({ ...rest, field_name: null }),
    ),
    columns: [
      column('task_index', 'task_index', 'int64', 'int64'),
      column(null, '__index_level_0__', 'unicode', 'object'),
    ],
    creator: { library: 'pyarrow', version: '21.0.0' },
    pandas_version: '2.3.3',
  };
  return { pandas: JSON.stringify(pandas) };
}

/** Undefined where the dataset was not written by this project. */
export async function readSources(root: string): Promise<SourceNote[] | undefined> {
  let text: string;
  try {
    text = await readFile(join(root, SOURCES), 'utf8');
  } catch {
    return undefined;
  }
  try {
    return (JSON.parse(text) as { episodes: SourceNote[] }).episodes;
  } catch {
    throw invalid(SOURCES, 'not JSON');
  }
}

/** Numbered files of a kind below a folder, in the order LeRobot reads them. */
export async function numberedFiles(folder: string, extension: string): Promise<string[]> {
  const found = await readdir(folder, { recursive: true }).catch(() => [] as string[]);
  const pattern = new RegExp(`^chunk-\\d+/file-\\d+\\.${extension}$`);
  return found
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));
}

/** Replaces a file by a durable rename; `info.json` replaced this way is what makes a batch count. */
export async function replaceText(root: string, name: string, text: string): Promise<void> {
  const path = join(root, name);
  const partial = join(root, WORK, `${name.replaceAll('/', '-')}.partial`);
  await mkdir(dirname(partial), { recursive: true });
  const handle = await open(partial, 'w');
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await place(partial, path);
}

/** Gives a finished file its name, durably; its folders are made. */
export async function place(partial: string, path: string): Promise<void> {
  await syncPath(partial);
  await makeFolder(dirname(path));
  await rename(partial, path);
  await syncPath(dirname(path));
}

/** Makes a folder and its parents, each durable. */
export async function makeFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder))
    await syncPath(dirname(folder));
}

export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Removes what a killed export wrote and never committed: files behind the last that an episode names. */
export async function sweep(root: string, rows: readonly EpisodeRow[], total: number): Promise<void> {
  const committed = rows.filter(({ index }) => index < total);
  const named = new Set<string>([INFO]);
  const name = (kind: string, { chunk, file }: FilePlace, extension: string) =>
    named.add(
      join(
        kind,
        `chunk-${String(chunk).padStart(3, '0')}`,
        `file-${String(file).padStart(3, '0')}.${extension}`,
      ),
    );
  for (const { data, meta, videos } of committed) {
    name('data', data, 'parquet');
    name('meta/episodes', meta, 'parquet');
    for (const [key, at] of Object.entries(videos)) name(`videos/${key}`, at, 'mp4');
  }
  const videos = await readdir(join(root, 'videos')).catch(() => [] as string[]);
  const kinds = [
    ['data', 'parquet'],
    ['meta/episodes', 'parquet'],
    ...videos.map((key) => [`videos/${key}`, 'mp4']),
  ] as [string, string][];
  for (const [kind, extension] of kinds)
    for (const path of await numberedFiles(join(root, kind), extension))
      if (!named.has(relative(root, path))) await rm(path);
}
