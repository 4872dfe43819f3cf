/**
 * What one pickle may cost. An observation of twenty joints and two cameras takes some 300 opcodes, a chunk of 100
 * actions of a stock server some 6,000.
 */
export type PickleLimits = {
  /** Of the whole pickle; nothing above it is looked at. */
  readonly bytesMax: number;
  /** Opcodes, which bounds every container, the stack and the time: each makes or moves at most a few values. */
  readonly opcodesMax: number;
  /** Containers within containers. */
  readonly depthMax: number;
  /** Values remembered for later use. */
  readonly memoMax: number;
  /** Elements of one tensor or array after its views are laid out. */
  readonly elementsMax: number;
};

export const PICKLE_LIMITS: PickleLimits = {
  bytesMax: 32 * 1024 * 1024,
  opcodesMax: 200_000,
  depthMax: 32,
  memoMax: 50_000,
  elementsMax: 8 * 1024 * 1024,
};

/**
 * Of an observation from any client: a pickle of that many opcodes holds the thread for some 10 ms, and no
 * robot has thousands of joints.
 */
export const OBSERVATION_LIMITS: PickleLimits = { ...PICKLE_LIMITS, opcodesMax: 20_000, memoMax: 10_000 };

/** Of the setup of a policy: names and shapes. */
export const SETUP_LIMITS: PickleLimits = { ...PICKLE_LIMITS, bytesMax: 256 * 1024, opcodesMax: 20_000 };
