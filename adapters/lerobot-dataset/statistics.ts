/** Statistics of one feature, by the names of LeRobot; `count` is the number of frames they are of. */
export type FeatureStats = {
  readonly min: readonly number[];
  readonly max: readonly number[];
  readonly mean: readonly number[];
  readonly std: readonly number[];
  readonly count: number;
  /** By quantile: `q01`, `q10`, `q50`, `q90`, `q99`. */
  readonly quantiles: Readonly<Record<string, readonly number[]>>;
};

export const QUANTILES: Readonly<Record<string, number>> = {
  q01: 0.01,
  q10: 0.1,
  q50: 0.5,
  q90: 0.9,
  q99: 0.99,
};

/** Images larger than this on a side are thinned to about `PICTURE_SIDE` before they are counted, as LeRobot does. */
const PICTURE_SIDE_MAX = 300;
const PICTURE_SIDE = 150;
/** Frames of an episode whose images are counted: all of a short one, fewer of a long one. */
const SAMPLES_MIN = 100;
const SAMPLES_MAX = 10_000;
const SAMPLES_POWER = 0.75;

/**
 * Statistics of the vectors of an episode, in float64. The deviation is that of the population. A quantile is a
 * value that occurs: the smallest with at least that share of all at or below it.
 */
export function vectorStats(rows: readonly ArrayLike<number>[]): FeatureStats {
  const size = rows[0]?.length ?? 0;
  const columns = Array.from({ length: size }, (_, i) =>
    columnStats(Float64Array.from(rows, (row) => row[i]!)),
  );
  return joined(columns, rows.length);
}

type ColumnStats = {
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly std: number;
  readonly quantiles: Readonly<Record<string, number>>;
};

function columnStats(values: Float64Array): ColumnStats {
  const mean = values.reduce((sum, v) => sum + v, 0) / values.length;
  const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / values.length;
  const sorted = values.sort();
  const at = (q: number) => sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!;
  return {
    min: sorted[0]!,
    max: sorted.at(-1)!,
    mean,
    std: Math.sqrt(variance),
    quantiles: mapQuantiles(at),
  };
}

/** Which frames of an episode of this length have their images counted. */
export function sampledFrames(length: number): ReadonlySet<number> {
  const least = Math.min(SAMPLES_MIN, length);
  const count = Math.max(least, Math.min(Math.floor(length ** SAMPLES_POWER), SAMPLES_MAX));
  if (count <= 1) return new Set(length > 0 ? [0] : []);
  return new Set(Array.from({ length: count }, (_, i) => Math.round((i * (length - 1)) / (count - 1))));
}

/** Statistics of images by channel, in [0, 1]. Exact: a channel has 256 values, so it is counted, not sampled. */
export class PictureStats {
  readonly #counts = [new Float64Array(256), new Float64Array(256), new Float64Array(256)] as const;
  #pictures = 0;

  /** `rgb` is [height, width, 3]. */
  add(rgb: Uint8Array, height: number, width: number): void {
    const step =
      Math.max(width, height) < PICTURE_SIDE_MAX ? 1 : Math.floor(Math.max(width, height) / PICTURE_SIDE);
    const [red, green, blue] = this.#counts;
    for (let y = 0; y < height; y += step) {
      for (let x = 0; x < width; x += step) {
        const at = (y * width + x) * 3;
        red[rgb[at]!]! += 1;
        green[rgb[at + 1]!]! += 1;
        blue[rgb[at + 2]!]! += 1;
      }
    }
    this.#pictures += 1;
  }

  stats(): FeatureStats {
    return joined(this.#counts.map(countedStats), this.#pictures);
  }
}

function countedStats(counts: Float64Array): ColumnStats {
  const total = counts.reduce((sum, n) => sum + n, 0);
  const mean = counts.reduce((sum, n, value) => sum + n * value, 0) / total;
  const variance = counts.reduce((sum, n, value) => sum + n * (value - mean) ** 2, 0) / total;
  const at = (q: number) => {
    let below = 0;
    for (let value = 0; value < 256; value++) {
      below += counts[value]!;
      if (below >= q * total && below > 0) return value / 255;
    }
    return 1;
  };
  return {
    min: counts.findIndex((n) => n > 0) / 255,
    max: counts.findLastIndex((n) => n > 0) / 255,
    mean: mean / 255,
    std: Math.sqrt(variance) / 255,
    quantiles: mapQuantiles(at),
  };
}

/**
 * Of several parts the statistics of the whole: exact for all but the quantiles, which are the mean of the parts' by
 * their counts. That is how LeRobot joins episodes, so a dataset that its tools extend stays consistent.
 */
export function joinStats(parts: readonly FeatureStats[]): FeatureStats {
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const size = parts[0]?.mean.length ?? 0;
  const over = (pick: (part: FeatureStats, i: number) => number) =>
    Array.from(
      { length: size },
      (_, i) => parts.reduce((sum, part) => sum + pick(part, i) * part.count, 0) / total,
    );
  const mean = over((part, i) => part.mean[i]!);
  const variance = over((part, i) => part.std[i]! ** 2 + (part.mean[i]! - mean[i]!) ** 2);
  const extreme = (of: (...values: number[]) => number, key: 'min' | 'max') =>
    Array.from({ length: size }, (_, i) => parts.map((part) => part[key][i]!).reduce((a, b) => of(a, b)));
  return {
    min: extreme(Math.min, 'min'),
    max: extreme(Math.max, 'max'),
    mean,
    std: variance.map(Math.sqrt),
    count: total,
    quantiles: Object.fromEntries(
      Object.keys(QUANTILES).map((key) => [key, over((part, i) => part.quantiles[key]![i]!)]),
    ),
  };
}

function joined(columns: readonly ColumnStats[], count: number): FeatureStats {
  return {
    min: columns.map(({ min }) => min),
    max: columns.map(({ max }) => max),
    mean: columns.map(({ mean }) => mean),
    std: columns.map(({ std }) => std),
    count,
    quantiles: Object.fromEntries(
      Object.keys(QUANTILES).map((key) => [key, columns.map(({ quantiles }) => quantiles[key]!)]),
    ),
  };
}

function mapQuantiles(at: (q: number) => number): Record<string, number> {
  return Object.fromEntries(Object.entries(QUANTILES).map(([key, q]) => [key, at(q)]));
}
