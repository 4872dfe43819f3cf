/** What runs and waits, and whether agents are held back. */
export type RunLoad = {
  readonly active: number;
  readonly waiting: number;
  /** Runs at a time, of all applications together; runs that others asked for do not count. */
  readonly runsMax: number;
  /** Why no further agent starts; undefined: nothing holds them back. */
  readonly held: string | undefined;
  /** What is measured, with its limit; a limit of 0 is none. */
  readonly pressure: readonly {
    readonly name: string;
    /** Undefined where it cannot be read here. */
    readonly value: number | undefined;
    readonly limit: number;
    readonly unit: string;
  }[];
  /** Paused runs, each with why, for example who took the robot over; absent where there are none. */
  readonly paused?: readonly { readonly run_id: string; readonly reason: string }[];
  /** Runs that the log refused; absent where there are none. */
  readonly unwritten?: readonly UnwrittenRun[];
};

/** A run whose last events the log refused, as a full disk does. It is not over before the log says so. */
export type UnwrittenRun = {
  readonly run_id: string;
  /** How it ended: this is tried again until the log takes it. Absent: it goes on when the log does. */
  readonly end?: 'succeeded' | 'failed' | 'cancelled';
  readonly since_ts: string;
  readonly tries: number;
  readonly reason: string;
};
