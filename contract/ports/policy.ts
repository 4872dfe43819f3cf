import type { Nanoseconds } from '../time.ts';

/** A dense array, row-major. Units and frames are the policy's own and named in its description. */
export type Tensor = { readonly shape: readonly number[]; readonly data: Float32Array };

/** A picture as a policy takes it: [height, width, 3], row-major, interleaved rgb8. */
export type PictureTensor = {
  readonly shape: readonly [height: number, width: number, channels: 3];
  readonly data: Uint8Array;
};

/** The inputs of one inference: named tensors, an optional task in words, and when they were measured. */
export type Observation = {
  readonly tensors: Readonly<Record<string, Tensor>>;
  /** By the same names as in the description; absent: a policy that does not see. */
  readonly images?: Readonly<Record<string, PictureTensor>>;
  readonly task?: string;
  /** Of the oldest input. */
  readonly stamp: Nanoseconds;
  /** The sample that each input was made of, for reports. */
  readonly sources?: Readonly<Record<string, { readonly topic: string; readonly stamp: Nanoseconds }>>;
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
  /** Pictures it takes: [height, width, 3]. */
  readonly images?: Readonly<Record<string, readonly [number, number, 3]>>;
  /** [horizon, dimension] */
  readonly output: readonly [number, number];
  readonly stepMs: number;
  /** What each number of an action is, for example a joint; absent: only the policy knows. */
  readonly actionNames?: readonly string[];
  /** It takes the coming actions that are fixed already (`InferOptions.prefix`): real-time chunking. */
  readonly takesPrefix?: boolean;
  /** It takes the task in words. */
  readonly takesTask?: boolean;
  /** Its answers depend on earlier observations of the episode; see `Policy.reset`. */
  readonly remembers?: boolean;
};

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
