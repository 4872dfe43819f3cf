/** What is wanted, in own words: first what would be done, then, when the person agrees, that is done. */
import { type FormEvent, useState } from 'react';
import { send } from '../lib/api.ts';
import { useMayNot } from '../lib/me.ts';

/** Models on small computers take their time, milliseconds. */
const PLAN_MS = 90_000;

type Plan = {
  readonly ask_id: string;
  readonly words: string;
  readonly kind: 'intent' | 'agent';
  readonly app: string;
  readonly intent: { readonly type: string; readonly params: Readonly<Record<string, unknown>> };
  readonly about: string;
  readonly reason: string;
  /** Absent: a phrase of the application fits, and no model was asked. */
  readonly model?: string;
};
type Answer =
  | Plan
  | { readonly kind: 'unclear'; readonly reason: string; readonly candidates: readonly Plan[] }
  | { readonly kind: 'stopped'; readonly confirmed: boolean; readonly warnings: readonly string[] };
type Step =
  | { readonly at: 'words'; readonly note: string }
  | { readonly at: 'thinking' }
  | { readonly at: 'plan'; readonly plans: readonly Plan[]; readonly reason: string }
  | { readonly at: 'stopped'; readonly confirmed: boolean; readonly note: string }
  | { readonly at: 'done'; readonly runId: string };

export function AskPanel() {
  const [words, setWords] = useState('');
  const [step, setStep] = useState<Step>({ at: 'words', note: '' });
  const mayNot = useMayNot();
  const failed = (error: Error) => setStep({ at: 'words', note: error.message });
  const ask = (event: FormEvent) => {
    event.preventDefault();
    if (words.trim() === '' || mayNot !== '') return;
    setStep({ at: 'thinking' });
    send<Answer>('/v1/ask', { words: words.trim() }, { answerMs: PLAN_MS }).then(
      (answer) => setStep(stepOf(answer)),
      failed,
    );
  };
  const agree = ({ ask_id }: Plan) => {
    send<{ run: { run_id: string } }>(`/v1/ask/${ask_id}/confirm`, {}, { answerMs: PLAN_MS }).then(
      ({ run }) => {
        setWords((now) => (now === words ? '' : now));
        setStep({ at: 'done', runId: run.run_id });
      },
      failed,
    );
  };
  return (
    <section id="ask-panel" className="wide" aria-labelledby="ask-title">
      <h2 id="ask-title">Ask</h2>
      <form className="composer" onSubmit={ask}>
        <input
          type="text"
          aria-label="What shall the robot do?"
          placeholder="What shall the robot do? It is shown before anything happens."
          maxLength={8000}
          value={words}
          onChange={(event) => setWords(event.target.value)}
        />
        <button type="submit" disabled={step.at === 'thinking' || mayNot !== ''}>
          Ask
        </button>
      </form>
      {mayNot !== '' && <p className="why">{mayNot}</p>}
      <div id="ask-answer" aria-live="polite">
        {step.at === 'words' && step.note && <p className="bad">{step.note}</p>}
        {step.at === 'thinking' && <p>reading your words</p>}
        {step.at === 'plan' && step.plans.length > 1 && <p>{step.reason}</p>}
        {step.at === 'plan' &&
          step.plans.map((plan) => (
            <div key={plan.ask_id}>
              <PlanShown plan={plan} />
              <p className="row">
                <button type="button" className="allow" onClick={() => agree(plan)}>
                  Do it
                </button>
                <button type="button" onClick={() => setStep({ at: 'words', note: '' })}>
                  No
                </button>
              </p>
            </div>
          ))}
        {step.at === 'stopped' && (
          <p className={step.confirmed ? 'ok' : 'bad'}>
            {step.confirmed ? 'stopped: the robot, and every run' : `the stop was ordered; ${step.note}`}
          </p>
        )}
        {step.at === 'done' && (
          <p className="ok">
            started: <a href={`#/runs/${step.runId}`}>look at it</a>
          </p>
        )}
      </div>
    </section>
  );
}

function stepOf(answer: Answer): Step {
  if (answer.kind === 'stopped')
    return { at: 'stopped', confirmed: answer.confirmed, note: answer.warnings.join(' ') };
  if (answer.kind === 'unclear') return { at: 'plan', plans: answer.candidates, reason: answer.reason };
  return { at: 'plan', plans: [answer], reason: '' };
}

function PlanShown({ plan }: { plan: Plan }) {
  const { kind, app, intent, about, reason, model } = plan;
  if (kind === 'agent')
    return (
      <p>
        No application fits ({reason}). The agent of <strong>{app}</strong> would get your words.
      </p>
    );
  const params = Object.entries(intent.params);
  return (
    <>
      <p>
        <strong>{intent.type}</strong>{' '}
        <span className="why">{`of ${app}${model === undefined ? '' : `, read by ${model}`}`}</span>
      </p>
      <p>{about}</p>
      {params.length > 0 && (
        <dl>
          {params.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{typeof value === 'string' ? value : JSON.stringify(value)}</dd>
            </div>
          ))}
        </dl>
      )}
    </>
  );
}
