/** Recordings on the time, the newest first, and one of them opened. */
import { bytes, count, duration } from '../lib/format.ts';
import { usePolled } from '../lib/polled.ts';
import { ScrollFrame } from '../lib/scroll-frame.tsx';
import type { PageProps } from '../pages.tsx';
import { bagHrefOf, bagViewOf, PANELS } from './bag-address.ts';
import { type Recording, readRecordings } from './bag-data.ts';
import { BagPage } from './bag-page.tsx';
import '../see/see.css';
import './remember.css';

const LOOK_MS = 5_000;

export default function RecordingsPage({ argument }: PageProps) {
  const view = bagViewOf(argument);
  return (
    <div className="page see" id="page-recordings">
      {view ? <BagPage key={view.bag} given={view} /> : <AllRecordings />}
    </div>
  );
}

/** The simulated robot starts at the same time again and again: a recording has a place on the time of its host too. */
function AllRecordings() {
  const { data, error, old } = usePolled('recordings', LOOK_MS, { ask: readRecordings });
  const all = data ?? [];
  const spans = all.map(({ sealedMs, startNs, endNs }) => {
    const lastsMs = Number(endNs - startNs) / 1e6;
    return { fromMs: sealedMs - lastsMs, toMs: sealedMs };
  });
  const fromMs = Math.min(...spans.map((span) => span.fromMs));
  const toMs = Math.max(...spans.map((span) => span.toMs));
  return (
    <section className="wide" aria-labelledby="recordings-title">
      <h2 id="recordings-title" tabIndex={-1}>
        Recordings
      </h2>
      <p role="status" className={error ? 'bad' : ''}>
        {error
          ? `not known: ${error.message}`
          : data && all.length === 0
            ? 'No sealed recording yet: a segment is sealed when it is full, and when the daemon stops.'
            : ''}
      </p>
      <ScrollFrame label="table of recordings" old={old} hidden={all.length === 0}>
        <table className="many recordings">
          <thead>
            <tr>
              {['recording', 'sealed', 'lasts', 'messages', 'size', 'what', 'when'].map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {all.map((one, i) => (
              <RecordingRow key={one.bag} {...{ one, span: spans[i]!, fromMs, toMs }} />
            ))}
          </tbody>
        </table>
      </ScrollFrame>
    </section>
  );
}

type RowProps = {
  readonly one: Recording;
  readonly span: { readonly fromMs: number; readonly toMs: number };
  readonly fromMs: number;
  readonly toMs: number;
};

function RecordingRow({ one, span, fromMs, toMs }: RowProps) {
  const { bag, messages, startNs, endNs, sealedMs, dropped, label, notes } = one;
  const view = { bag, timeS: undefined, rate: 1, panels: PANELS, signals: [] };
  const part = (ms: number) => (100 * (ms - fromMs)) / Math.max(1, toMs - fromMs);
  const marks = [label, notes > 0 ? `${notes} notes` : '', dropped > 0 ? `${count(dropped)} lost` : ''];
  return (
    <tr>
      <th scope="row">
        <a href={bagHrefOf({ ...view, cameras: undefined, part: undefined })}>{bag}</a>
      </th>
      <td className="figure">{new Date(sealedMs).toLocaleString()}</td>
      <td className="figure">{duration(Number(endNs - startNs) / 1e6)}</td>
      <td className="figure">{count(messages)}</td>
      <td className="figure">{bytes(one.bytes)}</td>
      <td>{marks.filter((text) => text !== '').join(', ')}</td>
      <td className="when">
        <svg className="span-bar" aria-hidden="true" focusable="false">
          <rect
            className="when-bar"
            x={`${part(span.fromMs)}%`}
            y="25%"
            width={`${Math.max(0.6, part(span.toMs) - part(span.fromMs))}%`}
            height="50%"
          />
        </svg>
      </td>
    </tr>
  );
}
