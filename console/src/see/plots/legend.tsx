import { useState } from 'react';
import { useEvery } from '../link/use-live.ts';
import type { Stage } from './chart.tsx';
import { colourOf, dashOf } from './colours.ts';
import type { PlotStore } from './plot-store.ts';
import { timeText } from './time-text.ts';

const REFRESH_MS = 200;
/** A signal that sends less often than this is said to be stale, milliseconds. */
const STALE_MS = 3_000;

type LegendProps = {
  readonly store: PlotStore;
  readonly stage: Stage;
  readonly signals: readonly string[];
  readonly offered: (topic: string) => boolean;
  readonly dark: boolean;
  readonly onRemove: (text: string) => void;
};

/** The signals of a chart with their values: those at the cursor, else the newest. */
export function Legend({ store, stage, signals, offered, dark, onRemove }: LegendProps) {
  const [, refresh] = useState(0);
  useEvery(REFRESH_MS, () => refresh((n) => n + 1));
  const { cursorS } = stage;
  if (signals.length === 0) return null;
  return (
    <table className="legend">
      <thead>
        <tr>
          <th scope="col">signal</th>
          <th scope="col">{cursorS === undefined ? 'newest' : `at ${timeText(cursorS, 2)}`}</th>
          <th scope="col">
            <span className="unseen">state</span>
          </th>
          <th scope="col">
            <span className="unseen">remove</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {signals.map((text, i) => {
          const [value, state] = shown(store, stage, text, offered);
          return (
            <tr key={text}>
              <th scope="row">
                <svg viewBox="0 0 24 4" aria-hidden="true" focusable="false">
                  <line
                    {...{ x1: 0, x2: 24, y1: 2, y2: 2, strokeWidth: 3 }}
                    stroke={colourOf(i, dark)}
                    strokeDasharray={dashOf(i).join(' ')}
                  />
                </svg>
                {text}
              </th>
              <td className={state === '' ? 'figure' : 'figure old'}>{value}</td>
              <td className="bad">{state}</td>
              <td>
                <button
                  type="button"
                  className="small"
                  aria-label={`Remove ${text}`}
                  onClick={() => onRemove(text)}
                >
                  ×
                </button>
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

const figure = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e9 ? String(value) : value.toPrecision(6);

/** Value and what is wrong with the signal. */
function shown(
  store: PlotStore,
  { cursorS, zoom }: Stage,
  text: string,
  offered: (topic: string) => boolean,
): [value: string, state: string] {
  const track = store.track(text);
  if (!track) return ['–', ''];
  const { series, signal, atMs, missing } = track;
  const point = cursorS === undefined ? series.newest : series.at(cursorS);
  const value = point === undefined ? '–' : Number.isFinite(point.value) ? figure(point.value) : 'no number';
  if (cursorS !== undefined || zoom !== undefined) return [value, ''];
  if (!offered(signal.topic)) return [value, 'the robot does not offer this topic'];
  if (missing) return [value, 'messages have no such number'];
  const silentMs = performance.now() - atMs;
  if (series.count === 0) return [value, 'no message yet'];
  return [value, silentMs > STALE_MS ? `no message for ${Math.round(silentMs / 1000)} s` : ''];
}
