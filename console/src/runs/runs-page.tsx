/** Runs, the newest first, and one run. */
import { between, duration, timeOf } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import { nameOf } from '../lib/run-name.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import type { RunDetails } from '../lib/views.ts';
import type { PageProps } from '../pages.tsx';
import { lookOf } from './run-look.ts';
import { RunPage } from './run-page.tsx';

const LOOK_MS = 2000;
const RUNS_MAX = 200;

export default function RunsPage({ argument }: PageProps) {
  return (
    <div className="page" id="page-runs">
      {argument === '' ? <AllRuns /> : <RunPage key={argument} runId={argument} />}
    </div>
  );
}

function AllRuns() {
  const { data, error, old } = usePolled<{ runs: readonly RunDetails[] }>(
    `/v1/runs?limit=${RUNS_MAX}`,
    LOOK_MS,
  );
  const newest = [...(data?.runs ?? [])].sort((a, b) => (a.run.run_id < b.run.run_id ? 1 : -1));
  const note = error ? `not known: ${error.message}` : data && newest.length === 0 ? 'No run yet.' : '';
  return (
    <section className="wide" id="runs-all" aria-labelledby="runs-title">
      <h2 id="runs-title" tabIndex={-1}>
        Runs
      </h2>
      <p id="runs-note" role="status" className={error ? 'bad' : ''}>
        {note}
      </p>
      <ScrollFrame id="runs-table" label="table of runs" old={old} hidden={newest.length === 0}>
        <table className="many">
          <thead>
            <tr>
              {['run', 'status', 'intent', 'asked', 'took', 'reason'].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody id="runs">
            {newest.map((details) => {
              const { run, app, intent, queued_ts, started_ts, finished_ts, reason } = details;
              return (
                <tr key={run.run_id}>
                  <th scope="row">
                    <a href={`#/runs/${run.run_id}`} title={run.run_id}>
                      {nameOf(details)}
                    </a>
                  </th>
                  <td className={lookOf(run.status)}>{run.status}</td>
                  <td>{intent?.type ?? app}</td>
                  <td>{timeOf(queued_ts).toLocaleString()}</td>
                  <td className="figure">{duration(between(started_ts, finished_ts))}</td>
                  <td>{reason}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </ScrollFrame>
    </section>
  );
}
