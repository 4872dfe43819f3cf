import { useEffect, useRef, useState } from 'react';
import type { ConfigDraft, ConfigTaking, ConfigTextCheck } from '../../../contract/ports/config.ts';
import { send } from '../lib/api.ts';
import { queries } from '../lib/polled.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';

export type CheckState<Draft> =
  | { readonly at: 'idle' }
  | { readonly at: 'asked' }
  | { readonly at: 'done'; readonly check: ConfigTextCheck; readonly draft: Draft }
  | { readonly at: 'failed'; readonly why: string };

/** Asks the robot about a draft; an answer to one that was asked before is dropped. */
export function useCheck<Draft>(bodyOf: (draft: Draft) => ConfigDraft) {
  const [state, setState] = useState<CheckState<Draft>>({ at: 'idle' });
  const asked = useRef(0);
  // A page that is left takes no answer.
  useEffect(() => () => void asked.current++, []);
  const check = (draft: Draft) => {
    const own = ++asked.current;
    const show = (next: CheckState<Draft>) => {
      if (asked.current === own) setState(next);
    };
    show({ at: 'asked' });
    send<ConfigTextCheck>('/v1/config/check', bodyOf(draft)).then(
      (found) => show({ at: 'done', check: found, draft }),
      (error: Error) => show({ at: 'failed', why: error.message }),
    );
  };
  const forget = () => {
    asked.current += 1;
    setState({ at: 'idle' });
  };
  return { state, check, forget };
}

export type ResultProps = {
  /** Start of the ids of this result. */
  readonly name: string;
  readonly check: ConfigTextCheck;
  readonly body: ConfigDraft;
  readonly stale: boolean;
  readonly goTo?: (line: number) => void;
  readonly file: string | undefined;
  readonly taking: ConfigTaking | undefined;
  readonly onTaken?: () => void;
};

/** What came of a check, and the button that takes what was checked. */
export function CheckResult({ name, check, body, stale, goTo, file, taking, onTaken }: ResultProps) {
  return (
    <div className={stale ? 'old' : ''}>
      <Faults name={name} faults={check.faults} goTo={goTo} />
      {check.warnings.map((warning) => (
        <p key={warning}>warning: {warning}</p>
      ))}
      <Differences name={name} differences={check.differences} />
      {check.ok && <Plan plan={check.plan} />}
      {check.ok && check.differences.length > 0 && (
        <Take {...{ name, check, body, stale, file, taking }} {...(onTaken ? { onTaken } : {})} />
      )}
    </div>
  );
}

type FaultProps = Pick<ResultProps, 'name'> &
  Pick<ConfigTextCheck, 'faults'> & { readonly goTo: ResultProps['goTo'] | undefined };

function Faults({ name, faults, goTo }: FaultProps) {
  if (faults.length === 0) return null;
  return (
    <ul id={`${name}-faults`} className="config-faults">
      {faults.map(({ line, key, value, expected }, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the list is never reordered.
        <li key={i}>
          {line !== undefined && goTo && (
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

function Differences({
  name,
  differences,
}: Pick<ResultProps, 'name'> & Pick<ConfigTextCheck, 'differences'>) {
  if (differences.length === 0) return null;
  return (
    <ScrollFrame label="table of differences">
      <table className="many config-values">
        <thead>
          <tr>
            <th scope="col">key</th>
            <th scope="col">in force</th>
            <th scope="col">after it</th>
          </tr>
        </thead>
        <tbody id={`${name}-differences`}>
          {differences.map(({ key, before, after }) => (
            <tr key={key}>
              <th scope="row">{key}</th>
              <td>
                {before === undefined ? <span className="soft">is not there</span> : <del>{before}</del>}
              </td>
              <td>{after === undefined ? <span className="soft">is not there</span> : <ins>{after}</ins>}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollFrame>
  );
}

function Plan({ plan }: Pick<ConfigTextCheck, 'plan'>) {
  const list = (names: readonly string[]) => names.join(', ');
  const said = [
    plan.restart.length > 0 ? `A reload restarts ${list(plan.restart)}.` : '',
    plan.live.length > 0 ? `Taken without a restart: ${list(plan.live)}.` : '',
    plan.later.length > 0 ? `Only from the next start of the daemon: ${list(plan.later)}.` : '',
  ];
  return said.every((one) => one === '') ? null : <p>{said.join(' ')}</p>;
}

type TakeProps = Omit<ResultProps, 'goTo'>;

/** Where the robot takes nothing from here, the way on the robot is said instead. */
function Take({ name, check, body, stale, file, taking, onTaken }: TakeProps) {
  const [said, setSaid] = useState('');
  const [busy, setBusy] = useState(false);
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => {
      here.current = false;
    };
  }, []);
  const take = () => {
    setBusy(true);
    setSaid('');
    send('/v1/config/take', { ...body, seen: check.seen })
      .then(
        () => onTaken?.(),
        (error: Error) => here.current && setSaid(error.message),
      )
      .finally(() => {
        if (here.current) setBusy(false);
        void queries.invalidateQueries({ queryKey: ['/v1/config'] });
      });
  };
  if (!taking?.allowed)
    return (
      <p>
        This page changes nothing: {taking?.reason ?? 'the robot does not say whether it may'}. Or write it
        into <code>{file ?? '~/.config/auraison-edge.toml'}</code> on the robot, then run{' '}
        <code>auraison config check && auraison reload</code> there.
      </p>
    );
  return (
    <>
      <div className="row">
        <button
          type="button"
          id={`${name}-take`}
          disabled={busy || stale || taking.trial !== undefined}
          onClick={take}
        >
          Take it
        </button>
        <span className="soft">
          {taking.trial
            ? 'A configuration is on trial: keep it or put it back first.'
            : 'On trial for a minute: unless you keep it then, the former one comes back.'}
        </span>
      </div>
      <p role="status" className="bad">
        {said}
      </p>
    </>
  );
}

export const isBad = (state: CheckState<unknown>) =>
  state.at === 'failed' || (state.at === 'done' && !state.check.ok);

export function stateText(state: CheckState<unknown>): string {
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
