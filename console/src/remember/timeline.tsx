/** The time of a recording with its marks: the cursor is moved with pointer or keys. */
import { type KeyboardEvent, useEffect, useRef } from 'react';
import { useFrames } from '../see/link/use-live.ts';
import type { Span } from '../see/plots/chart.tsx';
import { MARK_KINDS, type Mark } from './marks.ts';
import type { Player } from './player.ts';
import { offsetText } from './time-words.ts';

const LANE = 14;
const STEPS_S: Readonly<Record<string, number>> = {
  ...{ ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 },
  ...{ ',': -0.05, '.': 0.05 },
};

type TimelineProps = {
  readonly player: Player;
  readonly marks: readonly Mark[];
  readonly span: Span;
  readonly part: readonly [number, number] | undefined;
};

export function Timeline({ player, marks, span, part }: TimelineProps) {
  const slider = useRef<HTMLInputElement>(null);
  const line = useRef<SVGLineElement>(null);
  const { fromS, toS } = span;
  const place = (timeS: number) => (100 * (timeS - fromS)) / Math.max(1e-6, toS - fromS);
  const lanes = MARK_KINDS.filter((kind) => marks.some((mark) => mark.kind === kind));
  const height = Math.max(1, lanes.length) * LANE;
  useFrames(() => {
    const { timeS } = player;
    const at = `${Math.min(100, Math.max(0, place(timeS)))}%`;
    line.current?.setAttribute('x1', at);
    line.current?.setAttribute('x2', at);
    const input = slider.current;
    if (input && Math.abs(Number(input.value) - timeS) > (toS - fromS) / 4_000) {
      input.value = String(timeS);
      input.setAttribute('aria-valuetext', offsetText(timeS - player.startS));
    }
  });
  useEffect(() => {
    const input = slider.current;
    if (input) input.value = String(player.timeS);
  }, [player]);
  const key = (event: KeyboardEvent) => {
    const step = STEPS_S[event.key];
    const to = event.key === 'Home' ? player.startS : event.key === 'End' ? player.endS : undefined;
    if (to === undefined && step === undefined) return;
    event.preventDefault();
    player.seek(to ?? player.timeS + step!);
  };
  return (
    <div className="timeline">
      <ul className="lane-names" aria-hidden="true">
        {lanes.map((kind) => (
          <li key={kind}>{kind}</li>
        ))}
      </ul>
      <div className="lanes">
        <svg aria-hidden="true" focusable="false" style={{ height }}>
          {part && (
            <rect
              className="part"
              x={`${place(part[0])}%`}
              width={`${Math.max(0.2, place(part[1]) - place(part[0]))}%`}
              height="100%"
            />
          )}
          {marks.map((mark) => {
            const { key: id, kind, timeS, endS = timeS, text } = mark;
            if (endS < fromS || timeS > toS) return null;
            const [x, end] = [place(Math.max(fromS, timeS)), place(Math.min(toS, endS))];
            return (
              <rect
                key={id}
                className={`mark mark-${kind}`}
                x={`${x}%`}
                y={lanes.indexOf(kind) * LANE + 2}
                width={end - x < 0.3 ? 3 : `${end - x}%`}
                height={LANE - 4}
              >
                <title>{text}</title>
              </rect>
            );
          })}
          <line ref={line} className="cursor" y1="0" y2="100%" />
        </svg>
        <input
          ref={slider}
          type="range"
          min={fromS}
          max={toS}
          step="any"
          aria-label="Time of the recording"
          onKeyDown={key}
          onInput={(event) => player.seek(Number(event.currentTarget.value))}
        />
      </div>
    </div>
  );
}
