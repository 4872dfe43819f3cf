/** What waits for the word of a person, on every page: approvals and questions. */
import { type FormEvent, useState } from 'react';
import { refusalOf } from '../lib/api.ts';
import { clockTime } from '../lib/format.ts';
import { queries, usePolled } from '../lib/polled.ts';

const WAITING_MS = 2000;
const [APPROVALS, QUESTIONS] = ['/v1/approvals', '/v1/questions'] as const;

export type Approval = {
  readonly approval_id: string;
  readonly run_id?: string;
  readonly point: string;
  readonly subject: string;
  readonly reason: string;
  readonly facts: unknown;
  readonly principal: string;
  readonly roles: readonly string[];
  /** For who looks: `role`: their answer is refused; `own`: by the built-in policies. */
  readonly answerable?: 'yes' | 'own' | 'role';
  readonly expires_ts: string;
};

export type Question = {
  readonly question_id: string;
  readonly run_id?: string;
  readonly text: string;
  readonly choices: readonly string[];
  readonly fallback?: string | null;
  readonly expires_ts: string;
};

export const useApprovals = () =>
  usePolled<{ approvals: readonly Approval[] }>(APPROVALS, WAITING_MS).data?.approvals ?? [];
export const useQuestions = () =>
  usePolled<{ questions: readonly Question[] }>(QUESTIONS, WAITING_MS).data?.questions ?? [];

export function Waiting() {
  return (
    <div className="page" id="waiting">
      <ApprovalsPanel />
      <QuestionsPanel />
    </div>
  );
}

function ApprovalsPanel() {
  const approvals = useApprovals();
  const [note, setNote] = useState('');
  const answer = async ({ approval_id }: Approval, decision: 'allow' | 'deny') => {
    const said = await refusalOf(`${APPROVALS}/${approval_id}/answer`, {
      decision,
      reason: 'answered in the console',
    });
    setNote(said === '' ? '' : `not taken: ${said}`);
    await queries.invalidateQueries({ queryKey: [APPROVALS] });
  };
  return (
    <section
      id="approvals-panel"
      aria-labelledby="approvals-title"
      hidden={approvals.length === 0 && note === ''}
    >
      <h2 id="approvals-title">Waiting for you</h2>
      <ul id="approvals">
        {approvals.map((approval) => (
          <ApprovalItem key={approval.approval_id} approval={approval} answer={answer} />
        ))}
      </ul>
      <p id="approvals-note" role="alert">
        {note}
      </p>
    </section>
  );
}

/** One approval with its two buttons. A button keeps its place under the finger while nothing changes. */
export function ApprovalItem(props: {
  approval: Approval;
  answer: (approval: Approval, decision: 'allow' | 'deny') => void;
}) {
  const { approval, answer } = props;
  const { point, subject, reason, facts, principal, expires_ts, roles, answerable } = approval;
  const who = roles.length ? `; ${roles.join(' or ')} may answer` : '';
  const refused = answerable === 'role';
  const yours = refused
    ? 'You have none of these roles: somebody else has to answer.'
    : answerable === 'own'
      ? 'It was asked in your own name: somebody else has to answer, unless a policy lets you.'
      : '';
  return (
    <li>
      <strong>{`${point} ${subject}`}</strong>
      <p>{reason}</p>
      <code>{JSON.stringify(facts)}</code>
      <p>{`for ${principal}, until ${clockTime(expires_ts)}${who}`}</p>
      {yours && <p className="why">{yours}</p>}
      {(['allow', 'deny'] as const).map((decision) => {
        const label = decision === 'allow' ? 'Allow' : 'Deny';
        return (
          <button
            key={decision}
            type="button"
            className={decision}
            disabled={refused}
            aria-label={`${label} ${point} ${subject}`}
            onClick={() => answer(approval, decision)}
          >
            {label}
          </button>
        );
      })}
    </li>
  );
}

function QuestionsPanel() {
  const questions = useQuestions();
  const [note, setNote] = useState('');
  const answer = async (id: string, words: string) => {
    const said = await refusalOf(`${QUESTIONS}/${id}/answer`, { answer: words });
    setNote(said === '' ? '' : `not taken: ${said}`);
    await queries.invalidateQueries({ queryKey: [QUESTIONS] });
  };
  return (
    <section id="questions-panel" aria-labelledby="questions-title" hidden={questions.length === 0}>
      <h2 id="questions-title">Runs ask</h2>
      <ul id="questions">
        {questions.map((question) => (
          <QuestionItem key={question.question_id} question={question} answer={answer} />
        ))}
      </ul>
      <p id="questions-note" role="alert">
        {note}
      </p>
    </section>
  );
}

export function QuestionItem(props: { question: Question; answer: (id: string, words: string) => void }) {
  const { question_id: id, text, choices, fallback, expires_ts } = props.question;
  const [words, setWords] = useState('');
  const otherwise = fallback === undefined || fallback === null ? '' : `; otherwise ${fallback}`;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    props.answer(id, words);
  };
  return (
    <li>
      <strong>{text}</strong>
      <p>{`until ${clockTime(expires_ts)}${otherwise}`}</p>
      <form onSubmit={submit}>
        {choices.map((choice) => (
          <button key={choice} type="button" className="allow" onClick={() => props.answer(id, choice)}>
            {choice}
          </button>
        ))}
        {choices.length === 0 && (
          <>
            <input
              aria-label={text}
              maxLength={2048}
              required
              value={words}
              onChange={(event) => setWords(event.target.value)}
            />
            <button type="submit" className="allow">
              Answer
            </button>
          </>
        )}
      </form>
    </li>
  );
}
