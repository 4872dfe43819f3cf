/** One read-only statement on the lakehouse: written with completion, run, shown as table and chart, saved as CSV. */
import { useEffect, useRef, useState } from 'react';
import { count, duration } from '../lib/format.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import type { PageProps } from '../pages.tsx';
import '../see/see.css';
import { ask, readCatalogue } from './answer.ts';
import { Editor } from './editor.tsx';
import { type Answer, csvOf, textOf } from './rows.ts';
import { RowsChart } from './rows-chart.tsx';
import type { Catalogue } from './words.ts';
import './sql.css';

const FIRST = 'SELECT run_id, status, reason FROM runs ORDER BY accepted_at DESC';
const LIMITS: readonly number[] = [100, 1_000, 10_000, 100_000];
/** Rows that the table draws; the chart and the CSV have all. */
const DRAWN = 1_000;

type State =
  | { readonly at: 'idle' }
  | { readonly at: 'running'; readonly rows: number }
  | { readonly at: 'done'; readonly answer: Answer }
  | { readonly at: 'failed'; readonly message: string };

const hrefOf = (sql: string) => `#/sql/${encodeURIComponent(sql)}`;

export default function SqlPage({ argument }: PageProps) {
  const [text, setText] = useState(argument || FIRST);
  const [limit, setLimit] = useState(1_000);
  const [state, setState] = useState<State>({ at: 'idle' });
  const [view, setView] = useState<'table' | 'chart'>('table');
  const [catalogue, setCatalogue] = useState<Catalogue>(new Map());
  const running = useRef<AbortController>(undefined);
  const run = (sql: string) => {
    running.current?.abort();
    const own = new AbortController();
    running.current = own;
    const show = (next: State) => {
      if (running.current === own) setState(next);
    };
    // A reload and a copied address bring the statement back.
    history.replaceState(null, '', hrefOf(sql));
    show({ at: 'running', rows: 0 });
    ask(sql, limit, own.signal, (rows) => show({ at: 'running', rows })).then(
      (answer) => show({ at: 'done', answer }),
      (error: Error) => show({ at: 'failed', message: own.signal.aborted ? 'cancelled' : error.message }),
    );
  };
  const runNow = useRef(run);
  runNow.current = run;
  useEffect(() => {
    readCatalogue().then(setCatalogue, () => {});
    return () => running.current?.abort();
  }, []);
  useEffect(() => {
    if (argument === '') return;
    setText(argument);
    // It only reads, within the budgets of the lake: a link to a statement shows what it gives.
    runNow.current(argument);
  }, [argument]);
  const answer = state.at === 'done' ? state.answer : undefined;
  return (
    <div className="page see" id="page-sql">
      <section className="wide" aria-labelledby="sql-title">
        <h2 id="sql-title" tabIndex={-1}>
          SQL
        </h2>
        <Editor {...{ text, catalogue }} onText={setText} onRun={() => run(text)} />
        <div className="bar" role="toolbar" aria-label="Statement">
          <button type="button" className="allow" disabled={text.trim() === ''} onClick={() => run(text)}>
            Run
          </button>
          <button type="button" disabled={state.at !== 'running'} onClick={() => running.current?.abort()}>
            Cancel
          </button>
          <label>
            rows at most{' '}
            <select value={limit} onChange={(event) => setLimit(Number(event.target.value))}>
              {LIMITS.map((one) => (
                <option key={one} value={one}>
                  {count(one)}
                </option>
              ))}
            </select>
          </label>
          <span id="sql-help" className="soft">
            Ctrl and Enter run it; arrows choose a word, Enter takes it.
          </span>
        </div>
        <p id="sql-state" role="status" className={state.at === 'failed' ? 'bad' : ''}>
          {stateText(state)}
        </p>
      </section>
      {answer && (
        <section className="wide" aria-label="Answer">
          <div className="bar" role="toolbar" aria-label="View of the answer">
            {(['table', 'chart'] as const).map((name) => (
              <button key={name} type="button" aria-pressed={view === name} onClick={() => setView(name)}>
                {name}
              </button>
            ))}
            <button type="button" disabled={answer.rows.length === 0} onClick={() => save(answer)}>
              Export CSV
            </button>
          </div>
          {view === 'table' ? <RowsTable {...answer} /> : <RowsChart key={text} {...answer} />}
        </section>
      )}
      <Tables {...{ catalogue }} onTake={(sql) => setText(sql)} />
    </div>
  );
}

function stateText(state: State): string {
  if (state.at === 'idle') return '';
  if (state.at === 'running') return state.rows === 0 ? 'running' : `running, ${count(state.rows)} rows`;
  if (state.at === 'failed') return state.message;
  const { rows, notes, tookMs } = state.answer;
  const facts = [`${count(rows.length)} ${rows.length === 1 ? 'row' : 'rows'} in ${duration(tookMs)}`];
  return [...facts, ...notes].join('; ');
}

function RowsTable({ columns, rows }: Pick<Answer, 'columns' | 'rows'>) {
  return (
    <>
      <ScrollFrame label="table of rows">
        <table className="many sql-rows">
          <thead>
            <tr>
              {columns.map(({ name, type }) => (
                <th key={name} scope="col" title={type}>
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, DRAWN).map((row, i) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name, and never move.
              <tr key={i}>
                {row.map((value, j) => (
                  <td key={columns[j]!.name} className={typeof value === 'number' ? 'figure' : ''}>
                    {textOf(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollFrame>
      {rows.length > DRAWN && (
        <p>{`The table shows ${count(DRAWN)} of ${count(rows.length)} rows; the chart and the CSV have all.`}</p>
      )}
    </>
  );
}

function Tables({ catalogue, onTake }: { catalogue: Catalogue; onTake: (sql: string) => void }) {
  return (
    <section className="wide" aria-labelledby="sql-tables-title">
      <h2 id="sql-tables-title">Tables</h2>
      <ul className="sql-tables">
        {[...catalogue].map(([name, columns]) => (
          <li key={name}>
            <details>
              <summary>{name}</summary>
              <p>{columns.join(', ')}</p>
              <button type="button" className="small" onClick={() => onTake(`SELECT * FROM ${name}`)}>
                {`SELECT * FROM ${name}`}
              </button>
            </details>
          </li>
        ))}
      </ul>
    </section>
  );
}

function save(answer: Answer): void {
  const url = URL.createObjectURL(new Blob([csvOf(answer)], { type: 'text/csv' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = 'rows.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
