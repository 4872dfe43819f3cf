import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DatasetReader } from '../../adapters/lerobot-dataset/index.ts';
import type { ParquetFiles } from '../../contract/core.ts';
import type { Settings } from '../../daemon/settings.ts';

/** Runs with Parquet files open; they are closed whatever happens. */
export async function withParquet<T>(work: (parquet: ParquetFiles) => Promise<T>): Promise<T> {
  // DuckDB is large: only who needs it loads it.
  const { DuckParquetFiles } = await import('../../adapters/ducklake/index.ts');
  const parquet = new DuckParquetFiles();
  try {
    return await work(parquet);
  } finally {
    await parquet.close();
  }
}

export function withReader<T>(
  { config }: Settings,
  root: string,
  ffmpeg: string | undefined,
  work: (reader: DatasetReader) => Promise<T>,
): Promise<T> {
  return withParquet(async (parquet) => {
    const clock = new SystemClock();
    const reader = await DatasetReader.open({
      root,
      parquet,
      clock,
      ffmpeg: ffmpeg ?? config.dataset.ffmpeg,
    });
    return work(reader);
  });
}

/** `0,3-5` as numbers, each once; without it all of them. */
export function numbersIn(text: string | undefined, count: number): number[] {
  const all = Array.from({ length: count }, (_, i) => i);
  if (text === undefined) return all;
  const wanted = new Set<number>();
  for (const part of text.split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const to = Number(match?.[2] ?? match?.[1] ?? Number.NaN);
    for (const n of all) if (match && n >= Number(match[1]) && n <= to) wanted.add(n);
  }
  return [...wanted];
}
