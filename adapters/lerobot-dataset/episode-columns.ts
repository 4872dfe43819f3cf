import type { ParquetColumn } from '../../contract/core.ts';
import type { BatchEpisode } from './episode-batch.ts';
import { type InfoFeature, OWN_COLUMNS } from './info.ts';
import type { FilePlace } from './layout.ts';
import { type FeatureStats, QUANTILES } from './statistics.ts';

const STATS = ['min', 'max', 'mean', 'std', 'count', ...Object.keys(QUANTILES)] as const;

/** The columns of meta/episodes for a batch, in LeRobot's order and types. */
export function episodeColumns(of: {
  batch: readonly BatchEpisode[];
  firstEpisode: number;
  firstIndex: number;
  fps: number;
  data: FilePlace;
  meta: FilePlace;
  videos: Readonly<Record<string, FilePlace>>;
}): ParquetColumn[] {
  const { batch, fps } = of;
  const ints = (name: string, value: (i: number) => number): ParquetColumn => ({
    name,
    type: 'int64',
    values: batch.map((_, i) => value(i)),
  });
  const starts: number[] = [];
  batch.reduce((at, { length }) => {
    starts.push(at);
    return at + length;
  }, of.firstIndex);
  const cameras = Object.entries(of.videos).flatMap(([key, at]): ParquetColumn[] => {
    const seconds = (name: string, value: (one: BatchEpisode) => number): ParquetColumn => ({
      name: `videos/${key}/${name}`,
      type: 'float64',
      values: batch.map(value),
    });
    return [
      ints(`videos/${key}/chunk_index`, () => at.chunk),
      ints(`videos/${key}/file_index`, () => at.file),
      seconds('from_timestamp', (one) => one.videoFrom[key]! / fps),
      seconds('to_timestamp', (one) => (one.videoFrom[key]! + one.length) / fps),
    ];
  });
  return [
    ints('episode_index', (i) => of.firstEpisode + i),
    { name: 'tasks', type: 'text_list', values: batch.map(({ task }) => [task]) },
    ints('length', (i) => batch[i]!.length),
    ints('data/chunk_index', () => of.data.chunk),
    ints('data/file_index', () => of.data.file),
    ints('dataset_from_index', (i) => starts[i]!),
    ints('dataset_to_index', (i) => starts[i]! + batch[i]!.length),
    ...cameras,
    ...Object.keys(batch[0]?.stats ?? {}).flatMap((key) => statsColumns(key, batch, key in of.videos)),
    ints('meta/episodes/chunk_index', () => of.meta.chunk),
    ints('meta/episodes/file_index', () => of.meta.file),
  ];
}

function statsColumns(key: string, batch: readonly BatchEpisode[], isVideo: boolean): ParquetColumn[] {
  const isInt = (OWN_COLUMNS as readonly string[]).includes(key) && key !== 'timestamp';
  return STATS.map((stat): ParquetColumn => {
    const name = `stats/${key}/${stat}`;
    const values = batch.map(({ stats }) => numbersOf(stats[key]!, stat));
    if (stat === 'count' || (isInt && (stat === 'min' || stat === 'max')))
      return { name, type: 'int64_list', values };
    if (isVideo) return { name, type: 'float64_list3', values: values.map(asChannels) };
    return { name, type: 'float64_list', values };
  });
}

function numbersOf(stats: FeatureStats, stat: (typeof STATS)[number]): readonly number[] {
  if (stat === 'count') return [stats.count];
  if (stat === 'min' || stat === 'max' || stat === 'mean' || stat === 'std') return stats[stat];
  return stats.quantiles[stat]!;
}

function asChannels(values: readonly number[]): number[][][] {
  return values.map((value) => [[value]]);
}

/** meta/stats.json: images as [3][1][1]. */
export function statsJson(
  stats: Readonly<Record<string, FeatureStats>>,
  features: Readonly<Record<string, InfoFeature>>,
): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(stats).map(([key, of]) => [
      key,
      Object.fromEntries(
        STATS.map((stat) => {
          const values = numbersOf(of, stat);
          return [stat, features[key]?.dtype === 'video' && stat !== 'count' ? asChannels(values) : values];
        }),
      ),
    ]),
  );
}

/** The statistics that a row of meta/episodes holds. A feature that lacks some of them is left out. */
export function statsOfRow(
  row: Readonly<Record<string, unknown>>,
  features: readonly string[],
): Record<string, FeatureStats> {
  const found: Record<string, FeatureStats> = {};
  for (const key of features) {
    const numbers = (stat: string) => {
      const value = row[`stats/${key}/${stat}`];
      return value === undefined || value === null ? undefined : flat(value);
    };
    const [min, max, mean, std, count] = ['min', 'max', 'mean', 'std', 'count'].map(numbers);
    if (!min || !max || !mean || !std || !count) continue;
    const quantiles = Object.fromEntries(Object.keys(QUANTILES).map((q) => [q, numbers(q) ?? mean]));
    found[key] = { min, max, mean, std, count: count[0]!, quantiles };
  }
  return found;
}

function flat(value: unknown): number[] {
  return Array.isArray(value) ? value.flatMap(flat) : [Number(value)];
}
