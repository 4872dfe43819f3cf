/** Cedar policies in force, and what they decided with the reason. */
import { useState } from 'react';
import { clockTime, count, timeOf } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import { nameOf } from '../lib/run-name.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import type { RunDetails } from '../lib/views.ts';
import type { PageProps } from '../pages.tsx';
import { type Decision, decisionOf, narrowed, type PolicyView, type Rule, rulesWith } from './rules-book.ts';
import { useDecisions } from './use-decisions.ts';
import '../see/see.css';
import './rules.css';

const LOOK_MS = 15_000;
const RUNS_MS = 10_000;

export default function RulesPage({ argument }: PageProps) {
  const [words, setWords] = useState(argument);
  const [news, setNews] = useState(false);
  const policy = usePolled<PolicyView>('/v1/policy?text=true', LOOK_MS);
  const runs = usePolled<{ runs: readonly RunDetails[] }>('/v1/runs?limit=200', RUNS_MS);
  const found = useDecisions();
  const all = (found.data?.decisions ?? []).map((one) => decisionOf(one, policy.data?.policy_sha256));
  const decisions = narrowed(all, words, news);
  const rules = rulesWith(policy.data?.policies ?? [], words);
  const names = new Map((runs.data?.runs ?? []).map((one) => [one.run.run_id, nameOf(one)]));
  const counts = new Map<string, number>();
  for (const rule of all.flatMap((one) => one.rules)) counts.set(rule, (counts.get(rule) ?? 0) + 1);
  return (
    <div className="page see" id="page-rules">
      <section className="wide" aria-labelledby="rules-title">
        <h2 id="rules-title" tabIndex={-1}>
          Rules
        </h2>
        <p id="rules-note" role="status" className={policy.error || policy.data?.reload_error ? 'bad' : ''}>
          {noteOf(policy.data, policy.error, policy.asOf)}
        </p>
        <search className="row rules-form" aria-label="Narrow down">
          <label htmlFor="rules-filter" className="unseen">
            Words of a rule or a decision
          </label>
          <input
            id="rules-filter"
            type="search"
            placeholder="rule, person, tool, reason"
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <label className="check">
            <input type="checkbox" checked={news} onChange={(event) => setNews(event.target.checked)} />
            without what was allowed
          </label>
        </search>
        <ul id="rules" className={policy.old ? 'rules old' : 'rules'}>
          {rules.map((rule) => (
            <RuleItem key={rule.id} rule={rule} times={counts.get(rule.id) ?? 0} onChoose={setWords} />
          ))}
        </ul>
        {policy.data && rules.length === 0 && <p>No rule is like this.</p>}
      </section>
      <section className="wide" aria-labelledby="decisions-title">
        <h2 id="decisions-title">Last decisions</h2>
        <p id="decisions-note" role="status" className={found.error ? 'bad' : ''}>
          {found.error
            ? `not known: ${found.error.message}${found.asOf ? `; as of ${found.asOf.toLocaleTimeString()}` : ''}`
            : decisionsNote(all.length, decisions.length, found.data?.leftOut)}
        </p>
        <DecisionTable {...{ decisions, names, old: found.old }} />
      </section>
    </div>
  );
}

function RuleItem(props: { rule: Rule; times: number; onChoose: (words: string) => void }) {
  const { rule, times, onChoose } = props;
  return (
    <li>
      <details>
        <summary>
          <span className={rule.effect === 'forbid' ? 'bad' : 'ok'}>{rule.effect}</span> {rule.id}{' '}
          <span className="soft">
            line {rule.line}, {times === 0 ? 'decided nothing lately' : `decided ${count(times)} of the last`}
          </span>
        </summary>
        <pre>{rule.text ?? ''}</pre>
        <button type="button" className="small" onClick={() => onChoose(rule.id)}>
          its decisions
        </button>
      </details>
    </li>
  );
}

function DecisionTable(props: {
  decisions: readonly Decision[];
  names: ReadonlyMap<string, string>;
  old: boolean;
}) {
  const { decisions, names, old } = props;
  return (
    <ScrollFrame id="decisions-table" label="table of decisions" old={old} hidden={decisions.length === 0}>
      <table className="many">
        <thead>
          <tr>
            {['decision', 'of', 'why', 'who', 'rules', 'run', 'time'].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody id="decisions">
          {decisions.map((one) => (
            <tr key={one.key}>
              <th scope="row" className={LOOKS[one.decision]}>
                {WORDS[one.decision] ?? one.decision}
              </th>
              <td className="reason">
                {one.point} {one.subject}
                {one.facts !== '' && one.facts !== '{}' && <code className="facts">{one.facts}</code>}
              </td>
              <td className="reason">
                {one.hook}: {one.reason}
                {one.before && <p className="soft">by policies that were in force before</p>}
              </td>
              <td>{one.who}</td>
              <td className="reason">{one.rules.join(', ')}</td>
              <td>
                {one.runId !== undefined && (
                  <a href={`#/runs/${one.runId}`} title={one.runId}>
                    {names.get(one.runId) ?? 'an older run'}
                  </a>
                )}
              </td>
              <td className="figure" title={timeOf(one.ts).toLocaleString()}>
                {clockTime(one.ts)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollFrame>
  );
}

const LOOKS: Readonly<Record<string, string>> = { allow: 'ok', deny: 'bad' };
const WORDS: Readonly<Record<string, string>> = {
  allow: 'allowed',
  deny: 'denied',
  needs_approval: 'needs approval',
};

function noteOf(data: PolicyView | undefined, error: Error | undefined, asOf: Date | undefined): string {
  if (error) return `not known: ${error.message}${asOf ? `; as of ${asOf.toLocaleTimeString()}` : ''}`;
  if (!data) return 'loading';
  if (data.reload_error) return `The files of now are not in force: ${data.reload_error}`;
  const from = data.built_in
    ? 'No policies are configured: these are built in.'
    : `In force from ${data.files.map(({ file }) => file).join(', ')}`;
  return `${from} Loaded ${timeOf(data.loaded_ts).toLocaleString()}.`;
}

function decisionsNote(all: number, shown: number, leftOut = 0): string {
  if (all === 0) return 'Nothing was decided lately.';
  const older = leftOut > 0 ? ' Older ones: auraison policy explain.' : '';
  return shown === all
    ? `${count(all)} decisions.${older}`
    : `${count(shown)} of ${count(all)} decisions.${older}`;
}
