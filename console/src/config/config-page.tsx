/** The configuration in force with the source of each value; changes and whole texts, checked, compared and taken. */
import { useMemo, useState } from 'react';
import type { ConfigEdit } from '../../../contract/ports/config.ts';
import { usePolled } from '../lib/polled.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import type { PageProps } from '../pages.tsx';
import { ChangesPanel } from './changes-panel.tsx';
import { CheckPanel } from './check-panel.tsx';
import { type ConfigView, narrowed, rowsOf, type Shown } from './config-rows.ts';
import { TrialBar } from './trial-bar.tsx';
import '../see/see.css';
import './config.css';

const LOOK_MS = 10_000;
/** While a configuration is on trial. */
const TRIAL_LOOK_MS = 1_000;

export default function ConfigPage({ argument }: PageProps) {
  const { data, error, old, asOf } = usePolled<ConfigView>('/v1/config', LOOK_MS, {
    next: (view) => (view?.taking.trial ? TRIAL_LOOK_MS : LOOK_MS),
  });
  const [edits, setEdits] = useState<readonly ConfigEdit[]>([]);
  const edit = ({ path, value, pending, isSet }: Shown) => {
    const first = isSet ? { key: path, value: pending ?? value } : { key: path };
    setEdits((before) => (before.some(({ key }) => key === path) ? before : [...before, first]));
  };
  const [words, setWords] = useState(argument);
  const [onlySet, setOnlySet] = useState(argument === '');
  const rows = useMemo(() => (data ? rowsOf(data) : []), [data]);
  const shown = narrowed(rows, words, onlySet);
  return (
    <div className="page see" id="page-config">
      <section className="wide" aria-labelledby="config-title">
        <h2 id="config-title" tabIndex={-1}>
          Configuration
        </h2>
        <p id="config-note" role="status" className={error || data?.file_fault ? 'bad' : ''}>
          {noteOf(data, error, asOf)}
        </p>
        <TrialBar taking={data?.taking} asOf={asOf} />
        <search className="row config-form" aria-label="Narrow down">
          <label htmlFor="config-filter" className="unseen">
            Words of a key, value or meaning
          </label>
          <input
            id="config-filter"
            type="search"
            placeholder="key, value or meaning"
            value={words}
            onChange={(event) => setWords(event.target.value)}
          />
          <label className="check">
            <input type="checkbox" checked={onlySet} onChange={(event) => setOnlySet(event.target.checked)} />
            without defaults
          </label>
          <span className="soft">{data ? `${shown.length} of ${rows.length} values` : ''}</span>
        </search>
        {data && shown.length === 0 && (
          <p>{onlySet && words === '' ? 'Everything is at its default.' : 'No value is like this.'}</p>
        )}
        <ValueTable {...{ shown, old, edit }} />
      </section>
      <ChangesPanel edits={edits} onEdits={setEdits} file={data?.file} taking={data?.taking} />
      <CheckPanel file={data?.file} taking={data?.taking} />
    </div>
  );
}

type TableProps = {
  readonly shown: readonly Shown[];
  readonly old: boolean;
  readonly edit: (one: Shown) => void;
};

function ValueTable({ shown, old, edit }: TableProps) {
  return (
    <ScrollFrame id="config-table" label="table of values" old={old} hidden={shown.length === 0}>
      <table className="many config-values">
        <thead>
          <tr>
            {['key', 'value', 'from', 'meaning'].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody id="config-rows">
          {shown.map((one, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: two rows of a list may have one name.
            <Row key={`${one.path} ${i}`} one={one} edit={edit} />
          ))}
        </tbody>
      </table>
    </ScrollFrame>
  );
}

function Row({ one, edit }: Pick<TableProps, 'edit'> & { readonly one: Shown }) {
  const { path, value, from, about, pending, canSet } = one;
  return (
    <tr>
      <th scope="row">{path}</th>
      <td>
        <code>{value}</code>
        {canSet && (
          <button type="button" className="small" aria-label={`change ${path}`} onClick={() => edit(one)}>
            change
          </button>
        )}
        {pending !== undefined && (
          <p className="bad">
            after a reload: <code>{pending}</code>
          </p>
        )}
      </td>
      <td>{from}</td>
      <td className="reason">{about}</td>
    </tr>
  );
}

function noteOf(data: ConfigView | undefined, error: Error | undefined, asOf: Date | undefined): string {
  if (error) return `not known: ${error.message}${asOf ? `; as of ${asOf.toLocaleTimeString()}` : ''}`;
  if (!data) return 'loading';
  if (data.file_fault) return `In force is what was read before. The file of now: ${data.file_fault}`;
  return data.file ? data.file : 'No file: defaults and the environment.';
}
