import type { EdgeError, Sample } from '../../../contract/core.ts';
import type { DriveOrigin } from '../control/step-origin.ts';

/**
 * The sender of a command. The loops of this daemon (`drive`, `arm`, `controller`, `teleoperation`) have a gate of their
 * own before the door and check their lease in each step. A `route` and a `play` forward commands of others.
 */
export const ASKER_KINDS = ['drive', 'arm', 'controller', 'teleoperation', 'route', 'play'] as const;
export type AskerKind = (typeof ASKER_KINDS)[number];
export type Asker = { readonly kind: AskerKind; readonly name: string };

/**
 * `lease`: the lease that a command is sent under. The sample says until when the command is valid (`expiresAtMs`).
 * `origin`: where a velocity of the base comes from, for the record of what was executed.
 */
export type CommandTerms = {
  readonly lease?: number | undefined;
  readonly origin?: DriveOrigin | undefined;
};

export type Command = CommandTerms & { readonly sample: Sample; readonly asker: Asker };

/** A command that was sent to the robot. `gated`: the door limited it. */
export type Executed = CommandTerms & {
  readonly asker: Asker;
  readonly sample: Sample;
  readonly gated?: { readonly asked: readonly number[]; readonly reason: string };
};

/**
 * The check that refused a command. `class`: it is not known to be harmless, or no gate can judge its kind. `stop`: the
 * emergency stop is engaged; the sample is withheld and must not be sent again.
 */
export type RefusedBy = 'class' | 'stop' | 'expiry' | 'lease' | 'gate';

export type Receipt =
  /** `sample` is the sample that was sent. */
  | { readonly verdict: 'sent'; readonly sample: Sample }
  | {
      readonly verdict: 'limited';
      readonly sample: Sample;
      readonly reason: string;
      readonly asked: readonly number[];
      readonly applied: readonly number[];
    }
  /** The door let it pass, but the middleware of the robot did not take it. It may be sent again. */
  | { readonly verdict: 'busy' }
  | { readonly verdict: 'refused'; readonly by: RefusedBy; readonly error: EdgeError };
