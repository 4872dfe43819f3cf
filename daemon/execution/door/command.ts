import type { EdgeError, Sample } from '../../../contract/core.ts';
import type { DriveOrigin } from '../control/step-origin.ts';

/**
 * Who asks. The loops of this daemon (`drive`, `arm`, `controller`, `teleoperation`) have a gate of their own before
 * the door and look at their lease in each step. A `route` and a `play` carry what others have said.
 */
export type AskerKind = 'drive' | 'arm' | 'controller' | 'teleoperation' | 'route' | 'play';
export type Asker = { readonly kind: AskerKind; readonly name: string };

/**
 * `lease`: the lease that a command is asked for under. Until when it counts, the sample says (`expiresAtMs`).
 * `origin`: where a velocity of the base comes from, for the record of what was executed.
 */
export type CommandTerms = {
  readonly lease?: number | undefined;
  readonly origin?: DriveOrigin | undefined;
};

export type Command = CommandTerms & { readonly sample: Sample; readonly asker: Asker };

/** A command that the robot was given; `gated`: the door let a part of it pass. */
export type Executed = CommandTerms & {
  readonly asker: Asker;
  readonly sample: Sample;
  readonly gated?: { readonly asked: readonly number[]; readonly reason: string };
};

/**
 * What refused it. `class`: nobody says that it is harmless, or nothing can judge a command of its kind. `stop`: the
 * emergency stop is engaged; the sample is withheld and not to be sent again.
 */
export type RefusedBy = 'class' | 'stop' | 'expiry' | 'lease' | 'gate';

export type Receipt =
  /** `sample` is what went out. */
  | { readonly verdict: 'sent'; readonly sample: Sample }
  | {
      readonly verdict: 'limited';
      readonly sample: Sample;
      readonly reason: string;
      readonly asked: readonly number[];
      readonly applied: readonly number[];
    }
  /** The door let it pass and the robot's middleware did not take it: it may be tried again. */
  | { readonly verdict: 'busy' }
  | { readonly verdict: 'refused'; readonly by: RefusedBy; readonly error: EdgeError };
