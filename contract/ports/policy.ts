import type { BodyOf } from '../bodies/kit.ts';
import type * as policies from '../bodies/policies.ts';

/** A dense array, row-major. Units and frames are the policy's own and named in its description. */
export type Tensor = BodyOf<typeof policies.Tensor>;

/** An image as a policy takes it: [height, width, 3], row-major, interleaved rgb8. */
export type PictureTensor = BodyOf<typeof policies.PictureTensor>;

/** The inputs of one inference: named tensors, an optional task in words, and when they were measured. */
export type Observation = BodyOf<typeof policies.Observation>;

/** What one inference returns: `actions` is [horizon, dimension]; action i is for `stamp + i * stepMs`. */
export type ActionChunk = BodyOf<typeof policies.ActionChunk>;

export type PolicyDescription = BodyOf<typeof policies.PolicyDescription>;

export type InferOptions = {
  readonly signal?: AbortSignal;
  /**
   * [n, dimension]: the first n actions from `stamp` on will be executed whatever is answered; only where
   * `takesPrefix`.
   */
  readonly prefix?: Tensor;
};

/**
 * A System 1 policy. `infer` may take long: callers never wait for it in a control step. It rejects with
 * `model.bad_observation` (missing or misshapen tensor, NaN) or `model.failed`, and settles by `deadlineMs`
 * with `deadline.exceeded` even if the model never answers. Calls are served one after the other in order.
 * The same observation gives bit-equal actions.
 */
export interface Policy {
  describe(): PolicyDescription;
  infer(observation: Observation, deadlineMs: number, options?: InferOptions): Promise<ActionChunk>;
  /** An episode starts: the policy forgets the last one. Absent: it remembers nothing. */
  reset?(): Promise<void>;
  close(): Promise<void>;
}
