import type { BodyOf } from '../bodies/kit.ts';
import type * as policies from '../bodies/policies.ts';
import type { ActionChunk, InferOptions, Observation, PolicyDescription } from './policy.ts';

/** The way a caller came. `control` is the robot's own loop, which is served first. */
export type PolicyWire = BodyOf<typeof policies.PolicyWire>;

/** The caller. Fairness is among callers of different `id`. */
export type PolicyCaller = BodyOf<typeof policies.PolicyCaller>;

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

export type ServedPolicy = BodyOf<typeof policies.ServedPolicy>;

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
export type WireServerView = BodyOf<typeof policies.WireServerView>;
