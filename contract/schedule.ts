/** An intent that this robot gives itself at certain times: one `[[schedules]]` of the configuration. */
export type ScheduleSpec = {
  readonly name: string;
  /** Five fields, or six with seconds first. */
  readonly cron: string;
  /** IANA name. */
  readonly timeZone: string;
  readonly intent: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** 0 to 9. */
  readonly priority: number;
  readonly roles: readonly string[];
  /** The intent expires this long after it was due, milliseconds; undefined: never. */
  readonly deadlineMs: number | undefined;
  /** Times that passed while the daemon was down: none is made up for, the newest, or each of them (bounded). */
  readonly missed: 'skip' | 'run_once' | 'run_all';
  /** Each time is put off by up to this, milliseconds; the same time on the same robot always by the same. */
  readonly jitterMs: number;
  /** What happens when the run of an earlier time has not ended. */
  readonly overlap: 'skip' | 'queue';
};

/** A schedule as people look at it. Times are wire times. */
export type ScheduleView = {
  readonly name: string;
  readonly cron: string;
  readonly time_zone: string;
  readonly intent: string;
  readonly missed: ScheduleSpec['missed'];
  readonly overlap: ScheduleSpec['overlap'];
  readonly jitter_ms: number;
  /** The next times, without jitter; empty: never again. */
  readonly next: readonly string[];
  /** What became of the last time that was decided. */
  readonly last?: {
    readonly due: string;
    readonly action: 'known' | 'run' | 'skipped' | 'refused';
    readonly missed: number;
    readonly reason: string;
    readonly run_id?: string;
  };
};

/** What keeps the intent of `runs.auto_start` from being accepted. */
export type AutoStartView = {
  /** `waiting`: it is sent again. `ended`: not until this cell starts again. */
  readonly state: 'waiting' | 'ended';
  readonly intent: string;
  /** Tries that no policy answered in time. */
  readonly tries: number;
  readonly reason: string;
};
