/** A part of the time: it is chosen, cut out as a recording of its own, and written about. */
import { type FormEvent, useState } from 'react';
import { call, send } from '../lib/api.ts';
import { useMayNot } from '../lib/me.ts';
import type { Mark } from './marks.ts';
import { nsOf, type Player, partNs } from './player.ts';
import { offsetText } from './time-words.ts';

const CUT_MS = 300_000;

type PartBarProps = {
  readonly player: Player;
  readonly bag: string;
  readonly part: readonly [number, number] | undefined;
  readonly onPart: (part: readonly [number, number] | undefined) => void;
  readonly onNote: () => void;
};

export function PartBar({ player, bag, part, onPart, onNote }: PartBarProps) {
  const [state, setState] = useState('');
  const [isBusy, setBusy] = useState(false);
  const mayNot = useMayNot();
  const [label, setLabel] = useState('');
  const [text, setText] = useState('');
  const start = () => onPart([player.timeS, Math.max(player.timeS, part?.[1] ?? player.endS)]);
  const end = () => onPart([Math.min(player.timeS, part?.[0] ?? player.startS), player.timeS]);
  const work = async (words: string, task: () => Promise<string>) => {
    setBusy(true);
    setState(words);
    setState(await task().catch((error: Error) => error.message));
    setBusy(false);
  };
  const note = (event: FormEvent) => {
    event.preventDefault();
    const [fromS, toS] = part ?? [player.timeS, player.timeS];
    void work('writing', async () => {
      const body = { start_ns: String(nsOf(fromS)), end_ns: String(nsOf(toS)), label, text };
      await send(`/v1/bags/${encodeURIComponent(bag)}/annotations`, body);
      // What was typed meanwhile stays.
      setLabel((now) => (now === label ? '' : now));
      setText((now) => (now === text ? '' : now));
      // The lakehouse reads the log a moment later.
      setTimeout(onNote, 300);
      setTimeout(onNote, 2_000);
      return 'written';
    });
  };
  return (
    <>
      <div className="bar" role="toolbar" aria-label="Part of the time">
        <button type="button" onClick={start}>
          Part from here
        </button>
        <button type="button" onClick={end}>
          Part to here
        </button>
        {part && (
          <>
            <span>{`${offsetText(part[0] - player.startS)} to ${offsetText(part[1] - player.startS)}`}</span>
            <button type="button" onClick={() => onPart(undefined)}>
              Whole
            </button>
          </>
        )}
        <button
          type="button"
          disabled={isBusy || mayNot !== ''}
          onClick={() => void work('cutting', () => exportPart(bag, partNs(player.span, part)))}
        >
          Export MCAP
        </button>
        <span role="status">{state}</span>
        {mayNot !== '' && <span className="why">{`Export and notes: ${mayNot}`}</span>}
      </div>
      <form className="bar" onSubmit={note}>
        <label>
          Label{' '}
          <input
            type="text"
            className="label"
            maxLength={64}
            value={label}
            onChange={(event) => setLabel(event.target.value)}
          />
        </label>
        <label className="grow">
          Note <span className="soft">{part ? 'about the part' : 'about this moment'}</span>{' '}
          <input
            type="text"
            maxLength={2048}
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <button type="submit" disabled={isBusy || mayNot !== '' || (label === '' && text === '')}>
          Write
        </button>
      </form>
    </>
  );
}

/** Cut by the robot, as `auraison bag cut` does, and saved by the browser. */
async function exportPart(bag: string, [fromNs, toNs]: readonly [bigint, bigint]): Promise<string> {
  const path = `/v1/bags/${encodeURIComponent(bag)}/cut`;
  const response = await call(path, {
    method: 'POST',
    answerMs: CUT_MS,
    headers: { 'content-type': 'application/json' },
    // The end of a cut is left out, the end of a part is in it.
    body: JSON.stringify({ start_ns: String(fromNs), end_ns: String(toNs + 1n) }),
  });
  if (!response.ok) {
    const { message = `${response.status}`, hint = '' } = (await response.json().catch(() => ({}))) as {
      message?: string;
      hint?: string;
    };
    throw new Error(hint === '' ? message : `${message} (${hint})`);
  }
  const blob = await response.blob();
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = `${bag}_cut.mcap`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  return `${(blob.size / 1e6).toFixed(1)} MB saved`;
}

/** Takes a note back. */
export async function removeNote(bag: string, { key, timeS, endS = timeS, text }: Mark): Promise<void> {
  await send(`/v1/bags/${encodeURIComponent(bag)}/annotations`, {
    ...{ annotation_id: key, removed: true, text: text.slice(0, 2048) },
    ...{ start_ns: String(nsOf(timeS)), end_ns: String(nsOf(endS)) },
  });
  // The lakehouse reads the log a moment later.
  await new Promise((resolve) => setTimeout(resolve, 500));
}
