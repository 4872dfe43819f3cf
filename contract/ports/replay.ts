/** The first place where two runs differ, by kind of difference. */
export type DifferenceClass =
  | 'intent'
  | 'policy'
  | 'arguments'
  | 'result'
  | 'timing'
  | 'phase'
  | 'model answer'
  | 'session'
  | 'order';

/** One row of two runs side by side; `undefined` on a side: that run has nothing there. */
export type DiffRow = {
  readonly same: boolean;
  readonly class: DifferenceClass | undefined;
  /** Numbers of the lines, from 1. */
  readonly a: number | undefined;
  readonly b: number | undefined;
  /** Canonical JSON, as `runs decisions` prints it, with the session and the calls of models. */
  readonly left: string | undefined;
  readonly right: string | undefined;
};

export type RunDiff = {
  readonly a: string;
  readonly b: string;
  /** Every compared line is the same. */
  readonly identical: boolean;
  /** Index into `rows` of the first difference, and of the first of each class; of timing -1: see `timing`. */
  readonly first: number | undefined;
  /** The first difference in words: step, tool and the path of the value that differs; undefined: no difference. */
  readonly words: string | undefined;
  readonly classes: Readonly<Partial<Record<DifferenceClass, number>>>;
  readonly rows: readonly DiffRow[];
  /** Steps that took clearly longer or shorter, slowest change first. Times never make runs different. */
  readonly timing: readonly TimingRow[];
};

export type TimingRow = {
  readonly step: string;
  readonly a_ms: number;
  readonly b_ms: number;
};

export type ReplayRequest = {
  /** Where to start: a number, an id or a phase; absent: at the start. */
  readonly from?: string;
  /** Asks this model of the configuration in place of the record. */
  readonly model?: string;
  /** Judges each call by the policies of this directory in place of the record. */
  readonly policy?: string;
  /** As `policies`, given as Cedar text. */
  readonly policies?: string;
  /** Carries calls out on a fresh simulation in place of the record. */
  readonly sim?: boolean;
};

export type ReplayOutcome = {
  readonly run_id: string;
  /**
   * `identical`: byte for byte; `diverged`: it took another way; `changed`: a model or the policies were replaced, see
   * `diff`.
   */
  readonly verdict: 'identical' | 'diverged' | 'changed';
  readonly message: string;
  /** Event of the run at which it started, from 1. */
  readonly from: number;
  readonly attempts: number;
  /** Lines that are equal to those of the record. */
  readonly lines: number;
  /** SHA-256 of decisions and session of the record and of the replay. */
  readonly recorded_sha256: string;
  readonly replayed_sha256: string;
  readonly swapped: readonly ('model' | 'policy' | 'sim')[];
  readonly divergence?: {
    readonly entry: number;
    readonly event_id: string | undefined;
    readonly class: DifferenceClass;
    readonly message: string;
    /** What differs, in words: step, tool and the path of the value. */
    readonly words: string;
    readonly expected: string | undefined;
    readonly actual: string | undefined;
  };
  readonly diff?: RunDiff;
  /** SHA-256 of what the record names and the replay could not read: images, long answers; see `blobs.quota`. */
  readonly missing_blobs?: readonly string[];
};

/** One span of a run: a phase, a call of a tool or a model, a wait for an approval. */
export type TraceSpan = {
  readonly name: string;
  readonly kind: 'intent' | 'run' | 'phase' | 'tool' | 'model' | 'approval' | 'motion';
  readonly trace_id: string;
  readonly span_id: string;
  readonly parent_id: string | undefined;
  /** Nanoseconds since the epoch, decimal. `end_ns` is undefined while it runs. */
  readonly start_ns: string;
  readonly end_ns: string | undefined;
  readonly ok: boolean;
  /** What went wrong; empty where nothing did. */
  readonly error: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
};

/**
 * Replay and comparison of past runs. Reads logs only; a replay runs in a process of its own, which holds no bus and no
 * robot. Rejects with `run.not_found`, `schema.invalid` and, for a replay that does not come to an end,
 * `deadline.exceeded`.
 */
export interface ReplayApi {
  /** `signal` ends it when its caller no longer waits. */
  replay(runId: string, request: ReplayRequest, signal?: AbortSignal): Promise<ReplayOutcome>;
  diff(a: string, b: string): Promise<RunDiff>;
  trace(runId: string): Promise<readonly TraceSpan[]>;
}
