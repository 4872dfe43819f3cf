import { type KeyboardEvent, useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { useFrames } from '../link/use-live.ts';
import { colourOf, dashOf } from './colours.ts';
import type { PlotStore } from './plot-store.ts';
import type { Series } from './series.ts';
import { axisTexts, timeText } from './time-text.ts';

export type Span = { readonly fromS: number; readonly toS: number };
/** What all charts of the page share. They change it without React, many times a second. */
export type Stage = {
  /** Undefined: the live window. */
  zoom: Span | undefined;
  /** What the charts show now. */
  span: Span | undefined;
  /** Where the cursor is, seconds; undefined: the newest values are shown. */
  cursorS: number | undefined;
  /** A person chose this time. Absent: the cursor of the charts moves, and nothing else. */
  pick?: (timeS: number) => void;
};

const HEIGHT = 220;
/** Parts of the time for which a chart draws lowest and highest value. */
const PARTS = 600;
type ChartProps = {
  readonly store: PlotStore;
  readonly stage: Stage;
  readonly signals: readonly string[];
  readonly dark: boolean;
  readonly name: string;
  readonly onZoom: (span: Span) => void;
};

/** One chart. Values come from the store, drawn at each frame in which they changed. */
export function Chart({ store, stage, signals, dark, name, onZoom }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot>(undefined);
  const drawn = useRef('');
  const zoom = useRef(onZoom);
  zoom.current = onZoom;
  const key = signals.join(' ');
  useEffect(() => {
    const element = box.current!;
    const made = makePlot(element, key === '' ? [] : key.split(' '), dark, stage, (span) =>
      zoom.current(span),
    );
    plot.current = made;
    drawn.current = '';
    const watch = new ResizeObserver(() => {
      made.setSize({ width: element.clientWidth, height: HEIGHT });
      drawn.current = '';
    });
    watch.observe(element);
    return () => {
      watch.disconnect();
      made.destroy();
    };
  }, [key, dark, stage]);
  useFrames(() => {
    const { span } = stage;
    if (!span || !plot.current) return;
    const tracks = signals.map((text) => store.track(text)?.series);
    const state = `${span.fromS} ${span.toS} ${tracks.map((one) => `${one?.newest?.timeS} ${one?.count}`).join()}`;
    if (state !== drawn.current) {
      drawn.current = state;
      draw(plot.current, span, tracks);
    }
    showCursor(plot.current, stage);
  });
  const move = (event: KeyboardEvent) => {
    const { span } = stage;
    const steps: Record<string, number> = { ArrowLeft: -0.01, ArrowRight: 0.01, PageDown: -0.1, PageUp: 0.1 };
    const step = steps[event.key];
    // Not Escape: twice it is the emergency stop.
    if (event.key === 'End') {
      event.preventDefault();
      stage.cursorS = undefined;
    }
    if (!span || step === undefined) return;
    event.preventDefault();
    const to = (stage.cursorS ?? span.toS) + step * (span.toS - span.fromS);
    stage.cursorS = Math.min(span.toS, Math.max(span.fromS, to));
    stage.pick?.(stage.cursorS);
  };
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move the cursor.
    // biome-ignore lint/a11y/useSemanticElements: a group of drawn lines, not of fields.
    <div className="chart" ref={box} role="group" tabIndex={0} aria-label={name} onKeyDown={move} />
  );
}

function makePlot(
  element: HTMLElement,
  signals: readonly string[],
  dark: boolean,
  stage: Stage,
  onZoom: (span: Span) => void,
): uPlot {
  const ink = dark ? '#9fa9b5' : '#55606c';
  const grid = { stroke: dark ? '#30373f' : '#d9dde3', width: 1 };
  const axis = { stroke: ink, grid, ticks: grid };
  const options: uPlot.Options = {
    width: element.clientWidth || 300,
    height: HEIGHT,
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false } },
    scales: { x: { time: false, auto: false } },
    axes: [
      {
        ...axis,
        values: (_plot, times) => times.map((time) => timeText(time, stepDigits(times))),
        space: 80,
      },
      { ...axis, values: (_plot, values) => axisTexts(values), size: 64 },
    ],
    series: [
      {},
      ...signals.map((label, i) => ({
        ...{ label, stroke: colourOf(i, dark), dash: dashOf(i), width: 1.5 },
        points: { show: false },
      })),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          if (width < 4) return;
          onZoom({ fromS: plot.posToVal(left, 'x'), toS: plot.posToVal(left + width, 'x') });
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
      setCursor: [
        (plot) => {
          const { left } = plot.cursor;
          if (!plot.over.matches(':hover')) return;
          stage.cursorS = left === undefined || left < 0 ? undefined : plot.posToVal(left, 'x');
        },
      ],
    },
  };
  const made = new uPlot(options, [[], ...signals.map(() => [])], element);
  made.over.addEventListener('mouseleave', () => {
    stage.cursorS = undefined;
  });
  made.over.addEventListener('click', (event) => stage.pick?.(made.posToVal(event.offsetX, 'x')));
  made.over.addEventListener(
    'wheel',
    (event) => {
      const { span } = stage;
      if (!span || !event.ctrlKey) return;
      event.preventDefault();
      onZoom(scaled(span, event.deltaY > 0 ? 1.25 : 0.8, made.posToVal(event.offsetX, 'x')));
    },
    { passive: false },
  );
  return made;
}

/** The span, larger or smaller around a time. */
export function scaled({ fromS, toS }: Span, by: number, aroundS = (fromS + toS) / 2): Span {
  const least = 0.01 / Math.max(0.01, toS - fromS);
  const scale = Math.max(by, least);
  return { fromS: aroundS - (aroundS - fromS) * scale, toS: aroundS + (toS - aroundS) * scale };
}

const stepDigits = (times: readonly number[]): number => {
  const step = (times[1] ?? 0) - (times[0] ?? 0);
  if (step <= 0 || Math.abs(step - Math.round(step)) < 1e-6) return 0;
  return step > 1 ? 1 : Math.min(3, Math.ceil(-Math.log10(step)));
};

function draw(plot: uPlot, { fromS, toS }: Span, tracks: readonly (Series | undefined)[]): void {
  const times = Array.from({ length: 2 * PARTS }, (_, i) => fromS + ((i + 0.5) / 2 / PARTS) * (toS - fromS));
  const shapes = tracks.map((series) => series?.shape(fromS, toS, PARTS) ?? new Array(2 * PARTS));
  plot.batch(() => {
    plot.setData([times, ...shapes], false);
    plot.setScale('x', { min: fromS, max: toS });
  });
}

/** The cursor of all charts stands at the same time. */
function showCursor(plot: uPlot, { cursorS }: Stage): void {
  if (plot.over.matches(':hover')) return;
  const left = cursorS === undefined ? -10 : plot.valToPos(cursorS, 'x');
  if (Math.abs((plot.cursor.left ?? -10) - left) > 0.5) plot.setCursor({ left, top: 0 }, false);
}
