/** Runs, the newest first, and one run with the waterfall of what it did. */
import { forever, read, refusalOf } from './api.js';
import { at, count, drawn, duration, element, fill, link, say, timeOf } from './elements.js';
import { addPage, shown } from './pages.js';
import { ticksOf, traceRows } from './trace-rows.js';

const LOOK_MS = 2000;
/** A trace is folded from the log by a process of its own: it is asked for seldom while a run is active. */
const TRACE_MS = 10_000;
/** That process may have a long log to read. */
const TRACE_ANSWER_MS = 60_000;
const RUNS_MAX = 200;
const ROWS_STEP = 500;
const FINISHED = new Set(['succeeded', 'failed', 'cancelled']);
const KINDS = ['intent', 'run', 'phase', 'model', 'tool', 'motion', 'approval'];

let runId = '';
let rowsMax = ROWS_STEP;
let trace;
let tracedAtMs = -Infinity;
let tracedFinished = false;
let tracing = false;

function open(argument) {
  if (argument !== runId) {
    runId = argument;
    rowsMax = ROWS_STEP;
    trace = undefined;
    tracedAtMs = -Infinity;
    tracedFinished = false;
    at('run-spans').replaceChildren();
    at('trace-legend').replaceChildren();
    for (const id of ['run-note', 'runs-note']) say(at(id), '');
    at('run-resume').hidden = true;
    at('run-facts').replaceChildren();
    at('trace-table').hidden = true;
    at('trace-more').hidden = true;
    say(at('trace-note'), 'reading');
  }
  at('run-one').hidden = runId === '';
  at('runs-all').hidden = runId !== '';
  void look().then(() => state(undefined), state);
}

async function look() {
  if (shown().name !== 'runs') return;
  if (runId === '') return showRuns(await read(`/v1/runs?limit=${RUNS_MAX}`));
  const asked = runId;
  const details = await read(`/v1/runs/${encodeURIComponent(asked)}`);
  if (asked !== runId) return;
  showRun(details);
  const finished = FINISHED.has(details.run.status);
  // Once more after its end, then it stays as it is.
  const due = finished ? !tracedFinished || trace === undefined : performance.now() - tracedAtMs >= TRACE_MS;
  if (due) await lookTrace(asked, finished);
}

function state(error) {
  if (shown().name !== 'runs') return;
  const note = at(runId === '' ? 'runs-note' : 'run-note');
  if (error) say(note, `not known: ${error.message}`, 'bad');
  else if (note.className === 'bad') say(note, '');
}

function showRuns({ runs }) {
  const newest = [...runs].sort((a, b) => (a.run.run_id < b.run.run_id ? 1 : -1));
  say(at('runs-note'), newest.length === 0 ? 'No run yet.' : '');
  const now = JSON.stringify(newest);
  if (now === showRuns.shown) return;
  showRuns.shown = now;
  at('runs-table').hidden = newest.length === 0;
  at('runs').replaceChildren(
    ...newest.map(({ run, app, intent, queued_ts, started_ts, finished_ts, reason }) => {
      const row = document.createElement('tr');
      const head = element('th');
      head.scope = 'row';
      head.append(link(run.run_id, `#/runs/${run.run_id}`));
      row.append(
        head,
        element('td', run.status, lookOf(run.status)),
        element('td', intent?.type ?? app),
        element('td', timeOf(queued_ts).toLocaleString()),
        element('td', spanOf(started_ts, finished_ts), 'figure'),
        element('td', reason),
      );
      return row;
    }),
  );
}

const lookOf = (status) => (status === 'failed' ? 'bad' : status === 'succeeded' ? 'ok' : '');
const spanOf = (from, to) =>
  from === undefined || from === null || to === undefined || to === null
    ? '–'
    : duration(Number(BigInt(to) - BigInt(from)) / 1e6);

function showRun({ run, app, intent, phase, queued_ts, started_ts, finished_ts, reason, error }) {
  const now = JSON.stringify([run, phase, finished_ts, reason]);
  if (now === showRun.shown && at('run-facts').childElementCount > 0) return;
  showRun.shown = now;
  at('run-resume').hidden = run.status !== 'paused';
  fill(at('run-facts'), [
    ['run', run.run_id],
    ['status', run.status, lookOf(run.status)],
    ['intent', `${intent?.type ?? app} (${app})`],
    ['phase', phase || '–'],
    ['harness', `${run.harness}, attempt ${run.attempt}`],
    ['asked', timeOf(queued_ts).toLocaleString()],
    ['took', spanOf(started_ts, finished_ts)],
    ...(reason ? [['reason', reason]] : []),
    ...(error ? [['error', error.message ?? String(error), 'bad']] : []),
  ]);
}

/** Also where a person took the robot over: it moves on its own from here on. */
async function resume() {
  const asked = runId;
  at('run-resume').disabled = true;
  const said = await refusalOf(`/v1/runs/${encodeURIComponent(asked)}/resume`, {});
  at('run-resume').disabled = false;
  if (asked !== runId) return;
  say(at('run-note'), said === '' ? '' : `not resumed: ${said}`, said === '' ? '' : 'bad');
  await look().catch(() => {});
}

async function lookTrace(asked, finished) {
  if (tracing) return;
  tracing = true;
  at('trace-again').disabled = true;
  try {
    const { spans } = await read(`/v1/runs/${encodeURIComponent(asked)}/trace`, TRACE_ANSWER_MS);
    if (asked !== runId) return;
    trace = spans;
    showTrace();
  } catch (error) {
    if (asked !== runId) return;
    say(at('trace-note'), `no trace: ${error.message}`, 'bad');
    trace ??= [];
  } finally {
    // Of another run by now: that one has not been asked for.
    if (asked === runId) {
      tracedAtMs = performance.now();
      tracedFinished = finished;
    }
    tracing = false;
    at('trace-again').disabled = false;
  }
}

function showTrace() {
  const { rows, totalMs } = traceRows(trace);
  const failed = rows.filter(({ span }) => !span.ok).length;
  const open = rows.filter((row) => row.open).length;
  const told = [
    `${count(rows.length)} spans in ${duration(totalMs)}`,
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
    ...(open > 0 ? [`${count(open)} running`] : []),
  ];
  say(at('trace-note'), rows.length === 0 ? 'No spans yet.' : told.join(', '), failed > 0 ? 'bad' : '');
  at('trace-table').hidden = rows.length === 0;
  at('trace-legend').replaceChildren(
    ...KINDS.filter((kind) => rows.some(({ span }) => span.kind === kind)).map((kind) => {
      const item = element('li', kind);
      item.prepend(
        drawn(
          'svg',
          { viewBox: '0 0 10 10', 'aria-hidden': 'true' },
          drawn('rect', { class: `span-${kind}`, width: 10, height: 10, rx: 2 }),
        ),
      );
      return item;
    }),
  );
  at('trace-scale').replaceChildren(scale(totalMs));
  at('run-spans').replaceChildren(...rows.slice(0, rowsMax).map((row) => spanRow(row, totalMs)));
  at('trace-more').hidden = rows.length <= rowsMax;
  at('trace-more').textContent =
    `Show ${count(Math.min(ROWS_STEP, rows.length - rowsMax))} more of ${count(rows.length)}`;
}

function scale(totalMs) {
  const made = element('span', '', 'scale');
  for (const ms of ticksOf(totalMs).filter((one) => one <= totalMs * 0.92)) {
    const tick = element('span', ms === 0 ? '0' : duration(ms).replace('.0 ', ' '));
    tick.style.left = `${totalMs === 0 ? 0 : (ms / totalMs) * 100}%`;
    made.append(tick);
  }
  return made;
}

function spanRow({ span, depth, startMs, lengthMs, open }, totalMs) {
  const row = document.createElement('tr');
  const head = element('th', span.name);
  head.scope = 'row';
  head.style.paddingLeft = `${0.25 + depth * 0.9}rem`;
  head.title = span.name;
  const share = (ms) => (totalMs === 0 ? 0 : (ms / totalMs) * 100);
  const left = Math.min(99.5, share(startMs));
  const bar = drawn(
    'svg',
    { viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true', class: 'span-bar' },
    ...ticksOf(totalMs).map((ms) =>
      drawn('rect', { class: 'span-tick', x: share(ms), width: 0.12, height: 10 }),
    ),
    drawn('rect', {
      ...{ class: `span-${span.kind}${span.ok ? '' : ' span-failed'}${open ? ' span-open' : ''}` },
      ...{ x: left, y: 1.5, width: Math.min(100 - left, Math.max(0.5, share(lengthMs))), height: 7 },
    }),
  );
  const picture = document.createElement('td');
  picture.append(bar);
  row.append(
    head,
    element('td', span.kind, 'kind'),
    picture,
    element('td', duration(startMs), 'figure'),
    element('td', open ? `${duration(lengthMs)}, running` : duration(lengthMs), 'figure'),
    element('td', span.ok ? '' : span.error || 'failed', 'bad fault'),
  );
  return row;
}

export function runsPage() {
  addPage('runs', open);
  at('trace-again').addEventListener('click', () => void lookTrace(runId, tracedFinished));
  at('run-resume').addEventListener('click', () => void resume());
  at('trace-more').addEventListener('click', () => {
    rowsMax += ROWS_STEP;
    showTrace();
  });
  void forever(look, LOOK_MS, state);
}
