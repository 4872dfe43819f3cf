/** Two runs side by side from their first difference: `#/compare/A/B`. */
import { useEffect, useRef, useState } from 'react';
import { goTo } from '../lib/address.ts';
import { duration, timeOf } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import { nameOf } from '../lib/run-name.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import type { RunDetails } from '../lib/views.ts';
import type { PageProps } from '../pages.tsx';
import { classesOf, type RunDiff, shownRows } from './diff-rows.ts';
import './compare.css';

/** Both logs are read by a process of their own. */
const ANSWER_MS = 120_000;
const RUNS_MAX = 200;

export default function ComparePage({ argument }: PageProps) {
  const [a = '', b = ''] = argument.split('/');
  return (
    <div className="page" id="page-compare">
      <section className="wide" aria-labelledby="compare-title">
        <h2 id="compare-title" tabIndex={-1}>
          Two runs
        </h2>
        <Choice {...{ a, b }} />
      </section>
      {a !== '' && b !== '' && <Difference key={`${a}/${b}`} {...{ a, b }} />}
    </div>
  );
}

function Choice({ a, b }: { a: string; b: string }) {
  const { data } = usePolled<{ runs: readonly RunDetails[] }>(`/v1/runs?limit=${RUNS_MAX}`, 10_000);
  const runs = [...(data?.runs ?? [])].sort((x, y) => (x.run.run_id < y.run.run_id ? 1 : -1));
  const choose = (label: string, value: string, other: (id: string) => string) => (
    <label>
      {label}{' '}
      <select value={value} onChange={(event) => goTo(`#/compare/${other(event.target.value)}`)}>
        <option value="">choose a run</option>
        {value !== '' && !runs.some(({ run }) => run.run_id === value) && (
          <option value={value}>{value}</option>
        )}
        {runs.map((details) => (
          <option key={details.run.run_id} value={details.run.run_id}>
            {`${timeOf(details.queued_ts).toLocaleString()} ${nameOf(details)} ${details.run.status}`}
          </option>
        ))}
      </select>
    </label>
  );
  return (
    <div className="row">
      {choose('One', a, (id) => `${id}/${b}`)}
      {choose('Other', b, (id) => `${a}/${id}`)}
    </div>
  );
}

function Difference({ a, b }: { a: string; b: string }) {
  const path = `/v1/runs/${encodeURIComponent(a)}/diff/${encodeURIComponent(b)}`;
  const { data: diff, error } = usePolled<RunDiff>(path, 0, { answerMs: ANSWER_MS, next: () => false });
  const [all, setAll] = useState(false);
  const table = useRef<HTMLDivElement>(null);
  const seek = (index: number) =>
    document.getElementById(`diff-${index}`)?.scrollIntoView({ block: 'center' });
  const first = diff?.first ?? -1;
  useEffect(() => {
    const row = table.current?.querySelector<HTMLElement>(`#diff-${first}`);
    if (row) table.current!.scrollTop = row.offsetTop - table.current!.clientHeight / 3;
  }, [first]);
  return (
    <section className="wide" aria-label="Difference">
      <p id="compare-note" role="status" className={error ? 'bad' : ''}>
        {error ? `not compared: ${error.message}` : diff ? noteOf(diff) : 'reading both runs'}
      </p>
      {diff && !diff.identical && (
        <div className="row" role="toolbar" aria-label="Differences">
          {classesOf(diff).map(([name, index]) => (
            <button key={name} type="button" onClick={() => seek(index)}>
              {`first ${name}`}
            </button>
          ))}
          <label>
            <input type="checkbox" checked={all} onChange={(event) => setAll(event.target.checked)} /> equal
            lines too
          </label>
        </div>
      )}
      {diff && (
        <ScrollFrame ref={table} label="runs side by side">
          <table className="many diff">
            <thead>
              <tr>
                <th scope="col">kind</th>
                <th scope="col">
                  <a href={`#/runs/${a}`}>one</a>
                </th>
                <th scope="col">
                  <a href={`#/runs/${b}`}>other</a>
                </th>
              </tr>
            </thead>
            <tbody>
              {shownRows(diff, all).map((shown) =>
                shown.kind === 'equal' ? (
                  <tr key={shown.index}>
                    <td colSpan={3} className="why">{`${shown.count} equal lines`}</td>
                  </tr>
                ) : (
                  <tr
                    key={shown.index}
                    id={`diff-${shown.index}`}
                    className={shown.row.same ? '' : 'differs'}
                    aria-current={shown.index === first ? 'true' : undefined}
                  >
                    <td>{shown.row.class ?? ''}</td>
                    <td>
                      <code>{shown.row.left ?? '–'}</code>
                    </td>
                    <td>
                      <code>{shown.row.right ?? '–'}</code>
                    </td>
                  </tr>
                ),
              )}
            </tbody>
          </table>
        </ScrollFrame>
      )}
      {diff && diff.timing.length > 0 && (
        <>
          <h3>Steps that took clearly longer or shorter</h3>
          <ul className="timing">
            {diff.timing.map(({ step, a_ms, b_ms }) => (
              <li key={step}>
                {step}: {duration(a_ms)}, then {duration(b_ms)}
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

function noteOf({ identical, rows, words }: RunDiff): string {
  if (identical) return `${rows.length} lines, all of them equal`;
  const differ = rows.filter((row) => !row.same).length;
  return `${differ} of ${rows.length} lines differ. First: ${words ?? ''}`;
}
