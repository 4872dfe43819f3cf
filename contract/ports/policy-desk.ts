import type { ActionChunk, InferOptions, Observation, PolicyDescription } from './policy.ts';

/** The way a caller came. `control` is the robot's own loop, which is served first. */
export type PolicyWire = 'control' | 'zenoh' | 'ros' | 'http' | 'lerobot' | 'openpi' | 'groot' | 'local';

/** Who asks. Fairness is among callers of different `id`. */
export type PolicyCaller = {
  /** One connection or client, for example a peer address or a Zenoh id; `anonymous` where that is not known. */
  readonly id: string;
  readonly wire: PolicyWire;
  /** Person or program by its token; `anonymous` where none was asked for. */
  readonly principal: string;
};

/**
 * One caller's place at one policy. What one session does (a reset, a late question, an end) does not affect
 * another. `infer` rejects as `Policy.infer` does, and with `cell.overloaded` when this caller already has as
 * many questions waiting as it may. After `close` it rejects with `model.unavailable`.
 */
export interface PolicySession {
  describe(): PolicyDescription;
  /** Grows whenever the policy is swapped, also back to an earlier one. Absent: it is never swapped. */
  generation?(): number;
  infer(observation: Observation, deadlineMs: number, options?: InferOptions): Promise<ActionChunk>;
  /** This caller starts a new episode. */
  reset(): Promise<void>;
  /** Questions still waiting settle with `model.unavailable`. May be called twice. */
  close(): Promise<void>;
}

export type ServedPolicy = PolicyDescription & {
  readonly kind: string;
  readonly state: 'ready' | 'idle' | 'failed';
  readonly reason: string;
  readonly sessions: number;
  readonly waiting: number;
  readonly calls: number;
  readonly failures: number;
  /** Duration of the last calls, milliseconds; undefined before the first. */
  readonly p50Ms: number | undefined;
  readonly p99Ms: number | undefined;
};

/**
 * The policies of this robot, for every wire: one queue per policy, the control loop first, then callers in turn.
 * A question whose deadline is over before it starts is answered with `deadline.exceeded` and never computed.
 */
export interface PolicyDesk {
  policies(): readonly ServedPolicy[];
  /**
   * Throws `model.not_found` (with the names there are) and `cell.overloaded` (too many sessions). Without a
   * name the default policy. A policy with memory is made once for each session.
   */
  open(caller: PolicyCaller, policy?: string): PolicySession;
}

/** One server for clients of another protocol. */
export type WireServerView = {
  readonly wire: PolicyWire;
  readonly host: string;
  readonly port: number;
  readonly clients: number;
  readonly questions: number;
  readonly failures: number;
  /** Connections and requests that were turned away: no token, too many, of another protocol. */
  readonly refused: number;
};
