import type { Expert } from '../expert.ts';
import { CHUNK, HZ } from '../observation.ts';
import type { Episode, Frame } from './episode.ts';
import type { ArmWorld } from './world.ts';

/** An expert that is not done by then has failed, control steps: it takes five seconds. */
const TEACH_STEPS_MAX = 12 * HZ;
/** The teacher keeps acting for this long after success: a policy has to know that it is done. */
const AFTERWARDS = CHUNK;

/** A demonstration of a start; undefined where the expert fails it. */
export function demonstration(world: ArmWorld, expert: Expert, seed: number): Episode | undefined {
  world.reset(seed);
  const frames = demonstrate(world, expert);
  return frames && { kind: 'demonstration', seed, frames };
}

/** Lets the expert finish the task; undefined where it fails. */
export function demonstrate(world: ArmWorld, expert: Expert): Frame[] | undefined {
  const frames: Frame[] = [];
  let left = TEACH_STEPS_MAX;
  for (let i = 0; i < left; i++) {
    const { state, environment } = world.view();
    const { action } = expert.next({ state, environment });
    frames.push({ state, environment, action });
    world.command(action);
    world.step();
    if (left === TEACH_STEPS_MAX && world.success()) left = i + 1 + AFTERWARDS;
  }
  return left === TEACH_STEPS_MAX ? undefined : frames;
}
