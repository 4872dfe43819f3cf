import { useMemo, useState } from 'react';
import type { Channel } from '../link/sample.ts';
import { useEvery, useSamples } from '../link/use-live.ts';
import { DIAGNOSIS_WORDS, DIAGNOSTICS_TYPE, DiagnosisBook } from './log-book.ts';

const REFRESH_MS = 1_000;
/** Diagnostics come each second by convention; after this time they are old, milliseconds. */
const STALE_MS = 10_000;

/** What each part of the robot said last about its health, the worst first. */
export function DiagnosticsPanel({ channels }: { channels: ReadonlyMap<string, Channel> }) {
  const book = useMemo(() => new DiagnosisBook(), []);
  const [, refresh] = useState(0);
  const topics = [...channels.values()]
    .filter(({ schemaName }) => schemaName === DIAGNOSTICS_TYPE)
    .map(({ topic }) => topic);
  useSamples(topics, (sample) => book.take(sample));
  useEvery(REFRESH_MS, () => refresh((n) => n + 1));
  const rows = book.all();
  if (topics.length === 0) return null;
  return (
    <section className="wide" aria-labelledby="diagnostics-title">
      <h2 id="diagnostics-title">Diagnostics</h2>
      {rows.length === 0 && <p className="soft">Nothing was reported yet.</p>}
      <ul className="diagnoses">
        {rows.map(({ name, level, message, hardware, values, atMs }) => {
          const silentS = Math.round((performance.now() - atMs) / 1000);
          const isOld = silentS * 1000 > STALE_MS;
          return (
            <li key={name} className={isOld ? 'old' : ''}>
              <details>
                <summary>
                  <span className={level === 0 ? 'ok' : level === 1 ? 'warn' : 'bad'}>
                    {DIAGNOSIS_WORDS[level] ?? level}
                  </span>{' '}
                  {name}: {message} {isOld && <span className="bad">not reported for {silentS} s</span>}
                </summary>
                <dl>
                  {[...(hardware ? [{ key: 'hardware', value: hardware }] : []), ...values].map(
                    ({ key, value }) => (
                      <div key={key}>
                        <dt>{key}</dt>
                        <dd>{value}</dd>
                      </div>
                    ),
                  )}
                </dl>
              </details>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
