import { useMemo, useState } from 'react';
import { ScrollFrame } from '../../lib/scroll-frame.tsx';
import type { Channel } from '../link/sample.ts';
import { useEvery, useSamples } from '../link/use-live.ts';
import { timeText } from '../plots/time-text.ts';
import { LEVELS, LOG_TYPE, LogBook, wordOf } from './log-book.ts';

const REFRESH_MS = 500;
const LOOKS: Readonly<Record<string, string>> = { fatal: 'bad', error: 'bad', warn: 'warn', debug: 'soft' };

/** Lines of all logs that the robot offers: those of its nodes, and what agents and safety decided. */
export function LogPanel({ channels }: { channels: ReadonlyMap<string, Channel> }) {
  const book = useMemo(() => new LogBook(), []);
  const [least, setLeast] = useState(20);
  const [filter, setFilter] = useState('');
  const [, refresh] = useState(0);
  const topics = [...channels.values()]
    .filter(({ schemaName }) => schemaName === LOG_TYPE)
    .map(({ topic }) => topic);
  useSamples(topics, (sample) => book.take(sample));
  useEvery(REFRESH_MS, () => refresh((n) => n + 1));
  const lines = book.lines(least, filter);
  return (
    <section className="wide" aria-labelledby="log-title">
      <h2 id="log-title">Log</h2>
      <div className="bar">
        <label>
          at least{' '}
          <select value={least} onChange={(event) => setLeast(Number(event.target.value))}>
            {LEVELS.map(([level, word]) => (
              <option key={level} value={level}>
                {word}
              </option>
            ))}
          </select>
        </label>
        <input
          type="search"
          aria-label="Text in the log"
          placeholder="text or name"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
      </div>
      <ScrollFrame label="lines of the log, newest first" className="log">
        <table>
          <tbody>
            {lines.map(({ n, timeS, level, name, text }) => (
              <tr key={n}>
                <td className="figure">{timeText(timeS)}</td>
                <td className={LOOKS[wordOf(level)]}>{wordOf(level)}</td>
                <td>{name}</td>
                <td>{text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </ScrollFrame>
      {lines.length === 0 && (
        <p className="soft">No line since this page was opened{filter === '' ? '' : ' has this text'}.</p>
      )}
    </section>
  );
}
