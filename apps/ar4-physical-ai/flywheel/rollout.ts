import { type ArmView, HZ } from '../observation.ts';
import type { Answer, Pilot } from './pilot.ts';
import type { ArmWorld } from './world.ts';

/** An episode is over by then, control steps: the expert takes five seconds. */
export const EPISODE_STEPS_MAX = 12 * HZ;
/** Stuck: the joints moved less than this in sum, radians, within so many steps. */
const STUCK_RADIANS = 0.02;
const STUCK_STEPS = 2 * HZ;
/** A success has to last this long, control steps: a cube may roll off again, jaws may come back. */
export const SUSTAINED_STEPS = HZ / 2;

export type Rollout = {
  readonly success: boolean;
  /** Control steps it took; for a success, until it was done and stayed so. */
  readonly steps: number;
  /** Why it ended: done, stood still without being done, out of time, or ended by the supervisor. */
  readonly end: 'success' | 'stuck' | 'timeout' | 'stopped';
};

/** Called after every control step; true ends the episode. */
export type Watch = (view: ArmView, step: number) => boolean;

/** Runs a policy from a start until it succeeds or fails. */
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
  let held = 0;
  let before = world.view().state;
  for (let step = 1; step <= EPISODE_STEPS_MAX; step++) {
    await pilot.step();
    held = world.success() ? held + 1 : 0;
    if (held >= SUSTAINED_STEPS) return { success: true, steps: step - SUSTAINED_STEPS + 1, end: 'success' };
    const view = world.view();
    // Who watches lets it finish.
    if (watch?.(view, step) && held === 0) return { success: false, steps: step, end: 'stopped' };
    const now = view.state;
    const moved = now.reduce((sum, value, i) => sum + Math.abs(value - before[i]!), 0);
    before = now;
    still = moved < STUCK_RADIANS / STUCK_STEPS ? still + 1 : 0;
    if (still >= STUCK_STEPS) return { success: false, steps: step, end: 'stuck' };
  }
  return { success: false, steps: EPISODE_STEPS_MAX, end: 'timeout' };
}
