import type { AppliedAction, Twist2d } from '../../../contract/core.ts';

/** Where the command of a control step of the base comes from, for the record. */
export type StepOrigin = {
  /** Before the gate: m/s, rad/s. */
  readonly asked: Twist2d;
  readonly verdict: AppliedAction['verdict'];
  /** Which limit bit, or why the base stands; empty when the action passed. */
  readonly reason: string;
  /** Counts the chunks that were taken since the thread started; 0: no chunk. */
  readonly chunk: number;
  /** Stamp of the observation that the chunk was inferred from; 0: no chunk. */
  readonly observation: bigint;
  /** Empty where no policy made the action: a person steers, or a motion without one. */
  readonly policy: string;
  readonly policyHash: string;
};

export const NO_ORIGIN: StepOrigin = {
  asked: { linear: 0, angular: 0 },
  verdict: 'passed',
  reason: '',
  chunk: 0,
  observation: 0n,
  policy: '',
  policyHash: '',
};

/** As the control thread reports it: `by` is the caller of this step, under which lease. */
export type DriveOrigin = StepOrigin & { readonly by: 'drive' | 'teleoperation'; readonly lease: number };
