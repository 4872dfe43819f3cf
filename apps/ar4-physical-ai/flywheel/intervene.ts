import type { Expert } from '../expert.ts';
import { type ArmView, HZ } from '../observation.ts';
import type { Episode } from './episode.ts';
import type { Answer, Pilot } from './pilot.ts';
import { rollOut, type Watch } from './rollout.ts';
import { demonstrate } from './teach.ts';
import type { ArmWorld } from './world.ts';

/** The expert holds the cube after 1.7 s and is done after 5; who watches a policy waits a little longer than that. */
const PICK_STEPS = 2.7 * HZ;
const DONE_STEPS = 6.5 * HZ;
/** A cube that is higher than this was picked up; one that moved further than this without it was knocked, metres. */
const PICKED_Z = 0.03;
const KNOCKED_M = 0.02;

/** Who watches over a policy, and when he has seen enough: it is late, or it does harm. */
function supervisor(start: ArmView): Watch {
  const [x, y] = start.environment as [number, number];
  let picked = false;
  return ({ environment }, step) => {
    picked ||= environment[2]! > PICKED_Z;
    const knocked = !picked && Math.hypot(environment[0]! - x, environment[1]! - y) > KNOCKED_M;
    return knocked || step > DONE_STEPS || (!picked && step > PICK_STEPS);
  };
}

/** One start of the policy under supervision: it did it alone, or the expert took over; `episode` is what he did. */
export type Supervised =
  | { readonly seed: number; readonly outcome: 'alone' }
  | { readonly seed: number; readonly outcome: 'corrected'; readonly episode: Episode }
  | { readonly seed: number; readonly outcome: 'lost' };

/**
 * Lets the policy act from a start. Where it is late or knocks the cube about, the expert takes over from the very
 * state it has got into and finishes the task: that is what is learned from, and nothing of what the policy did
 * (S. Ross et al., 2011; takeovers as in HG-DAgger, M. Kelly et al., 2019). A world beyond help is `lost`.
 */
export async function supervise(
  world: ArmWorld,
  pilot: Pilot,
  expert: Expert,
  policy: { readonly hash: string; readonly answer: Answer },
  seed: number,
): Promise<Supervised> {
  world.reset(seed);
  const watch = supervisor(world.view());
  const { success, steps } = await rollOut(world, pilot, policy.answer, seed, watch);
  if (success) return { seed, outcome: 'alone' };
  const frames = demonstrate(world, expert);
  if (!frames) return { seed, outcome: 'lost' };
  const episode: Episode = { kind: 'intervention', seed, policy: policy.hash, from: steps, frames };
  return { seed, outcome: 'corrected', episode };
}
