import type { PlanStep } from '../../../contract/plan.ts';

export type StepOutcome = 'succeeded' | 'already' | 'failed';
export type Move = 'next' | 'again' | 'replan' | 'skip' | 'fail';

/** How often a step may be tried altogether where its fallback is `retry`. */
export const ATTEMPTS_MAX = 3;

/**
 * What follows a step. Retries are bounded, then another plan is asked for where that is possible; plans are bounded
 * too, then it fails. Pure: the table in the tests is the whole of it.
 */
export function moveAfter(
  outcome: StepOutcome,
  fallback: PlanStep['fallback'],
  attempt: number,
  replansLeft: number,
): Move {
  if (outcome !== 'failed') return 'next';
  switch (fallback) {
    case 'skip':
      return 'skip';
    case 'abort':
      return 'fail';
    case 'retry':
      if (attempt < ATTEMPTS_MAX) return 'again';
      return replansLeft > 0 ? 'replan' : 'fail';
    case 'replan':
      return replansLeft > 0 ? 'replan' : 'fail';
  }
}
