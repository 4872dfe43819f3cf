/** The joints as they were measured last, by the names of the output; `known` false: never, or too long ago. */
export type Measured = {
  readonly positions: Float64Array;
  /** NaN where the robot does not report it. */
  readonly efforts: Float64Array;
  known: boolean;
};

export type Gated = {
  /** What goes to the robot; always finite. Empty: nothing. May be the same memory at every call. */
  readonly applied: Float64Array;
  readonly verdict: 'passed' | 'limited' | 'refused';
  /** Which limit bit; empty when it passed. One of few: it holds no measured numbers. */
  readonly reason: string;
};

/**
 * The last word before the actuators, called at every step in the control thread: it does not throw, wait or keep
 * `asked`. One per controller: it remembers what it let through.
 */
export interface StepGate {
  apply(asked: Float64Array, dtSeconds: number, measured: Measured): Gated;
  /**
   * Which number of the action that starts at `at` is further outside of its limits than `share` times their range;
   * -1: none. Called for chunks, before they are queued.
   */
  farOutside?(actions: ArrayLike<number>, at: number, share: number): number;
  /**
   * The run is over: the next step on the quickest way to rest within the limits. Absent: no such step, nothing is
   * sent.
   */
  readonly halt?: ((dtSeconds: number) => Gated) | undefined;
  /** What was let through stands still. */
  readonly atRest?: boolean;
  /** A run starts: what was let through before is over. */
  reset(): void;
}
