/** What the arm's flow knows; written into the log with every state it enters. */
export type ArmFacts = {
  /** Number of attempts of the policy. */
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

/** Parameters of `arm/pick_place` and `arm/reach` after their check. */
export type ArmParams = {
  readonly seconds?: number;
  readonly attempts?: number;
  readonly controller?: string;
};

/** The simulated arm takes five seconds for an attempt; four times that allows for a slow host or arm. */
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
