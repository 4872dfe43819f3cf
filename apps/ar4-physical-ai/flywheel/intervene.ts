import type { Expert } from '../expert.ts';
import { type ArmView, HZ } from '../observation.ts';
import type { Episode } from './episode.ts';
import type { Answer, Pilot } from './pilot.ts';
import { rollOut, type Watch } from './rollout.ts';
import { demonstrate } from './teach.ts';
import type { ArmWorld } from './world.ts';

/** The expert holds the cube after 1.7 s and is done after 5; the supervisor of a policy waits a little longer. */
const PICK_STEPS = 2.7 * HZ;
const DONE_STEPS = 6.5 * HZ;
/** A cube that is higher than this was picked up; one that moved further than this without it was knocked, metres. */
const PICKED_Z = 0.03;
const KNOCKED_M = 0.02;

/** The supervisor of a policy. It intervenes when the policy is late or does harm. */
function supervisor(start: ArmView): Watch {
  const [x, y] = start.environment as [number, number];
  let picked = false;
  return ({ environment }, step) => {
    picked ||= environment[2]! > PICKED_Z;
    const knocked = !picked && Math.hypot(environment[0]! - x, environment[1]! - y) > KNOCKED_M;
    return knocked || step > DONE_STEPS || (!picked && step > PICK_STEPS);
  };
}

/**
 * One start of the policy under supervision: it succeeded alone, or the expert took over; `episode` is the expert's
 * part.
 */
export type Supervised =
  | { readonly seed: number; readonly outcome: 'alone' }
  | { readonly seed: number; readonly outcome: 'corrected'; readonly episode: Episode }
  | { readonly seed: number; readonly outcome: 'lost' };

/**
 * Lets the policy act from a start. Where it is late or knocks the cube about, the expert takes over in the state that
 * it has reached and finishes the task. Only the expert's part is used for training (S. Ross et al., 2011; takeovers as
 * in HG-DAgger, M. Kelly et al., 2019). A state that the expert cannot finish is `lost`.
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
