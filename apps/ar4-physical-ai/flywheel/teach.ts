import type { Expert } from '../expert.ts';
import { CHUNK, HZ } from '../observation.ts';
import type { Episode, Frame } from './episode.ts';
import type { ArmWorld } from './world.ts';

/** An expert that is not done by then has failed, control steps: it takes five seconds. */
const TEACH_STEPS_MAX = 12 * HZ;
/** The hand goes on for this long after success: a policy has to know that it is done. */
const AFTERWARDS = CHUNK;

/**
 * Tremor of the teaching hand: so many radians of normal deviation on each joint, the same for some steps. What was
 * meant is recorded, what was done differs: states beside the ideal path come into the data with their way back.
 */
export type Tremor = { readonly radians: number; readonly steps: number; readonly gaussian: () => number };

const JOINTS = 6;
/** The wrist's joint 4 stands still in this task. */
const STILL = 3;

/** The expert from here on until it succeeded; undefined where it did not. */
export function demonstrate(world: ArmWorld, expert: Expert, tremor?: Tremor): Frame[] | undefined {
  const frames: Frame[] = [];
  let shake = new Float64Array(JOINTS);
  let left = TEACH_STEPS_MAX;
  for (let i = 0; i < left; i++) {
    const { state, environment } = world.view();
    const { action } = expert.next({ state, environment });
    frames.push({ state, environment, action });
    if (tremor && i % tremor.steps === 0) shake = shaken(tremor);
    world.command(action.map((value, j) => (j < JOINTS ? value + shake[j]! : value)));
    world.step();
    if (left === TEACH_STEPS_MAX && world.success()) left = i + 1 + AFTERWARDS;
  }
  return left === TEACH_STEPS_MAX ? undefined : frames;
}

function shaken({ radians, gaussian }: Tremor): Float64Array {
  return Float64Array.from({ length: JOINTS }, (_, j) => (j === STILL ? 0 : radians * gaussian()));
}

/** A demonstration of each start. A start that the expert fails is left out and told. */
export function* demonstrations(
  world: ArmWorld,
  expert: Expert,
  seeds: readonly number[],
  tremor?: Tremor,
): Generator<{ seed: number; episode: Episode | undefined }> {
  for (const seed of seeds) {
    world.reset(seed);
    const frames = demonstrate(world, expert, tremor);
    yield { seed, episode: frames && { kind: 'demonstration', seed, frames } };
  }
}
