/** One check of a result. Each gives a score from 0 to 1, and findings: what is wrong, for the next round. */
export type LoopCheck = {
  readonly name: string;
  /** Its share of the score of a round, beside the others. */
  readonly weight: number;
  /** Time of one check, milliseconds. */
  readonly deadlineMs: number;
} & (
  | {
      readonly kind: 'schema';
      readonly schema: Readonly<Record<string, unknown>>;
      /** Place in the result that is judged, for example `['summary']`. Empty: all of it. */
      readonly at: readonly string[];
    }
  /** A tool that answers with `score`, or `ok`, and `findings`. Arguments may refer to `/params` and `/result`. */
  | { readonly kind: 'tool'; readonly tool: string; readonly args: Readonly<Record<string, unknown>> }
  /** A model that judges by these words. */
  | { readonly kind: 'judge'; readonly criteria: string; readonly prefer: readonly string[] }
  /** The call of the tool `loop.accept` with the result: 1 where the policies allow it, otherwise 0. */
  | { readonly kind: 'policy' }
);

/** An outer loop: a run is done again, with the findings, until its result is good enough. */
export type LoopDefinition = {
  /** Score from which a result is good enough, 0 to 1. */
  readonly threshold: number;
  /** Rounds altogether. */
  readonly roundsMax: number;
  /** What the run is where no round was good enough: failed, or the best round counts. */
  readonly otherwise: 'fail' | 'accept';
  readonly checks: readonly LoopCheck[];
};

/** What a round knows of those before it. */
export type LoopRound = {
  /** From 1. */
  readonly number: number;
  /** What was wrong with the round before; empty in the first. */
  readonly findings: readonly string[];
};
