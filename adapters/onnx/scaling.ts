/**
 * Normalisation of one feature, as LeRobot's NormalizerProcessorStep and UnnormalizerProcessorStep compute it. One
 * number per element of the last axis (per colour for images), or one for all. QUANTILES of LeRobot (q01, q99) are
 * `min_max` with those two.
 */
export type FeatureScale =
  | { readonly mode: 'identity' }
  | { readonly mode: 'mean_std'; readonly mean: readonly number[]; readonly std: readonly number[] }
  | { readonly mode: 'min_max'; readonly min: readonly number[]; readonly max: readonly number[] };

/** LeRobot's, added to a standard deviation and put in place of a range of zero. */
const EPSILON = 1e-8;

export const IDENTITY: FeatureScale = { mode: 'identity' };

/** What is wrong with a scale for `width` numbers, in words; undefined: nothing. */
export function scaleFault(value: unknown, width: number): string | undefined {
  const scale = (value ?? {}) as Record<string, unknown>;
  const fits = (name: string) => {
    const list = scale[name];
    const good =
      Array.isArray(list) && (list.length === width || list.length === 1) && list.every(Number.isFinite);
    return good ? undefined : `${name} is not ${width} finite numbers`;
  };
  switch (scale['mode']) {
    case 'identity':
      return undefined;
    case 'mean_std':
      return fits('mean') ?? fits('std');
    case 'min_max':
      return fits('min') ?? fits('max');
    default:
      return 'mode is not mean_std, min_max or identity';
  }
}

/** To what the network was trained on. `data` holds whole rows of `width` numbers. */
export function normalize(data: Float32Array, width: number, scale: FeatureScale): Float32Array {
  if (scale.mode === 'identity') return data;
  const steps = stepsOf(scale, width);
  return data.map((value, i) => {
    const { minus, by, plus } = steps[i % width]!;
    return (value - minus) / by + plus;
  });
}

/** From what the network gives to the units of the robot. */
export function unnormalize(data: Float32Array, width: number, scale: FeatureScale): Float32Array {
  if (scale.mode === 'identity') return data;
  if (scale.mode === 'mean_std') {
    return data.map((value, i) => value * pick(scale.std, i % width) + pick(scale.mean, i % width));
  }
  const steps = stepsOf(scale, width);
  return data.map((value, i) => {
    const { minus, by, plus } = steps[i % width]!;
    return (value - plus) * by + minus;
  });
}

/**
 * An image as the network takes it: [height, width, 3] of bytes to [3, height, width] of floats in 0..1, scaled. A
 * byte has 256 values, so each is computed once per colour.
 */
export function pictureToPlanes(data: Uint8Array, pixels: number, scale: FeatureScale): Float32Array {
  const bytes = Float32Array.from({ length: 256 * 3 }, (_, i) => Math.floor(i / 3) / 255);
  const table = normalize(bytes, 3, scale);
  const planes = new Float32Array(pixels * 3);
  for (let colour = 0; colour < 3; colour++) {
    const base = colour * pixels;
    for (let i = 0; i < pixels; i++) planes[base + i] = table[data[i * 3 + colour]! * 3 + colour]!;
  }
  return planes;
}

/**
 * `(x - minus) / by + plus`, per element. Never folded into one factor and one offset: where a feature hardly varies,
 * `by` is 1e-8, and a difference that is exactly zero must stay so.
 */
function stepsOf(
  scale: Exclude<FeatureScale, { mode: 'identity' }>,
  width: number,
): readonly { readonly minus: number; readonly by: number; readonly plus: number }[] {
  return Array.from({ length: width }, (_, at) => {
    if (scale.mode === 'mean_std')
      return { minus: pick(scale.mean, at), by: pick(scale.std, at) + EPSILON, plus: 0 };
    const range = pick(scale.max, at) - pick(scale.min, at);
    return { minus: pick(scale.min, at), by: (range === 0 ? EPSILON : range) / 2, plus: -1 };
  });
}

/** One number for all, or one each; as the float32 that it was when it was measured. */
function pick(list: readonly number[], at: number): number {
  return Math.fround(list.length === 1 ? list[0]! : list[at]!);
}
