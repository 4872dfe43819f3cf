import type { PolicyContext } from '../intent.ts';

/**
 * A question of a run to a person. Durable: after a restart it still waits, with the time that is left. Times are wire
 * times.
 */
export type Question = {
  readonly question_id: string;
  readonly run_id: string;
  readonly text: string;
  /** If there are choices, the answer is one of them. */
  readonly choices: readonly string[];
  /** What counts when no answer comes in time; undefined: no answer, which the run learns. */
  readonly fallback: string | undefined;
  readonly tenant: string;
  readonly principal: string;
  readonly asked_ts: string;
  readonly expires_ts: string;
  readonly state: 'waiting' | 'answered' | 'expired' | 'withdrawn';
  readonly answer: string | undefined;
  readonly by: string | undefined;
  /** The answer is an approval: policies judge who gives it, at the point `approval`. */
  readonly approval?: true;
};

/** Questions as the API, the command line and central use them. */
export interface QuestionApi {
  /** Waiting questions, the oldest first; with `all` also the settled ones that are remembered, newest first. */
  questions(filter?: { readonly all?: boolean }): readonly Question[];
  /**
   * Settles when the answer is durable; the same answer again is no error. `question.not_found`,
   * `question.answered` (another answer stands, or its time is over), `schema.invalid` (none of the choices),
   * `policy.denied` (an approval that this person may not give).
   */
  answerQuestion(questionId: string, answer: string, who: PolicyContext): Promise<Question>;
}
