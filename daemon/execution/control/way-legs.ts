import type { MotionResult, NavigateGoal } from '../../../contract/core.ts';

/** Robot time between two places of a way, milliseconds: what a leg has at least. */
const LEG_MS_MIN = 1;

/** Drives to each place on the way and then to the goal, within the time of the goal. Ends at the first one not reached. */
export async function driveLegs(
  goal: NavigateGoal,
  drive: (leg: NavigateGoal) => Promise<MotionResult>,
): Promise<MotionResult> {
  const { via = [], ...last } = goal;
  const legs = [...via.map((pose) => ({ ...last, pose, alignYaw: false })), last];
  let driven = { distance: 0, durationMs: 0 };
  for (let at = 0; ; at++) {
    const timeoutMs = Math.max(LEG_MS_MIN, goal.timeoutMs - driven.durationMs);
    const end = await drive({ ...legs[at]!, timeoutMs });
    driven = { distance: driven.distance + end.distance, durationMs: driven.durationMs + end.durationMs };
    if (end.outcome !== 'reached' || at === legs.length - 1) return { ...end, ...driven };
  }
}
