import type { Nanoseconds } from '../time.ts';

/** A dense array, row-major. Units and frames are the policy's own and named in its description. */
export type Tensor = { readonly shape: readonly number[]; readonly data: Float32Array };

/** The inputs of one inference: named tensors, an optional task in words, and when they were measured. */
export type Observation = {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly task?: string;
  readonly stamp: Nanoseconds;
};

/** What one inference returns: `actions` is [horizon, dimension]; action i is for `stamp + i * stepMs`. */
export type ActionChunk = {
  readonly actions: Tensor;
  readonly stepMs: number;
  /** When the observation was measured; copied from it. */
  readonly stamp: Nanoseconds;
  /** SHA-256 of the policy that made it. */
  readonly policyHash: string;
};

export type PolicyDescription = {
  readonly name: string;
  readonly hash: string;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  /** [horizon, dimension] */
  readonly output: readonly [number, number];
  readonly stepMs: number;
};

/**
 * A System 1 policy. `infer` may take long: callers never wait for it in a control step. It rejects with
 * `model.bad_observation` (missing or misshapen tensor, NaN) or `model.failed`, and settles by `deadlineMs`
 * with `deadline.exceeded` even if the model is deaf. Calls are served one after the other in order.
 * The same observation gives bit-equal actions.
 */
export interface Policy {
  describe(): PolicyDescription;
  infer(observation: Observation, deadlineMs: number): Promise<ActionChunk>;
  close(): Promise<void>;
}
