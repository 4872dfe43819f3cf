import { type KeyboardEvent, useEffect } from 'react';
import type { Span } from '../see/plots/chart.tsx';
import { scaled } from '../see/plots/chart.tsx';
import { type Mark, markAt } from './marks.ts';
import { type Player, RATES } from './player.ts';

type TransportProps = {
  readonly player: Player;
  readonly span: Span;
  readonly marks: readonly Mark[];
  readonly onSpan: (span: Span) => void;
};

/** What has a use for Space of its own. */
const TAKES_SPACE = 'button, input, textarea, select, summary, a, [role=button]';

/** Play, rate, jumps to marks, and how much time the timeline shows. Space plays and pauses. */
export function Transport({ player, span, marks, onSpan }: TransportProps) {
  const { playing, rate, startS, endS } = player;
  const turn = () => (player.playing ? player.pause() : player.play());
  useEffect(() => {
    const key = (event: globalThis.KeyboardEvent | KeyboardEvent) => {
      const on = event.target as Element | null;
      const isSlider = on?.matches('input[type=range]') === true;
      if (event.key !== ' ' || (on?.matches(TAKES_SPACE) && !isSlider)) return;
      event.preventDefault();
      if (player.playing) player.pause();
      else player.play();
    };
    window.addEventListener('keydown', key);
    return () => window.removeEventListener('keydown', key);
  }, [player]);
  const jump = (by: 1 | -1) => {
    const at = markAt(marks, player.timeS + (by === 1 ? 0.001 : -0.002));
    const to = by === 1 ? marks[at + 1] : marks[at];
    if (to) player.seek(to.timeS);
  };
  const zoom = (by: number) => {
    const { fromS, toS } = scaled(span, by, player.timeS);
    onSpan({ fromS: Math.max(startS, fromS), toS: Math.min(endS, toS) });
  };
  return (
    <div className="bar" role="toolbar" aria-label="Playing">
      <button type="button" aria-pressed={playing} onClick={turn}>
        {playing ? 'Pause' : 'Play'}
      </button>
      <label>
        rate{' '}
        <select value={rate} onChange={(event) => player.setRate(Number(event.target.value))}>
          {RATES.map((one) => (
            <option key={one} value={one}>
              {one}×
            </option>
          ))}
        </select>
      </label>
      <button type="button" onClick={() => jump(-1)}>
        Previous mark
      </button>
      <button type="button" onClick={() => jump(1)}>
        Next mark
      </button>
      <button type="button" aria-label="Show less time" onClick={() => zoom(0.5)}>
        +
      </button>
      <button type="button" aria-label="Show more time" onClick={() => zoom(2)}>
        −
      </button>
      <button type="button" onClick={() => onSpan({ fromS: startS, toS: endS })}>
        All time
      </button>
    </div>
  );
}
