/** What the arm's flow knows; written into the log with every state it enters. */
export type ArmFacts = {
  /** Times the policy was let act. */
  readonly attempts: number;
  readonly done: boolean;
  /** How the last attempt ended, and why. */
  readonly outcome: string;
  readonly problem: string;
  readonly steps: number;
  readonly starved: number;
  readonly policy_sha256: string;
  readonly seconds: number;
};

/** Parameters of `arm/pick_place` and `arm/reach`, as their schema lets them in. */
export type ArmParams = {
  readonly seconds?: number;
  readonly attempts?: number;
  readonly controller?: string;
};

/** An attempt of the simulated arm takes five seconds; a slow host, or a slow arm, four times that. */
export const SECONDS = 20;
export const ATTEMPTS = 3;

export function beginFacts(): ArmFacts {
  return {
    attempts: 0,
    done: false,
    outcome: '',
    problem: '',
    steps: 0,
    starved: 0,
    policy_sha256: '',
    seconds: 0,
  };
}
