/** z of a two-sided interval of 95 %. */
const Z = 1.959964;

/**
 * Share of successes with the Wilson score interval of 95 % (Wilson 1927): it stays within 0 and 1 and is honest about
 * few trials, where the normal approximation is not.
 */
export function wilson(successes: number, trials: number): { rate: number; low: number; high: number } {
  if (trials === 0) return { rate: Number.NaN, low: 0, high: 1 };
  const rate = successes / trials;
  const scale = 1 + Z ** 2 / trials;
  const middle = (rate + Z ** 2 / (2 * trials)) / scale;
  const half = (Z / scale) * Math.sqrt((rate * (1 - rate)) / trials + Z ** 2 / (4 * trials ** 2));
  return { rate, low: Math.max(0, middle - half), high: Math.min(1, middle + half) };
}
