/** All topics with their rates, one of them as a tree, diagnostics and the log. `#/topics/TOPIC` shows a message. */
import { useMemo, useState } from 'react';
import { bytes, number } from '../../lib/format.ts';
import { ScrollFrame } from '../../lib/scroll-frame.tsx';
import type { PageProps } from '../../pages.tsx';
import { LinkNote } from '../link/link-note.tsx';
import { useEvery, useLink, useSamples } from '../link/use-live.ts';
import '../see.css';
import { DiagnosticsPanel } from './diagnostics-panel.tsx';
import { Echo } from './echo.tsx';
import { LogPanel } from './log-panel.tsx';
import { isLarge, TopicBook } from './topic-book.ts';

const REFRESH_MS = 1_000;
const ROWS_MAX = 500;
const STALE_MS = 3_000;

export default function TopicsPage({ argument }: PageProps) {
  const live = useLink();
  const book = useMemo(() => new TopicBook(), []);
  const [filter, setFilter] = useState('');
  const [counts, setCounts] = useState(false);
  const [, refresh] = useState(0);
  const wanted = filter.toLowerCase();
  const found = [...live.channels.values()]
    .filter(({ topic, schemaName }) => `${topic} ${schemaName}`.toLowerCase().includes(wanted))
    .sort((a, b) => (a.topic < b.topic ? -1 : 1));
  const shown = found.slice(0, ROWS_MAX);
  const measured = shown.filter((channel) => counts || !isLarge(channel)).map(({ topic }) => topic);
  useSamples(measured, (sample) => book.take(sample));
  useEvery(REFRESH_MS, () => {
    if (live.state === 'live') book.look(measured, performance.now());
    refresh((n) => n + 1);
  });
  const nowMs = performance.now();
  const topic = argument === '' ? undefined : `/${argument.replace(/^\/+/, '')}`;
  return (
    <div className="page see" id="page-topics">
      <section className="wide" aria-labelledby="topics-title">
        <h2 id="topics-title" tabIndex={-1}>
          Topics
        </h2>
        <LinkNote view={live} />
        <div className="bar">
          <input
            type="search"
            aria-label="Topic or type"
            placeholder="topic or type"
            value={filter}
            onChange={(event) => setFilter(event.target.value)}
          />
          <label>
            <input type="checkbox" checked={counts} onChange={(event) => setCounts(event.target.checked)} />{' '}
            measure images and clouds too
          </label>
        </div>
        <ScrollFrame label="table of topics" className="topics">
          <table className={live.state === 'live' ? 'many' : 'many old'}>
            <thead>
              <tr>
                <th scope="col">topic</th>
                <th scope="col">rate</th>
                <th scope="col">bytes</th>
                <th scope="col">last message</th>
                <th scope="col">type</th>
              </tr>
            </thead>
            <tbody>
              {shown.map((channel) => {
                const { type, rate, bytes: size, silentMs } = book.row(channel, nowMs);
                return (
                  <tr key={channel.topic}>
                    <th scope="row">
                      <a
                        href={`#/topics${encodeURI(channel.topic)}`}
                        aria-current={channel.topic === topic ? 'true' : undefined}
                      >
                        {channel.topic}
                      </a>
                    </th>
                    <td className="figure">
                      {rate === undefined ? '–' : `${number(rate, rate < 10 ? 1 : 0)} Hz`}
                    </td>
                    <td className="figure">{size === undefined ? '–' : `${bytes(size)}/s`}</td>
                    <td className="figure">{ageText(silentMs, measured.includes(channel.topic))}</td>
                    <td>{type}</td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </ScrollFrame>
        <p className="soft">
          {found.length > ROWS_MAX
            ? `${ROWS_MAX} of ${found.length} topics are shown and measured: filter to see others`
            : `${found.length} of ${live.channels.size} topics`}
        </p>
      </section>
      {topic !== undefined && <Echo key={topic} topic={topic} isOffered={live.channels.has(topic)} />}
      <DiagnosticsPanel channels={live.channels} />
      <LogPanel channels={live.channels} />
    </div>
  );
}

function ageText(silentMs: number | undefined, isMeasured: boolean): string {
  if (!isMeasured) return 'not measured';
  if (silentMs === undefined) return 'none yet';
  return silentMs < STALE_MS ? 'now' : `${Math.round(silentMs / 1000)} s ago`;
}
