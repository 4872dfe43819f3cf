import { useEffect, useRef, useState } from 'react';
import { send } from '../lib/api.ts';
import { useMayNot } from '../lib/me.ts';
import { lineAt } from './config-rows.ts';

type Check = {
  readonly ok: boolean;
  readonly faults: readonly {
    readonly line?: number;
    readonly key: string;
    readonly value: string;
    readonly expected: string;
  }[];
  readonly more: boolean;
  readonly warnings: readonly string[];
  readonly differences: readonly {
    readonly key: string;
    readonly before?: string;
    readonly after?: string;
  }[];
  readonly plan: {
    readonly restart: readonly string[];
    readonly live: readonly string[];
    readonly later: readonly string[];
  };
};
type State =
  | { readonly at: 'idle' }
  | { readonly at: 'asked' }
  | { readonly at: 'done'; readonly check: Check; readonly text: string }
  | { readonly at: 'failed'; readonly why: string };

const TEXT_MAX = 65_536;

/** A text is checked as the daemon would read it, and compared with what is in force. Nothing is written. */
export function CheckPanel({ file }: { file: string | undefined }) {
  const [text, setText] = useState('');
  const [state, setState] = useState<State>({ at: 'idle' });
  const field = useRef<HTMLTextAreaElement>(null);
  const asked = useRef(0);
  const mayNot = useMayNot();
  // A page that is left takes no answer.
  useEffect(() => () => void asked.current++, []);
  const check = () => {
    const own = ++asked.current;
    const show = (next: State) => {
      if (asked.current === own) setState(next);
    };
    show({ at: 'asked' });
    send<Check>('/v1/config/check', { text }).then(
      (found) => show({ at: 'done', check: found, text }),
      (error: Error) => show({ at: 'failed', why: error.message }),
    );
  };
  const goTo = (line: number) => {
    const [from, to] = lineAt(text, line);
    field.current?.focus();
    field.current?.setSelectionRange(from, to);
  };
  const stale = state.at === 'done' && state.text !== text;
  return (
    <section className="wide" aria-labelledby="config-check-title">
      <h2 id="config-check-title">Check a text</h2>
      <label htmlFor="config-text">A whole configuration, TOML. It is compared with what is in force.</label>
      <textarea
        id="config-text"
        ref={field}
        rows={12}
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        maxLength={TEXT_MAX}
        value={text}
        aria-describedby="config-help"
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter' && event.ctrlKey && mayNot === '') check();
        }}
      />
      <div className="row">
        <button
          type="button"
          className="allow"
          disabled={mayNot !== '' || state.at === 'asked'}
          onClick={check}
        >
          Check
        </button>
        <span id="config-help" className="soft">
          Ctrl and Enter check it. {mayNot}
        </span>
      </div>
      <p id="config-state" role="status" className={isBad(state) ? 'bad' : ''}>
        {stateText(state)}
        {stale ? ' (of the text before the last change)' : ''}
      </p>
      {state.at === 'done' && (
        <div className={stale ? 'old' : ''}>
          <Faults faults={state.check.faults} goTo={goTo} />
          {state.check.warnings.map((warning) => (
            <p key={warning}>warning: {warning}</p>
          ))}
          <Differences {...state.check} />
          {state.check.ok && <Take file={file} plan={state.check.plan} />}
        </div>
      )}
    </section>
  );
}

function Faults({ faults, goTo }: { faults: Check['faults']; goTo: (line: number) => void }) {
  if (faults.length === 0) return null;
  return (
    <ul id="config-faults" className="config-faults">
      {faults.map(({ line, key, value, expected }, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the list is never reordered.
        <li key={i}>
          {line !== undefined && (
            <button type="button" className="small" onClick={() => goTo(line)}>
              line {line}
            </button>
          )}{' '}
          {key !== '' && <code>{value === '' ? key : `${key} = ${value}`}</code>} expected {expected}
        </li>
      ))}
    </ul>
  );
}

function Differences({ differences }: Pick<Check, 'differences'>) {
  if (differences.length === 0) return null;
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: a frame that scrolls, not a set of fields */}
      <div
        className="scroll"
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keyboard
        tabIndex={0}
        role="group"
        aria-label="table of differences"
      >
        <table className="many config-values">
          <thead>
            <tr>
              <th scope="col">key</th>
              <th scope="col">in force</th>
              <th scope="col">in the text</th>
            </tr>
          </thead>
          <tbody id="config-differences">
            {differences.map(({ key, before, after }) => (
              <tr key={key}>
                <th scope="row">{key}</th>
                <td>
                  {before === undefined ? <span className="soft">is not there</span> : <del>{before}</del>}
                </td>
                <td>
                  {after === undefined ? <span className="soft">is not there</span> : <ins>{after}</ins>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** This page writes no file: a person with rights on the robot does. */
function Take({ file, plan }: { file: string | undefined; plan: Check['plan'] }) {
  const path = file ?? '~/.config/auraison-edge.toml';
  const list = (names: readonly string[]) => names.join(', ');
  return (
    <>
      {(plan.restart.length > 0 || plan.live.length > 0 || plan.later.length > 0) && (
        <p>
          {[
            plan.restart.length > 0 ? `A reload restarts ${list(plan.restart)}.` : '',
            plan.live.length > 0 ? `Taken without a restart: ${list(plan.live)}.` : '',
            plan.later.length > 0 ? `Only from the next start of the daemon: ${list(plan.later)}.` : '',
          ].join(' ')}
        </p>
      )}
      <p>
        This page changes nothing. Save the text as <code>{path}</code> on the robot, then run{' '}
        <code>auraison config check && auraison reload</code> there.
      </p>
    </>
  );
}

const isBad = (state: State) => state.at === 'failed' || (state.at === 'done' && !state.check.ok);

function stateText(state: State): string {
  if (state.at === 'idle') return '';
  if (state.at === 'asked') return 'checking';
  if (state.at === 'failed') return state.why;
  const { ok, faults, more, differences } = state.check;
  if (!ok) return `${faults.length}${more ? ' and more' : ''} ${faults.length === 1 ? 'fault' : 'faults'}`;
  const differ = differences.length;
  return differ === 0
    ? 'Correct, and the same as what is in force.'
    : `Correct; ${differ} ${differ === 1 ? 'value differs' : 'values differ'} from what is in force.`;
}
