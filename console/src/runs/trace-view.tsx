/** The waterfall of what a run did. */
import { useState } from 'react';
import { count, duration } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import { type Span, type TraceRow, ticksOf, traceRows } from './trace-rows.ts';

/** A trace is folded from the log by a process of its own: it is asked for seldom while a run is active. */
const TRACE_MS = 10_000;
/** That process may have a long log to read. */
const TRACE_ANSWER_MS = 60_000;
const ROWS_STEP = 500;
const KINDS = ['intent', 'run', 'phase', 'model', 'tool', 'motion', 'approval'] as const;

/** `finished`: the trace is read once more after the end of the run, then it stays as it is. */
export function Trace({ path, finished }: { path: string; finished: boolean }) {
  const { data, error, again } = usePolled<{ spans: readonly Span[] }>(path, TRACE_MS, {
    version: finished ? 'finished' : '',
    answerMs: TRACE_ANSWER_MS,
    next: (known) => (finished && known !== undefined ? false : TRACE_MS),
  });
  const [kept, setKept] = useState(data);
  if (data !== undefined && data !== kept) setKept(data);
  const [rowsMax, setRowsMax] = useState(ROWS_STEP);
  const [busy, setBusy] = useState(false);
  const { rows, totalMs } = traceRows(kept?.spans ?? []);
  const look = async () => {
    setBusy(true);
    await again();
    setBusy(false);
  };
  const failed = rows.filter(({ span }) => !span.ok).length;
  const note = error ? `no trace: ${error.message}` : kept ? summary(rows, totalMs, failed) : 'reading';
  const left = rows.length - rowsMax;
  return (
    <section className="wide" aria-labelledby="trace-title">
      <h3 id="trace-title">Trace</h3>
      <p id="trace-note" role="status" className={error || failed > 0 ? 'bad' : ''}>
        {note}
      </p>
      <button id="trace-again" type="button" disabled={busy} onClick={() => void look()}>
        Look again
      </button>
      <ul id="trace-legend" aria-label="Colours">
        {KINDS.filter((kind) => rows.some(({ span }) => span.kind === kind)).map((kind) => (
          <li key={kind}>
            <svg viewBox="0 0 10 10" aria-hidden="true">
              <rect className={`span-${kind}`} width={10} height={10} rx={2} />
            </svg>
            {kind}
          </li>
        ))}
      </ul>
      <ScrollFrame id="trace-table" label="waterfall of spans" hidden={rows.length === 0}>
        <table className="trace">
          <thead>
            <tr>
              <th scope="col">span</th>
              <th scope="col" className="kind">
                kind
              </th>
              <th scope="col" id="trace-scale">
                <Scale totalMs={totalMs} />
              </th>
              <th scope="col">start</th>
              <th scope="col">took</th>
              <th scope="col">fault</th>
            </tr>
          </thead>
          <tbody id="run-spans">
            {rows.slice(0, rowsMax).map((row) => (
              <SpanRow key={row.span.span_id} row={row} totalMs={totalMs} />
            ))}
          </tbody>
        </table>
      </ScrollFrame>
      {left > 0 && (
        <button id="trace-more" type="button" onClick={() => setRowsMax(rowsMax + ROWS_STEP)}>
          {`Show ${count(Math.min(ROWS_STEP, left))} more of ${count(rows.length)}`}
        </button>
      )}
    </section>
  );
}

function summary(rows: readonly TraceRow[], totalMs: number, failed: number): string {
  if (rows.length === 0) return 'No spans yet.';
  const open = rows.filter((row) => row.open).length;
  return [
    `${count(rows.length)} spans in ${duration(totalMs)}`,
    ...(failed > 0 ? [`${count(failed)} failed`] : []),
    ...(open > 0 ? [`${count(open)} running`] : []),
  ].join(', ');
}

function Scale({ totalMs }: { totalMs: number }) {
  return (
    <span className="scale">
      {ticksOf(totalMs)
        .filter((ms) => ms <= totalMs * 0.92)
        .map((ms) => (
          <span key={ms} style={{ left: `${totalMs === 0 ? 0 : (ms / totalMs) * 100}%` }}>
            {ms === 0 ? '0' : duration(ms).replace('.0 ', ' ')}
          </span>
        ))}
    </span>
  );
}

function SpanRow({ row, totalMs }: { row: TraceRow; totalMs: number }) {
  const { span, depth, startMs, lengthMs, open } = row;
  const share = (ms: number) => (totalMs === 0 ? 0 : (ms / totalMs) * 100);
  const left = Math.min(99.5, share(startMs));
  const width = Math.min(100 - left, Math.max(0.5, share(lengthMs)));
  const look = `span-${span.kind}${span.ok ? '' : ' span-failed'}${open ? ' span-open' : ''}`;
  return (
    <tr>
      <th scope="row" title={span.name} style={{ paddingLeft: `${0.25 + depth * 0.9}rem` }}>
        {span.name}
      </th>
      <td className="kind">{span.kind}</td>
      <td>
        <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" className="span-bar">
          {ticksOf(totalMs).map((ms) => (
            <rect key={ms} className="span-tick" x={share(ms)} width={0.12} height={10} />
          ))}
          <rect className={look} x={left} y={1.5} width={width} height={7} />
        </svg>
      </td>
      <td className="figure">{duration(startMs)}</td>
      <td className="figure">{open ? `${duration(lengthMs)}, running` : duration(lengthMs)}</td>
      <td className="bad fault">{span.ok ? '' : span.error || 'failed'}</td>
    </tr>
  );
}
