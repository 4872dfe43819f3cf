import { type ArmView, HZ } from '../observation.ts';
import type { Answer, Pilot } from './pilot.ts';
import type { ArmWorld } from './world.ts';

/** An episode is over by then, control steps: the expert takes five seconds. */
export const EPISODE_STEPS_MAX = 12 * HZ;
/** Stuck: the joints moved less than this in sum, radians, within so many steps. */
const STUCK_RADIANS = 0.02;
const STUCK_STEPS = 2 * HZ;

export type Rollout = {
  readonly success: boolean;
  /** Control steps it took. */
  readonly steps: number;
  /** Why it ended: done, stood still without being done, out of time, or because who watched has seen enough. */
  readonly end: 'success' | 'stuck' | 'timeout' | 'stopped';
};

/** Looks on after every control step; true: enough. */
export type Watch = (view: ArmView, step: number) => boolean;

/** A policy from a start, until it is done or will not be. */
export async function rollOut(
  world: ArmWorld,
  pilot: Pilot,
  answer: Answer,
  seed: number,
  watch?: Watch,
): Promise<Rollout> {
  world.reset(seed);
  pilot.begin(answer);
  let still = 0;
  let before = world.view().state;
  for (let step = 1; step <= EPISODE_STEPS_MAX; step++) {
    await pilot.step();
    if (world.success()) return { success: true, steps: step, end: 'success' };
    const view = world.view();
    if (watch?.(view, step)) return { success: false, steps: step, end: 'stopped' };
    const now = view.state;
    const moved = now.reduce((sum, value, i) => sum + Math.abs(value - before[i]!), 0);
    before = now;
    still = moved < STUCK_RADIANS / STUCK_STEPS ? still + 1 : 0;
    if (still >= STUCK_STEPS) return { success: false, steps: step, end: 'stuck' };
  }
  return { success: false, steps: EPISODE_STEPS_MAX, end: 'timeout' };
}
