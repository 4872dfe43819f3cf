/** What happens in a step for which there is no unexpired action. `retract`: to the declared safe joint positions. */
export type Starvation = 'hold' | 'decelerate' | 'retract';

/** How chunks that overlap become one action, by the names of LeRobot. */
export type Aggregation =
  | 'weighted_average'
  | 'latest_only'
  | 'average'
  | 'conservative'
  | 'temporal_ensemble';

/** Body of `controller.start`; it runs until it is stopped, its lease is lost, or `seconds` have passed. */
export type ControllerOrder = {
  readonly controller: string;
  /** In words, for policies that take it. */
  readonly task?: string;
  /** The step of a plan that it serves, for the record. */
  readonly plan_step?: string;
  /** Robot time it may take at most. */
  readonly seconds?: number;
  /** UUIDv7; asked again under the same id it is the same start. */
  readonly motionId?: string;
  /** The run that moves; its stop ends this controller. */
  readonly run?: string;
};

export type ControllerView = {
  readonly name: string;
  readonly policy: string;
  readonly policy_hash: string;
  readonly hz: number;
  readonly state: 'idle' | 'running' | 'starved' | 'stopped' | 'failed';
  readonly reason: string;
  readonly steps: number;
  readonly starved: number;
  readonly clamped: number;
  readonly refused: number;
  /** Inputs that are older than they may be now: name, milliseconds. */
  readonly stale: Readonly<Record<string, number>>;
  readonly chunks: number;
  /** Chunks that were not taken: why (`late`, `early`, `misshapen`, `not_finite`, `far_outside`), and how many. */
  readonly turned_down: Readonly<Record<string, number>>;
  /** Path of an inference, from measurement to chunk: milliseconds. */
  readonly inference_p50_ms: number | undefined;
  readonly inference_p99_ms: number | undefined;
  /** Lateness of control steps, milliseconds, and net of what the thread waited for a processor. */
  readonly late_p99_ms: number | undefined;
  readonly late_max_ms: number | undefined;
  readonly late_net_p99_ms: number | undefined;
  /** Greatest lateness of about the last second, as it was felt: models give way by it. */
  readonly late_recent_ms?: number | undefined;
  readonly scheduling: 'fifo' | 'other' | 'unknown';
};

/** One applied control step, as it is recorded: what was asked, what went to the robot, and where it came from. */
export type AppliedAction = {
  /** A controller of the configuration, or one of `ACTION_SOURCES`. */
  readonly controller: string;
  readonly time_ns: string;
  /** What its numbers are: joint positions, joint velocities, or forward and turning speed of a base. */
  readonly kind: 'positions' | 'velocities' | 'twist';
  readonly names: readonly string[];
  readonly asked: readonly number[];
  readonly applied: readonly number[];
  readonly verdict: 'passed' | 'limited' | 'refused' | 'starved';
  /** Which limit bit; empty when it passed. */
  readonly reason: string;
  /** Counts chunks of this controller since it started; 0: none, starvation. */
  readonly chunk: number;
  /** Stamp of the observation behind it, nanoseconds. */
  readonly observation_ns: string;
  /** Name in the configuration; empty: the default policy. */
  readonly policy: string;
  readonly policy_hash: string;
  readonly plan_step: string;
  /** Of the start that it belongs to; where a run started it, the id of its tool call. */
  readonly motion_id: string;
  /** The run that moves; absent where none does, and where only its call is known. */
  readonly run_id?: string;
  readonly lease: number;
};
