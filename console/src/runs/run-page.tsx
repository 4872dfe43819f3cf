/** One run: what it is, and the waterfall of what it did. */
import { useState } from 'react';
import { refusalOf } from '../lib/api.ts';
import { type Fact, Facts } from '../lib/facts.tsx';
import { between, duration, timeOf } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import type { RunDetails } from '../lib/views.ts';
import { lookOf } from './runs-page.tsx';
import { Trace } from './trace-view.tsx';

const LOOK_MS = 2000;
const FINISHED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

export function RunPage({ runId }: { runId: string }) {
  const path = `/v1/runs/${encodeURIComponent(runId)}`;
  const { data: details, error, old, again } = usePolled<RunDetails>(path, LOOK_MS);
  const [refused, setRefused] = useState('');
  const [busy, setBusy] = useState(false);
  /** Also where a person took the robot over: it moves on its own from here on. */
  const resume = async () => {
    setBusy(true);
    const said = await refusalOf(`${path}/resume`, {});
    setBusy(false);
    setRefused(said === '' ? '' : `not resumed: ${said}`);
    await again();
  };
  const note = error ? `not known: ${error.message}` : refused;
  const status = details?.run.status;
  return (
    <div id="run-one">
      <section className="wide" aria-labelledby="one-title">
        <h2 id="one-title" tabIndex={-1}>
          One run
        </h2>
        <p>
          <a href="#/runs">all runs</a>
        </p>
        <p id="run-note" role="status" className={note ? 'bad' : ''}>
          {note}
        </p>
        <Facts id="run-facts" old={old} rows={details ? factsOf(details) : []} />
        {status === 'paused' && (
          <button id="run-resume" type="button" disabled={busy} onClick={() => void resume()}>
            Resume this run
          </button>
        )}
      </section>
      {status !== undefined && <Trace path={`${path}/trace`} finished={FINISHED.has(status)} />}
    </div>
  );
}

function factsOf(details: RunDetails): Fact[] {
  const { run, app, intent, phase, queued_ts, started_ts, finished_ts, reason, error } = details;
  return [
    ['run', run.run_id],
    ['status', run.status, lookOf(run.status)],
    ['intent', `${intent?.type ?? app} (${app})`],
    ['phase', phase || '–'],
    ['harness', `${run.harness}, attempt ${run.attempt}`],
    ['asked', timeOf(queued_ts).toLocaleString()],
    ['took', duration(between(started_ts, finished_ts))],
    ...(reason ? ([['reason', reason]] as const) : []),
    ...(error ? ([['error', error.message ?? JSON.stringify(error), 'bad']] as const) : []),
  ];
}
