import type { BodyOf } from '../bodies/kit.ts';
import type * as schemas from '../bodies/safety.ts';

export type LeaseRole = BodyOf<typeof schemas.LeaseRole>;
export type EStopSource = BodyOf<typeof schemas.EStopSource>;
export type EStopState = BodyOf<typeof schemas.EStopState>;
/** The answer to `estop.engage`. */
export type EStopAnswer = BodyOf<typeof schemas.EStopAnswer>;

/**
 * The software emergency stop. While it is engaged no command reaches an actuator, from no caller and under no lease.
 * It survives a restart of cell and daemon. Anybody may engage it; only a person releases it: a release from an agent,
 * a policy, a topic or a key is refused with `policy.denied`.
 */
export interface EmergencyStop {
  state(): EStopState;
  /**
   * Takes effect before it returns: the gate is closed in the same turn; resolves when the robot stands and it is
   * durable.
   */
  engage(source: EStopSource, by: string, reason: string): Promise<EStopState>;
  /**
   * `press`: the one that the person saw who releases it; absent: all that came before this call. Rejects with
   * `policy.denied`; with `command.refused` while a cause is still there (the file, the held key), and where it was
   * pressed again after that press, by any person or way.
   */
  release(source: EStopSource, by: string, reason: string, press?: string): Promise<EStopState>;
}

/** Body of `lease.renew` and `lease.return`. */
export type LeaseName = BodyOf<typeof schemas.LeaseName>;
export type LeaseView = BodyOf<typeof schemas.LeaseView>;
/** A caller of a higher rank than an agent took the robot. Body of the broadcast `lease.taken`. */
export type Takeover = BodyOf<typeof schemas.Takeover>;
/** How a lease ended. */
export type LeaseEnd = NonNullable<Takeover['end']>;
/** Body of `teleop.command`. */
export type TeleopCommand = BodyOf<typeof schemas.TeleopCommand>;
