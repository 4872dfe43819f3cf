/** A view of the plots as the address of the page has it, so that it can be linked: `#/plots/30/A,B/C`. Pure. */
import { signalOf } from './fields.ts';

export type PlotView = {
  /** Charts, one below the other; each has the addresses of its signals. */
  readonly charts: readonly (readonly string[])[];
  /** How much time is shown, seconds. */
  readonly windowS: number;
};

export const WINDOWS_S: readonly number[] = [5, 10, 30, 60, 300, 600];
export const SIGNALS_MAX = 32;
export const EMPTY: PlotView = { charts: [[]], windowS: 30 };

/** What is not valid is left out. */
export function viewOf(argument: string): PlotView {
  if (argument === '') return EMPTY;
  const [window = '', ...charts] = argument.split(';');
  let room = SIGNALS_MAX;
  const read = charts.map((text) => {
    const signals = [...new Set(text.split(','))].filter((one) => signalOf(one) !== undefined).slice(0, room);
    room -= signals.length;
    return signals;
  });
  const windowS = Number(window);
  return {
    charts: read.length === 0 ? EMPTY.charts : read,
    windowS: WINDOWS_S.includes(windowS) ? windowS : EMPTY.windowS,
  };
}

export function argumentOf({ charts, windowS }: PlotView): string {
  return [windowS, ...charts.map((signals) => signals.join(','))].join(';');
}

export const hrefOf = (view: PlotView): string => `#/plots/${argumentOf(view)}`;

/** The view with one more signal: in the chart, or in a new one. */
export function withSignal(view: PlotView, text: string, chart: number): PlotView {
  if (view.charts.flat().length >= SIGNALS_MAX) return view;
  const charts = view.charts.map((signals, i) =>
    i === chart && !signals.includes(text) ? [...signals, text] : signals,
  );
  return { ...view, charts: chart < view.charts.length ? charts : [...charts, [text]] };
}

/** Without the signal. A chart without signals goes, except the last. */
export function withoutSignal(view: PlotView, text: string, chart: number): PlotView {
  const charts = view.charts
    .map((signals, i) => (i === chart ? signals.filter((one) => one !== text) : signals))
    .filter((signals, i) => i !== chart || signals.length > 0);
  return { ...view, charts: charts.length === 0 ? EMPTY.charts : charts };
}
