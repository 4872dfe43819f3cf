/** Who may command actuators. */
export type LeaseRole = 'policy' | 'agent' | 'autonomy' | 'central' | 'teleoperation';

/** The way by which an emergency stop was requested. */
export type EStopSource = 'api' | 'cli' | 'zenoh' | 'ros' | 'file' | 'agent' | 'console' | 'internal';

export type EStopState = {
  readonly engaged: boolean;
  /** Since when, wall clock nanoseconds as decimal text; empty while it is not engaged. */
  readonly since_ns: string;
  readonly source: EStopSource | '';
  readonly by: string;
  readonly reason: string;
  /**
   * Names the newest press, also one of a stop that was engaged already: decimal text that rises with each press. A
   * release that names the press which it answers releases no newer one. Absent while it is not engaged.
   */
  readonly press?: string;
};

/** The answer to a stop: facts for the caller besides success. */
export type StopWarnings = { readonly warnings?: readonly string[] };
/** The answer to `estop.engage`. */
export type EStopAnswer = EStopState &
  StopWarnings & {
    /** It is engaged, and nobody has measured that the robot stands. Absent: it stands, or there is no robot. */
    readonly confirmed?: false;
  };

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

/** Body of `lease.renew` and `lease.return`. `by`: the caller; where it is given, only the holder may do this. */
export type LeaseName = { readonly leaseId: number; readonly by?: string };
export type LeaseView = {
  readonly state: 'free' | 'held' | 'stopping';
  readonly lease_id?: number;
  readonly holder?: string;
  readonly role?: LeaseRole;
  readonly priority?: number;
  /** Milliseconds until it ends unless it is renewed. */
  readonly remaining_ms?: number;
  /** The newest lease above the rank of an agent; absent: there was none since the cell started. */
  readonly takeover?: Takeover;
};

/** How a lease ended. */
export type LeaseEnd = 'returned' | 'expired' | 'taken' | 'stopped';

/** A caller of a higher rank than an agent took the robot. Body of the broadcast `lease.taken`. */
export type Takeover = {
  readonly holder: string;
  readonly role: LeaseRole;
  /** Wall clock nanoseconds as decimal text. */
  readonly since_ns: string;
  /** Absent while it is held. */
  readonly end?: LeaseEnd;
};

/**
 * Body of `teleop.command`: a velocity of the base, or joint positions of the arm; it counts for
 * `LIMITS.COMMAND_EXPIRY_MS`.
 */
export type TeleopCommand = {
  readonly leaseId: number;
  /** As that of `LeaseName`. */
  readonly by?: string;
  /** m/s forward and rad/s counter-clockwise. */
  readonly twist?: { readonly linear: number; readonly angular: number };
  /** Radians or metres by joint. */
  readonly joints?: Readonly<Record<string, number>>;
};
