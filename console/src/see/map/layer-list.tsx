import { useContext, useState } from 'react';
import { Panel } from '../../lib/facts.tsx';
import { Samples, useEvery } from '../link/use-live.ts';
import type { Layer } from './layers.ts';
import type { MapScene } from './map-scene.ts';

const WORDS: Readonly<Record<Layer['kind'], string>> = {
  ...{ grid: 'map', zone: 'zones', scan: 'scan', path: 'path', goal: 'goal', outline: 'footprint' },
  robot: 'odometry',
};
/** Maps and goals stay true without being sent again; the others are of now or they are old, milliseconds. */
const STALE_MS = 3_000;
const LASTING: ReadonlySet<string> = new Set(['grid', 'zone', 'goal', 'path']);

type LayerListProps = {
  readonly scene: MapScene;
  readonly layers: readonly Layer[];
  readonly others: readonly string[];
  readonly isOn: (name: string) => boolean;
  readonly onTurn: (name: string, on: boolean) => void;
};

/** What the map can show, each with when it was last heard. */
export function LayerList({ scene, layers, others, isOn, onTurn }: LayerListProps) {
  const [, refresh] = useState(0);
  const { isRecorded } = useContext(Samples);
  useEvery(1_000, () => refresh((n) => n + 1));
  const rows = [
    ...layers.map(({ topic, kind }) => ({
      name: topic,
      word: WORDS[kind],
      state: stateOf(scene, topic, kind, isRecorded),
    })),
    ...others.map((name) => ({ name, word: '', state: '' })),
  ];
  return (
    <Panel title="Layers" className="layers">
      <ul>
        {rows.map(({ name, word, state }) => (
          <li key={name}>
            <label>
              <input
                type="checkbox"
                checked={isOn(name)}
                onChange={(event) => onTurn(name, event.target.checked)}
              />{' '}
              {name} <span className="soft">{word}</span>
            </label>
            {isOn(name) && (
              <span className={state.startsWith('no message for') ? 'bad' : 'soft'}> {state}</span>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function stateOf(scene: MapScene, topic: string, kind: Layer['kind'], isRecorded: boolean): string {
  const shown = scene.shown(topic);
  if (!shown) return isRecorded ? 'no message before' : 'no message yet';
  if (isRecorded) return '';
  const silentMs = performance.now() - shown.atMs;
  if (LASTING.has(kind) || silentMs < STALE_MS) return '';
  return `no message for ${Math.round(silentMs / 1000)} s`;
}
