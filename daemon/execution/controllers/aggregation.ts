import type { Aggregation } from '../../../contract/core.ts';

/** Share of the newer action, by the names and numbers of LeRobot's asynchronous inference. */
const NEWER: Readonly<Record<Exclude<Aggregation, 'temporal_ensemble'>, number>> = {
  weighted_average: 0.7,
  latest_only: 1,
  average: 0.5,
  conservative: 0.3,
};

/**
 * What becomes of an action for which a newer one came. `count`: how many predictions `old` is made of already.
 * `temporal_ensemble` is the mean of all predictions with the weights exp(-coefficient * i), i = 0 for the oldest
 * (ACT, algorithm 2): with a coefficient above 0 the older ones count more.
 */
export function aggregate(
  how: Aggregation,
  old: number,
  newer: number,
  count: number,
  coefficient: number,
): number {
  if (how !== 'temporal_ensemble') {
    const share = NEWER[how];
    return share === 1 ? newer : (1 - share) * old + share * newer;
  }
  const before = weights(count, coefficient);
  const weight = Math.exp(-coefficient * count);
  return (old * before + newer * weight) / (before + weight);
}

/** Sum of the first `count` weights. */
function weights(count: number, coefficient: number): number {
  if (coefficient === 0) return count;
  return (1 - Math.exp(-coefficient * count)) / (1 - Math.exp(-coefficient));
}
