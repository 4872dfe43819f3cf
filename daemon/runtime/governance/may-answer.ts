import type { NewEvent, PolicyContext, Question } from '../../../contract/index.ts';
import type { PolicyGate } from '../law/policy-gate.ts';
import { type Answerable, answerDenied } from './approval-note.ts';

export type AnswerLaw = {
  readonly hooks: PolicyGate;
  /** Roles under which somebody answers, with those of a grant. */
  readonly rolesOf: (who: PolicyContext) => readonly string[];
  /** Resolves when durable. */
  readonly append: (events: readonly NewEvent[]) => Promise<void>;
};

/**
 * Judges who answers a request for approval, and an approval step of a flow. The tenant is the concern of the caller.
 * Returns the decisions to log with the answer. Throws `policy.denied`, and then the decisions are in the log.
 */
export async function mayAnswer(
  { hooks, rolesOf, append }: AnswerLaw,
  note: Answerable,
  decision: string,
  who: PolicyContext,
): Promise<readonly NewEvent[]> {
  const roles = rolesOf(who);
  const { refusal, events, approval } = await hooks.ask(
    {
      point: 'approval',
      subject: `${note.point}/${note.subject}`,
      context: who,
      facts: { decision },
      about: { tenant: note.tenant, requester: note.principal, point: note.point, subject: note.subject },
      ...(note.runId === undefined ? {} : { runId: note.runId }),
    },
    note.runId,
  );
  const named = note.roles.length === 0 || note.roles.some((role) => roles.includes(role));
  if (!refusal && !approval && named) return events;
  await append(events);
  throw answerDenied(note, who, named ? (refusal?.message ?? 'not allowed') : undefined);
}

/** The same for questions of runs: an approval step of a flow is judged as an approval of the tool that asks. */
export function mayAnswerQuestion(law: AnswerLaw) {
  return (
    { question_id, run_id, tenant, principal }: Question,
    decision: 'allow' | 'deny',
    who: PolicyContext,
  ): Promise<readonly NewEvent[]> =>
    mayAnswer(
      law,
      {
        ...{ approvalId: question_id, runId: run_id, tenant, principal },
        ...{ point: 'tool', subject: 'person.ask', roles: [] },
      },
      decision,
      who,
    );
}
