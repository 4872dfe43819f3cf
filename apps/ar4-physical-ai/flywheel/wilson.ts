/** Two-sided 95 %. */
const Z = 1.959964;

export type Rate = {
  readonly successes: number;
  readonly trials: number;
  readonly low: number;
  readonly high: number;
};

/** A success rate with its Wilson score interval (E. B. Wilson, 1927). */
export function wilson(successes: number, trials: number): Rate {
  if (trials === 0) return { successes, trials, low: 0, high: 1 };
  const share = successes / trials;
  const scale = 1 + Z ** 2 / trials;
  const centre = (share + Z ** 2 / (2 * trials)) / scale;
  const half = (Z / scale) * Math.sqrt((share * (1 - share)) / trials + Z ** 2 / (4 * trials ** 2));
  // At the ends rounding could leave the range from 0 to 1.
  const low = successes === 0 ? 0 : centre - half;
  const high = successes === trials ? 1 : centre + half;
  return { successes, trials, low, high };
}
