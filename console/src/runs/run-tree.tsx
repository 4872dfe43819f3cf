/** A run among the runs that it asked for, and its plan: live, each step with its reason. */
import { usePolled } from '../lib/polled.ts';
import type { RunDetails } from '../lib/views.ts';
import { type Branch, branchesOf } from './branches.ts';
import { lookOf } from './run-look.ts';

const LOOK_MS = 2000;

export function RunTree({ runId, path }: { runId: string; path: string }) {
  const { data, old } = usePolled<{ runs: readonly RunDetails[] }>(`${path}/tree`, LOOK_MS);
  const runs = data?.runs ?? [];
  if (runs.length < 2) return null;
  return (
    <section className={old ? 'wide old' : 'wide'} aria-labelledby="tree-title">
      <h3 id="tree-title">Runs that it asked for</h3>
      <Branches branches={branchesOf(runs)} shown={runId} />
    </section>
  );
}

function Branches({ branches, shown }: { branches: readonly Branch[]; shown: string }) {
  return (
    <ul className="tree">
      {branches.map(({ details: { run, intent, app, phase, reason }, below }) => (
        <li key={run.run_id}>
          <a href={`#/runs/${run.run_id}`} aria-current={run.run_id === shown ? 'true' : undefined}>
            {intent?.type ?? app}
          </a>{' '}
          <span className={lookOf(run.status)}>{run.status}</span>{' '}
          <span className="why">{[phase, reason].filter(Boolean).join(' — ')}</span>
          {below.length > 0 && <Branches branches={below} shown={shown} />}
        </li>
      ))}
    </ul>
  );
}

type Plan = {
  readonly goal: string;
  readonly status: string;
  readonly reason: string;
  readonly revision: number;
  readonly steps: readonly {
    readonly step_id: string;
    readonly subgoal: string;
    readonly state: string;
    readonly reason: string;
  }[];
};
const STEP_LOOK: Readonly<Record<string, string>> = { succeeded: 'ok', already: 'ok', failed: 'bad' };

/** Asked only for runs that carry out a plan. */
export function PlanPanel({ runId, over }: { runId: string; over: boolean }) {
  const { data, old } = usePolled<Plan>(`/v1/plans/${encodeURIComponent(runId)}`, LOOK_MS, {
    version: over ? 'finished' : '',
    next: (plan) => (plan === undefined || over ? false : LOOK_MS),
  });
  if (!data) return null;
  return (
    <section className={old ? 'wide old' : 'wide'} aria-labelledby="plan-title">
      <h3 id="plan-title">{`Plan: ${data.goal}`}</h3>
      <p>{[data.revision > 0 ? `plan ${data.revision + 1}` : '', data.reason].filter(Boolean).join('; ')}</p>
      <ol className="steps">
        {data.steps.map(({ step_id, subgoal, state, reason }) => (
          <li key={step_id} aria-current={state === 'running' ? 'step' : undefined}>
            {subgoal} <span className={STEP_LOOK[state] ?? ''}>{state}</span>{' '}
            <span className="why">{reason}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
