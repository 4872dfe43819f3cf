/** What a person can do with a run: pause, resume, cancel, and fork it from an entry of its session. */
import { type FormEvent, useState } from 'react';
import { goTo } from '../lib/address.ts';
import { callFirst, refusalOf, send } from '../lib/api.ts';
import { clockTime } from '../lib/format.ts';
import { useMayNot } from '../lib/me.ts';
import { usePolled } from '../lib/polled.ts';

const STOP = { 'content-type': 'application/json' };
const REASON = JSON.stringify({ reason: 'in the console' });

export function RunActions(props: {
  path: string;
  status: string;
  over: boolean;
  done: () => Promise<unknown>;
}) {
  const { path, status, over, done } = props;
  const [note, setNote] = useState('');
  const [busy, setBusy] = useState(false);
  const mayNot = useMayNot();
  const act = async (words: string, work: () => Promise<string>) => {
    setBusy(true);
    const refused = await work();
    setBusy(false);
    setNote(refused === '' ? '' : `not ${words}: ${refused}`);
    await done();
  };
  /** They stop the robot first: nothing else keeps a connection from them. */
  const stops = async (word: 'pause' | 'cancel') => {
    const response = await callFirst(`${path}/${word}`, { headers: STOP, body: REASON }).catch(
      () => undefined,
    );
    if (response?.ok) return '';
    const body = (await response?.json().catch(() => undefined)) as { message?: string } | undefined;
    return body?.message ?? 'the daemon does not answer: use the emergency stop';
  };
  return (
    <>
      <p id="run-refused" role="alert" className="bad">
        {note}
      </p>
      {!over && (
        <p className="row">
          {status === 'paused' ? (
            // Also where a person took the robot over: it moves on its own from here on.
            <button
              id="run-resume"
              type="button"
              disabled={busy || mayNot !== ''}
              title={mayNot || undefined}
              onClick={() => void act('resumed', () => refusalOf(`${path}/resume`, {}))}
            >
              Resume this run
            </button>
          ) : (
            <button type="button" disabled={busy} onClick={() => void act('paused', () => stops('pause'))}>
              Pause this run
            </button>
          )}
          <button type="button" disabled={busy} onClick={() => void act('cancelled', () => stops('cancel'))}>
            Cancel this run
          </button>
        </p>
      )}
    </>
  );
}

type Entry = { readonly entry_id: string; readonly kind: string; readonly ts: string; readonly text: string };

/** A new run that continues from an entry. Runs without a session (flows) have none. */
export function ForkPanel({ path }: { path: string }) {
  const [open, setOpen] = useState(false);
  const { data, error } = usePolled<{ entries: readonly Entry[] }>(`${path}/session`, 5_000, {
    enabled: open,
  });
  const [entry, setEntry] = useState('');
  const [text, setText] = useState('');
  const [fault, setFault] = useState('');
  const entries = data?.entries ?? [];
  const fork = (event: FormEvent) => {
    event.preventDefault();
    const body = {
      entry_id: entry || entries.at(-1)!.entry_id,
      ...(text.trim() ? { text: text.trim() } : {}),
    };
    send<{ run_id: string }>(`${path}/fork`, body).then(
      ({ run_id }) => goTo(`#/runs/${run_id}`),
      (refusal: Error) => setFault(refusal.message),
    );
  };
  return (
    <details className="fork" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Continue from an earlier point, as a new run</summary>
      {error && <p className="bad">{error.message}</p>}
      {data && entries.length === 0 && <p>This run has no session to fork: only runs of agents do.</p>}
      {entries.length > 0 && (
        <form className="column" onSubmit={fork}>
          <label>
            From{' '}
            <select
              value={entry || entries.at(-1)!.entry_id}
              onChange={(event) => setEntry(event.target.value)}
            >
              {entries.map(({ entry_id, kind, ts, text: line }) => (
                <option key={entry_id} value={entry_id}>
                  {`${clockTime(ts)} ${kind} ${line}`.slice(0, 90)}
                </option>
              ))}
            </select>
          </label>
          <input
            type="text"
            aria-label="First words for the new run"
            placeholder="first words for the new run, or none"
            maxLength={8000}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <p>
            <button type="submit">Fork</button>
          </p>
        </form>
      )}
      <p role="alert" className="bad">
        {fault}
      </p>
    </details>
  );
}
