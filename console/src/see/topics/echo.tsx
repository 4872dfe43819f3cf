import { useRef, useState } from 'react';
import { bytes } from '../../lib/format.ts';
import type { LiveSample } from '../link/sample.ts';
import { useEvery, useSamples } from '../link/use-live.ts';
import { timeText } from '../plots/time-text.ts';
import { Tree } from './tree.tsx';

/** A person reads no faster, milliseconds. */
const REFRESH_MS = 250;

/** The newest message of a topic, as a tree. */
export function Echo({ topic, isOffered }: { topic: string; isOffered: boolean }) {
  const newest = useRef<LiveSample>(undefined);
  const [shown, setShown] = useState<LiveSample>();
  const [paused, setPaused] = useState(false);
  useSamples([topic], (sample) => {
    newest.current = sample;
  });
  useEvery(REFRESH_MS, () => {
    if (!paused) setShown(newest.current);
  });
  const silentS = shown ? Math.round((performance.now() - shown.atMs) / 1000) : 0;
  const state = !isOffered
    ? 'The robot does not offer this topic now.'
    : shown === undefined
      ? 'No message yet.'
      : silentS > 3 && !paused
        ? `No message for ${silentS} s.`
        : '';
  return (
    <section className="wide" aria-labelledby="echo-title">
      <h2 id="echo-title">{topic}</h2>
      <div className="bar">
        <button type="button" aria-pressed={paused} onClick={() => setPaused(!paused)}>
          {paused ? 'Continue' : 'Hold'}
        </button>
        <a href="#/topics">close</a>
        {shown && (
          <span className="soft">
            {shown.channel.schemaName}, {timeText(shown.timeS, 3)}, {bytes(shown.bytes.length)}
          </span>
        )}
      </div>
      {state !== '' && <p className="bad">{state}</p>}
      {shown?.fault && <p className="bad">{shown.fault}</p>}
      {shown?.value && <Tree topic={topic} value={shown.value} />}
    </section>
  );
}
