/** A recording opened: one time for timeline, map, cameras, plots and what was decided. */
import { useEffect, useMemo, useRef, useState } from 'react';
import { bytes } from '../lib/format.ts';
import { camerasOf, firstOf } from '../see/cameras/camera-choice.ts';
import { CameraView } from '../see/cameras/camera-view.tsx';
import type { Channel } from '../see/link/sample.ts';
import { useShownAddress } from '../see/link/use-address.ts';
import { Samples, useEvery, useFrames } from '../see/link/use-live.ts';
import { layersOf } from '../see/map/layers.ts';
import { mapViewOf } from '../see/map/map-address.ts';
import { MapBox } from '../see/map/map-box.tsx';
import type { Span } from '../see/plots/chart.tsx';
import { type BagView, bagHrefOf, PANELS, type PanelName } from './bag-address.ts';
import { fetchRange, readMarks, readNotes, readSegments } from './bag-data.ts';
import { BagReader, spanOf } from './bag-reader.ts';
import type { Mark } from './marks.ts';
import { PartBar, removeNote } from './part-bar.tsx';
import { nsOf, Player, partNs } from './player.ts';
import { PlotsPanel } from './plots-panel.tsx';
import { StoryPanel } from './story-panel.tsx';
import { clockText, offsetText } from './time-words.ts';
import { Timeline } from './timeline.tsx';
import { Transport } from './transport.tsx';

type Opened = {
  readonly reader: BagReader;
  readonly player: Player;
  readonly channels: ReadonlyMap<string, Channel>;
};

export function BagPage({ given }: { given: BagView }) {
  const [opened, setOpened] = useState<Opened>();
  const [fault, setFault] = useState('');
  const [, refresh] = useState(0);
  const first = useRef(given).current;
  useEffect(() => {
    const gone = new AbortController();
    let player: Player | undefined;
    const open = async () => {
      const segments = await readSegments(first.bag, gone.signal);
      if (segments.length === 0)
        throw new Error('this robot has no sealed segment of it: it was removed, or is still being written');
      const reader = new BagReader(first.bag, segments, fetchRange);
      const { startNs, endNs } = spanOf(segments);
      player = new Player({ reader, startNs, endNs, changed: () => refresh((n) => n + 1) });
      player.rate = first.rate;
      player.timeS = Math.min(player.endS, Math.max(player.startS, first.timeS ?? player.startS));
      await reader.look(nsOf(player.timeS), gone.signal);
      if (!gone.signal.aborted) setOpened({ reader, player, channels: reader.channels });
    };
    open().catch((error: Error) => {
      if (!gone.signal.aborted) setFault(error.message);
    });
    return () => {
      gone.abort();
      player?.close();
    };
  }, [first]);
  return (
    <>
      <section className="wide" aria-labelledby="bag-title">
        <h2 id="bag-title" tabIndex={-1}>
          {first.bag}
        </h2>
        <p>
          <a href="#/recordings">all recordings</a>
        </p>
        <p role="status" className={fault ? 'bad' : ''}>
          {fault || (opened ? '' : 'reading the index')}
        </p>
      </section>
      {opened && <OpenBag {...opened} first={first} />}
    </>
  );
}

function OpenBag({ reader, player, channels: atFirst, first }: Opened & { readonly first: BagView }) {
  const [view, setView] = useState(first);
  const [span, setSpan] = useState<Span>({ fromS: player.startS, toS: player.endS });
  const [channels, setChannels] = useState(atFirst);
  const [refused, setRefused] = useState('');
  const [mapView, setMapView] = useState(() => mapViewOf(''));
  const { marks, notes, fault, readAgain } = useMarks(view.bag, player);
  const change = (next: Partial<BagView>) => setView({ ...view, ...next });
  useFrames((nowMs) => player.tick(nowMs));
  // Other segments may hold other topics.
  useEvery(500, () => setChannels(reader.channels));
  const { timeS, rate } = player;
  useShownAddress(bagHrefOf({ ...view, timeS, rate }));
  const all = useMemo(() => [...marks, ...notes].sort((a, b) => a.timeS - b.timeS), [marks, notes]);
  const images = camerasOf(channels);
  const cameras = (view.cameras ?? firstOf(channels)).filter((topic) => channels.has(topic));
  const hasMap = layersOf(channels).length > 0;
  const there: Readonly<Record<PanelName, boolean>> = {
    ...{ map: hasMap, cameras: images.length > 0, plots: true, story: true },
  };
  const isOn = (name: PanelName) => there[name] && view.panels.includes(name);
  const turn = (name: PanelName) =>
    change({ panels: PANELS.filter((one) => view.panels.includes(one) !== (one === name)) });
  return (
    <Samples value={player}>
      <section className="wide" aria-label="Time">
        <Facts {...{ reader, player }} />
        <Timeline {...{ player, span, marks: all, part: view.part }} />
        <Transport {...{ player, span, marks: all, onSpan: setSpan }} />
        <PartBar
          {...{ player, bag: view.bag, part: view.part, onNote: readAgain }}
          onPart={(part) => change({ part })}
        />
        <p role="status" className="bad">
          {refused}
        </p>
        <div className="bar" role="toolbar" aria-label="Panels">
          {PANELS.filter((name) => there[name]).map((name) => (
            <button key={name} type="button" aria-pressed={isOn(name)} onClick={() => turn(name)}>
              {name}
            </button>
          ))}
        </div>
      </section>
      {isOn('map') && (
        <MapBox {...{ channels, view: mapView, isOld: false, own: undefined, onView: setMapView }} />
      )}
      {isOn('cameras') && (
        <section className="wide bag-cameras" aria-label="Cameras">
          <div className="cameras">
            {cameras.map((topic) => (
              <CameraView key={topic} topic={topic} isLive />
            ))}
          </div>
          {images.length > 1 && (
            <div className="bar">
              {images.map((topic) => (
                <label key={topic}>
                  <input
                    type="checkbox"
                    checked={cameras.includes(topic)}
                    onChange={(event) =>
                      change({
                        cameras: event.target.checked
                          ? [...cameras, topic].slice(-4)
                          : cameras.filter((one) => one !== topic),
                      })
                    }
                  />{' '}
                  {topic}
                </label>
              ))}
            </div>
          )}
        </section>
      )}
      {isOn('story') && (
        <StoryPanel
          {...{ player, fault, marks: all }}
          onRemove={(note) => {
            setRefused('');
            removeNote(view.bag, note).then(readAgain, (error: Error) =>
              setRefused(`the note was not removed: ${error.message}`),
            );
          }}
        />
      )}
      {isOn('plots') && (
        <PlotsPanel
          {...{ player, reader, channels, span, signals: view.signals, onSpan: setSpan }}
          onSignals={(signals) => change({ signals })}
        />
      )}
    </Samples>
  );
}

/** Where the cursor is, and what cannot be read. */
function Facts({ reader, player }: Pick<Opened, 'reader' | 'player'>) {
  const [, refresh] = useState(0);
  useEvery(100, () => refresh((n) => n + 1));
  const { timeS, startS, endS, fault } = player;
  const faults = [...reader.faults].map(([file, why]) => `${file}: ${why}`);
  return (
    <>
      <p className="bag-time">
        <strong className="figure">{offsetText(timeS - startS)}</strong>{' '}
        <span className="soft">
          of {offsetText(endS - startS, 1)}, {clockText(timeS)}, {bytes(reader.fetched)} read
          {player.isBusy ? ', reading' : ''}
        </span>
      </p>
      {fault !== '' && <p className="bad">{fault}</p>}
      {faults.length > 0 && (
        <p className="bad">
          not read: {faults.join('; ')}
          {reader.damaged.size > 0 && (
            <>
              . <code>auraison bag convert</code> makes a damaged file whole.
            </>
          )}
        </p>
      )}
    </>
  );
}

function useMarks(bag: string, player: Player) {
  const [marks, setMarks] = useState<readonly Mark[]>([]);
  const [notes, setNotes] = useState<readonly Mark[]>([]);
  const [fault, setFault] = useState('');
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const gone = new AbortController();
    const failed = (what: string) => (error: Error) => {
      if (!gone.signal.aborted) setFault(`${what} are not known: ${error.message}`);
    };
    readMarks(bag, partNs(player.span, undefined), gone.signal).then((read) => {
      setMarks(read.marks);
      if (read.more) setFault('only the first 5000 decisions are shown');
    }, failed('decisions'));
    return () => gone.abort();
  }, [bag, player]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: read again after each change.
  useEffect(() => {
    const gone = new AbortController();
    readNotes(bag, gone.signal).then(setNotes, (error: Error) => {
      if (!gone.signal.aborted) setFault(`notes are not known: ${error.message}`);
    });
    return () => gone.abort();
  }, [bag, version]);
  return { marks, notes, fault, readAgain: () => setVersion((n) => n + 1) };
}
