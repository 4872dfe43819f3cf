import type { RuntimeStatus } from '../cell-messages.ts';
import type { ErrorBody } from '../errors.ts';
import type { Intent, PolicyContext } from '../intent.ts';
import type { RunState, RunStatus } from '../run-state.ts';

/** A run as shown to people and clients. Times are wire times (nanoseconds, decimal). */
export type RunDetails = {
  readonly run: RunState;
  readonly intent: Intent;
  readonly app: string;
  /** Of a package: the version that it started with and keeps, and the SHA-256 of its files. */
  readonly app_version?: string;
  readonly app_digest?: string;
  /** State of the flow that it is in, or ended in. */
  readonly phase: string | undefined;
  readonly queued_ts: string;
  readonly started_ts: string | undefined;
  readonly finished_ts: string | undefined;
  /** Reason of its status: for a waiting run what it waits for, for a finished run the outcome. */
  readonly reason: string;
  readonly summary: Readonly<Record<string, unknown>> | undefined;
  readonly error: ErrorBody | undefined;
};

export type RunFilter = {
  readonly status?: RunStatus;
  readonly app?: string;
  /** Only runs that this run opened. */
  readonly parent?: string;
  /** Only runs of this tenant. */
  readonly tenant?: string;
  /** Newest first; at most this many, 100 by default, 1000 at most. */
  readonly limit?: number;
  /** Only runs older than this run id. */
  readonly before?: string;
};

export type Submitted = {
  readonly intent: Intent;
  readonly run: RunState;
  /** True if the idempotency key had already opened this run. */
  readonly duplicate: boolean;
};

/** Since when something is wanted, by `Clock.monotonicMs`; `stops`: how many stops were noted in this process by then. */
export type Wanted = { readonly atMs: number; readonly stops?: number };

/** What is asked for, where a stop may have come since. */
export type Asked = {
  /** Whether it may move the robot; unknown: true. Called only where that decides. */
  moves(): boolean;
  /** The run that asks for it; absent: it is not a run. */
  readonly run?: string | undefined;
};

/**
 * Stops of the robot, by whatever way: what was wanted before a stop does not start after it. The stop of an agent counts
 * for its own run, and of all others for what moves.
 */
export type StopCount = {
  /** How many were noted here; those that come another way are not among them. */
  readonly count: number;
  /** An order to stop the robot came. */
  note(): void;
  /** For what is wanted now. */
  now(): Wanted;
  /** Whether the robot was ordered to stop since, by an order that counts for what is `asked`; absent: it moves. */
  since(wanted: Wanted, asked?: Asked): boolean;
};

/**
 * The runtime as the API and the command line use it. Every promise settles: hooks, harnesses and robots are
 * raced against deadlines. Any call may be repeated.
 */
export interface RuntimeApi {
  /** Every order to stop the robot: those by the API when they come, all others as the execution cell reports them. */
  readonly stops: StopCount;
  /**
   * Opens a run. `request` is checked strictly: pass it on unchanged, as it was received.
   * Resolves when intent and run are durable. Rejects with `schema.invalid` (message names the path),
   * `intent.unknown_type`, `intent.duplicate`, `intent.expired`, `policy.denied`, `policy.needs_approval`,
   * `run.limit`, `cell.overloaded`, `robot.preempted` or `log.failed`; nothing was opened then. `wantedAtMs`: when it was
   * wanted, by the clock of the host, where that was before this call: it was tried before, or waited elsewhere. A run that was asked for before a stop, and
   * opened after it, is cancelled at once.
   */
  submit(request: unknown, context: PolicyContext, wantedAtMs?: number): Promise<Submitted>;
  /**
   * Stops the robot, ends the run, then answers. A finished run stays as it is. `by`: the principal that asked, for the
   * log. The state has `stop_confirmed: false` where it was not confirmed that the robot stands. `run.not_found`.
   */
  cancel(runId: string, reason: string, by?: string): Promise<RunState>;
  runs(filter?: RunFilter): readonly RunDetails[];
  /** Throws `run.not_found`. */
  run(runId: string): RunDetails;
  /**
   * The decisions of the run, one canonical JSON line each, without ids and times: equal runs give equal text. It comes in
   * parts of whole lines, with a turn for others between them. Throws `run.not_found` at once.
   */
  decisions(runId: string): AsyncIterable<string>;
  status(): RuntimeStatus;
  /** Whether a run of this type of intent may move the robot, as its application and its tools are known; unknown: true. */
  moves(type: string): boolean;
}
