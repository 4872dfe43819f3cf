/** One run: what it is, what may be done with it, its runs and its plan, its story, and the waterfall of what it did. */
import { type Fact, Facts } from '../lib/facts.tsx';
import { between, duration, timeOf } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import type { RunDetails } from '../lib/views.ts';
import { StoryList } from '../story/story-list.tsx';
import { useStory } from '../story/use-story.ts';
import { ForkPanel, RunActions } from './run-actions.tsx';
import { lookOf } from './run-look.ts';
import { PlanPanel, RunTree } from './run-tree.tsx';
import { Trace } from './trace-view.tsx';

const LOOK_MS = 2000;
/** Its run carries out a plan. */
const PLAN_INTENT = 'plan';
const FINISHED: ReadonlySet<string> = new Set(['succeeded', 'failed', 'cancelled']);

export function RunPage({ runId }: { runId: string }) {
  const path = `/v1/runs/${encodeURIComponent(runId)}`;
  const { data: details, error, old, again } = usePolled<RunDetails>(path, LOOK_MS);
  const status = details?.run.status;
  const over = status !== undefined && FINISHED.has(status);
  const { story, error: fault } = useStory(status === undefined ? '' : runId, over);
  return (
    <div id="run-one">
      <section className="wide" aria-labelledby="one-title">
        <h2 id="one-title" tabIndex={-1}>
          One run
        </h2>
        <p>
          <a href="#/runs">all runs</a>
          {' · '}
          <a href={`#/compare/${runId}`}>compare it with another</a>
          {details?.intent?.attended && (
            <>
              {' · '}
              <a href={`#/chat/${runId}`}>its conversation</a>
            </>
          )}
        </p>
        <p id="run-note" role="status" className={error ? 'bad' : ''}>
          {error ? `not known: ${error.message}` : ''}
        </p>
        <Facts id="run-facts" old={old} rows={details ? factsOf(details) : []} />
        {status !== undefined && <RunActions path={path} status={status} over={over} done={again} />}
        {status !== undefined && <ForkPanel path={path} />}
      </section>
      {status !== undefined && (
        <>
          <RunTree runId={runId} path={path} />
          {details?.intent?.type === PLAN_INTENT && <PlanPanel runId={runId} over={over} />}
          <section className="wide" aria-labelledby="story-title">
            <h3 id="story-title">What happened, and why</h3>
            <p role="status" className={fault ? 'bad' : ''}>
              {fault ? `of before: ${fault}` : story.items.length === 0 ? 'nothing yet' : ''}
            </p>
            <ol
              id="story"
              className="scroll"
              aria-label="what happened"
              // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
              tabIndex={0}
            >
              <StoryList runId={runId} items={story.items} />
            </ol>
          </section>
          <Trace path={`${path}/trace`} finished={over} />
        </>
      )}
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
