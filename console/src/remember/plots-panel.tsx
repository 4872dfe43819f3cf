/** Plots of any fields of a recording; the cursor of the charts is the time of the player. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { useDark } from '../lib/theme.ts';
import type { Channel } from '../see/link/sample.ts';
import { useEvery, useFrames } from '../see/link/use-live.ts';
import { Chart, type Span, type Stage } from '../see/plots/chart.tsx';
import { FieldPicker } from '../see/plots/field-picker.tsx';
import { signalOf } from '../see/plots/fields.ts';
import { Legend } from '../see/plots/legend.tsx';
import { SIGNALS_MAX } from '../see/plots/plot-address.ts';
import { PlotStore } from '../see/plots/plot-store.ts';
import type { BagReader } from './bag-reader.ts';
import { nsAfter, nsOf, type Player } from './player.ts';
import { offsetText } from './time-words.ts';

/** One look reads no more of the robot than this; a person may ask for the rest. */
const READ_BYTES_MAX = 64 * 1024 * 1024;
/** Values of one signal that a chart holds. */
const VALUES_MAX = 65_000;
/** The page answers between as many messages. */
const MESSAGES_AT_ONCE = 400;
const REFRESH_MS = 250;

type Progress = { readonly toS: number; readonly end: 'reading' | 'whole' | 'enough' | 'full' | 'failed' };

type PlotsPanelProps = {
  readonly player: Player;
  readonly reader: BagReader;
  readonly channels: ReadonlyMap<string, Channel>;
  readonly signals: readonly string[];
  readonly span: Span;
  readonly onSignals: (signals: readonly string[]) => void;
  readonly onSpan: (span: Span) => void;
};

export function PlotsPanel({ player, reader, channels, signals, span, onSignals, onSpan }: PlotsPanelProps) {
  const dark = useDark();
  const key = signals.join(' ');
  const [more, setMore] = useState(1);
  const look = `${key} ${span.fromS} ${span.toS}`;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another look has values of its own.
  const store = useMemo(() => new PlotStore(), [look]);
  const progress = useRef<Progress>({ toS: span.fromS, end: 'whole' });
  const [shown, setShown] = useState<Progress>(progress.current);
  const stage = useRef<Stage>({ zoom: span, span, cursorS: undefined }).current;
  stage.zoom = span;
  stage.span = span;
  stage.pick = (timeS) => player.seek(timeS);
  store.show(signals);
  useEffect(() => {
    const gone = new AbortController();
    const texts = key === '' ? [] : key.split(' ');
    void fill(store, reader, texts, span, READ_BYTES_MAX * more, gone.signal, (now) => {
      progress.current = now;
    });
    return () => gone.abort();
  }, [store, reader, key, span, more]);
  useFrames(() => {
    if (!document.querySelector('.chart .u-over:hover')) stage.cursorS = player.timeS;
  });
  useEvery(REFRESH_MS, () => setShown(progress.current));
  const { toS, end } = shown;
  const upTo = offsetText(toS - player.startS, 0);
  return (
    <section className="wide" aria-labelledby="bag-plots-title">
      <h2 id="bag-plots-title">Plots</h2>
      <FieldPicker
        channels={channels}
        isFull={signals.length >= SIGNALS_MAX}
        onAdd={(text) => onSignals([...new Set([...signals, text])])}
      >
        {null}
      </FieldPicker>
      {signals.length > 0 && (
        <>
          <Chart
            {...{ store, stage, dark, signals, onZoom: onSpan }}
            name={`Plot of ${signals.join(', ')}. Arrow keys move the time.`}
          />
          <Legend
            {...{ store, stage, dark, signals }}
            offered={(topic) => channels.has(topic)}
            onRemove={(text) => onSignals(signals.filter((one) => one !== text))}
          />
          <p role="status">
            {end === 'reading' && `reading, up to ${upTo}`}
            {end === 'full' && `a chart holds ${VALUES_MAX} values: shown up to ${upTo}; choose less time`}
            {end === 'failed' && <span className="bad">a part of the recording could not be read</span>}
            {end === 'enough' && (
              <>
                {`${(READ_BYTES_MAX * more) / 1024 / 1024} MiB were read, up to ${upTo}. `}
                <button type="button" className="small" onClick={() => setMore(more + 1)}>
                  Read more
                </button>
              </>
            )}
          </p>
        </>
      )}
    </section>
  );
}

async function fill(
  store: PlotStore,
  reader: BagReader,
  signals: readonly string[],
  { fromS, toS }: Span,
  most: number,
  signal: AbortSignal,
  report: (progress: Progress) => void,
): Promise<void> {
  const topics = [...new Set(signals.flatMap((text) => signalOf(text)?.topic ?? []))];
  const before = reader.fetched;
  const counts = new Map<string, number>();
  let n = 0;
  try {
    for await (const sample of reader.messages(topics, nsOf(fromS), nsAfter(toS), signal)) {
      if (signal.aborted) return;
      store.take(sample);
      const { topic } = sample.channel;
      const count = (counts.get(topic) ?? 0) + 1;
      counts.set(topic, count);
      const end = count >= VALUES_MAX ? 'full' : reader.fetched - before > most ? 'enough' : 'reading';
      if (n % MESSAGES_AT_ONCE === 0 || end !== 'reading') report({ toS: sample.timeS, end });
      if (end !== 'reading') return;
      if (++n % MESSAGES_AT_ONCE === 0) await new Promise((resolve) => setTimeout(resolve, 0));
    }
    report({ toS, end: 'whole' });
  } catch {
    if (!signal.aborted) report({ toS: fromS, end: 'failed' });
  }
}
