/** Plots of any numbers in any topics, live. The address of the page holds what is shown, so that it can be linked. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { useDark } from '../../lib/theme.ts';
import type { PageProps } from '../../pages.tsx';
import { LinkNote } from '../link/link-note.tsx';
import { useShownAddress } from '../link/use-address.ts';
import { link, useFrames, useLink, useSamples } from '../link/use-live.ts';
import '../see.css';
import { Chart, type Span, type Stage, scaled } from './chart.tsx';
import { FieldPicker } from './field-picker.tsx';
import { Legend } from './legend.tsx';
import { hrefOf, SIGNALS_MAX, viewOf, WINDOWS_S, withoutSignal, withSignal } from './plot-address.ts';
import { PlotStore } from './plot-store.ts';

const keyOf = (index: number) => `chart ${index}`;

export default function PlotsPage({ argument }: PageProps) {
  const [view, setView] = useState(() => viewOf(argument));
  const [zoom, setZoom] = useState<Span>();
  const [target, setTarget] = useState(0);
  const store = useMemo(() => new PlotStore(), []);
  const stage = useRef<Stage>({ zoom: undefined, span: undefined, cursorS: undefined }).current;
  const live = useLink();
  const dark = useDark();
  useEffect(() => setView(viewOf(argument)), [argument]);
  const signals = view.charts.flat();
  store.show(signals);
  useSamples(store.topics(), (sample) => store.take(sample));
  useEffect(() => {
    if (live.state !== 'live') store.cut();
  }, [live.state, store]);
  stage.zoom = zoom;
  useFrames(() => {
    const end = store.end();
    stage.span = stage.zoom ?? (end === undefined ? undefined : { fromS: end - view.windowS, toS: end });
  });
  useShownAddress(hrefOf(view));
  const zoomBy = (by: number) => stage.span && setZoom(scaled(stage.span, by));
  const moveBy = (by: number) => {
    if (!stage.span) return;
    const { fromS, toS } = stage.span;
    const step = by * (toS - fromS);
    setZoom({ fromS: fromS + step, toS: toS + step });
  };
  const chart = Math.min(target, view.charts.length);
  return (
    <div className="page see" id="page-plots">
      <section className="wide" aria-labelledby="plots-title">
        <h2 id="plots-title" tabIndex={-1}>
          Plots
        </h2>
        <LinkNote view={live} />
        <div className="bar" role="toolbar" aria-label="Time of the plots">
          <button
            type="button"
            aria-pressed={zoom !== undefined}
            onClick={() => setZoom(zoom ? undefined : stage.span)}
          >
            {zoom ? 'Live' : 'Pause'}
          </button>
          <label>
            window{' '}
            <select
              value={view.windowS}
              onChange={(event) => {
                setZoom(undefined);
                setView({ ...view, windowS: Number(event.target.value) });
              }}
            >
              {WINDOWS_S.map((seconds) => (
                <option key={seconds} value={seconds}>
                  {seconds < 60 ? `${seconds} s` : `${seconds / 60} min`}
                </option>
              ))}
            </select>
          </label>
          <button type="button" aria-label="Earlier" onClick={() => moveBy(-0.5)}>
            ←
          </button>
          <button type="button" aria-label="Later" onClick={() => moveBy(0.5)}>
            →
          </button>
          <button type="button" aria-label="Zoom in" onClick={() => zoomBy(0.5)}>
            +
          </button>
          <button type="button" aria-label="Zoom out" onClick={() => zoomBy(2)}>
            −
          </button>
          {zoom && <span role="status">paused</span>}
        </div>
        <FieldPicker
          channels={live.channels}
          isFull={signals.length >= SIGNALS_MAX}
          onAdd={(text) => setView(withSignal(view, text, chart))}
        >
          <label>
            into{' '}
            <select value={chart} onChange={(event) => setTarget(Number(event.target.value))}>
              {[...view.charts.keys(), view.charts.length].map((i) => (
                <option key={i} value={i}>
                  {i < view.charts.length ? `chart ${i + 1}` : 'a new chart'}
                </option>
              ))}
            </select>
          </label>
        </FieldPicker>
      </section>
      {view.charts.map((texts, i) => (
        <section className="wide" key={keyOf(i)} aria-label={`Chart ${i + 1}`}>
          <Chart
            {...{ store, stage, dark, onZoom: setZoom }}
            signals={texts}
            name={`Chart ${i + 1}: ${texts.join(', ') || 'no signals'}. Arrow keys move the cursor.`}
          />
          <Legend
            {...{ store, stage, dark }}
            signals={texts}
            offered={(topic) => link.view.channels.has(topic)}
            onRemove={(text) => setView(withoutSignal(view, text, i))}
          />
          {texts.length === 0 && <p>Choose a field above: every number of every topic can be drawn.</p>}
        </section>
      ))}
    </div>
  );
}
