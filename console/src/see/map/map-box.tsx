/** A map with its layers: of the robot as it is now, or of a time of a recording. */
import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useDark } from '../../lib/theme.ts';
import type { GridMap, Pose } from '../../lib/views.ts';
import { decodeCells } from '../../live/map-draw.ts';
import type { Channel } from '../link/sample.ts';
import { useEvery, useFrames, useSamples, useSeek } from '../link/use-live.ts';
import { LayerList } from './layer-list.tsx';
import { isShownFirst, layersOf } from './layers.ts';
import { clampScale, type MapView } from './map-address.ts';
import { type Camera, paint } from './map-paint.ts';
import { MapScene, TF_TOPICS } from './map-scene.ts';

const OWN_MAP = 'own map';
const TRAIL = 'history';
/** Pixels. */
const STEPS: Readonly<Record<string, readonly [x: number, y: number]>> = {
  ...{ ArrowLeft: [-60, 0], ArrowRight: [60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] },
};

type MapBoxProps = {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly view: MapView;
  readonly isOld: boolean;
  /** The map that the robot made itself, where no topic has one. */
  readonly own: { readonly map: GridMap; readonly pose: Pose | null | undefined } | undefined;
  readonly onView: (view: MapView) => void;
  /** Above the map. */
  readonly children?: ReactNode;
};

export function MapBox({ channels, view, isOld, own, onView, children }: MapBoxProps) {
  const scene = useMemo(() => new MapScene(), []);
  const dark = useDark();
  const canvas = useRef<HTMLCanvasElement>(null);
  const camera = useRef<Camera>({ x: 0, y: 0, scale: view.scale });
  const [lost, setLost] = useState('');
  const lostNow = useRef('');
  const painted = useRef('');
  const all = useMemo(() => layersOf(channels), [channels]);
  const isOn = (name: string, first: boolean) => view.turned.get(name) ?? first;
  const shown = all.filter((layer) => isOn(layer.topic, isShownFirst(layer)));
  const hasGrid = all.some(({ kind }) => kind === 'grid');
  const { map, pose } = own ?? {};
  useEffect(() => {
    if (map) {
      scene.ownMap = { ...map, cells: decodeCells(map.cells) };
      scene.version += 1;
    }
    if (map && pose) scene.takeOwnPose(pose);
  }, [map, pose, scene]);
  useSeek(() => scene.clear());
  useSamples([...TF_TOPICS, ...shown.map(({ topic }) => topic)], (sample) => scene.take(sample, all));
  useFrames(() => {
    const element = canvas.current;
    if (!element) return;
    fillBox(element);
    camera.current = aim(view, scene, element);
    const look = { dark, trail: isOn(TRAIL, true), ownMap: !hasGrid && isOn(OWN_MAP, true) };
    const parts = [scene.version, camera.current, look, shown, element.width, element.height];
    const state = JSON.stringify(parts);
    if (state === painted.current) return;
    painted.current = state;
    lostNow.current = paint(element, scene, shown, camera.current, look).join(', ');
  });
  useEvery(1_000, () => setLost(lostNow.current));
  const change = (next: Partial<MapView>) => {
    onView({ ...view, ...next });
  };
  const zoom = (by: number) => {
    const { x, y, scale } = camera.current;
    change({ scale: clampScale(scale * by), ...(view.follows ? {} : { centre: [x, y] }) });
  };
  const move = (dx: number, dy: number) => {
    const { x, y, scale } = camera.current;
    const centre = [x + dx / scale, y + dy / scale] as const;
    camera.current = { x: centre[0], y: centre[1], scale };
    change({ centre, scale, follows: false });
  };
  const drag = useDrag(move);
  const key = (event: KeyboardEvent) => {
    const [dx, dy] = STEPS[event.key] ?? [0, 0];
    const by = { '+': 1.25, '-': 0.8 }[event.key];
    if (by !== undefined) zoom(by);
    else if (dx !== 0 || dy !== 0) move(dx, dy);
    else return;
    event.preventDefault();
  };
  return (
    <>
      <section className="wide map-section" aria-labelledby="map-page-title">
        <h2 id="map-page-title" tabIndex={-1}>
          Map
        </h2>
        {children}
        <div className="bar" role="toolbar" aria-label="View of the map">
          <button type="button" onClick={() => change({ centre: undefined, follows: false })}>
            Show all
          </button>
          <button
            type="button"
            aria-pressed={view.follows}
            onClick={() => change({ follows: !view.follows, centre: undefined, scale: camera.current.scale })}
          >
            Follow robot
          </button>
          <button type="button" aria-label="Zoom in" onClick={() => zoom(1.25)}>
            +
          </button>
          <button type="button" aria-label="Zoom out" onClick={() => zoom(0.8)}>
            −
          </button>
        </div>
        {/* biome-ignore-start lint/a11y: the arrow keys move the map; a group with a drawing, not with fields. */}
        <div
          className="map-box"
          role="group"
          tabIndex={0}
          aria-label="Map: arrow keys move, + and − zoom"
          onKeyDown={key}
        >
          <canvas
            ref={canvas}
            className={isOld ? 'old' : ''}
            role="img"
            aria-label={summary(scene, shown.length)}
            {...drag}
          />
        </div>
        {/* biome-ignore-end lint/a11y: the map ends here. */}
        {lost !== '' && (
          <p className="bad">
            not drawn, no transform joins them to {scene.fixedFrame}: {lost}
          </p>
        )}
        {!isOld && all.length === 0 && !own && <p>No topic has anything that a map shows.</p>}
      </section>
      <LayerList
        {...{ scene, layers: all }}
        others={[...(own ? [OWN_MAP] : []), TRAIL]}
        isOn={(name) => {
          const layer = all.find(({ topic }) => topic === name);
          return isOn(name, layer ? isShownFirst(layer) : true);
        }}
        onTurn={(name, on) => change({ turned: new Map(view.turned).set(name, on) })}
      />
    </>
  );
}

const summary = (scene: MapScene, layers: number): string => {
  const { robot, fixedFrame } = scene;
  const where = robot
    ? `robot at x ${robot.x.toFixed(1)}, y ${robot.y.toFixed(1)} metres`
    : 'robot not located';
  return `map in frame ${fixedFrame} with ${layers} layers, ${where}`;
};

/** The canvas has as many pixels as the screen has for it. */
function fillBox(canvas: HTMLCanvasElement): void {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((one) =>
    Math.round(one * devicePixelRatio),
  );
  if (canvas.width !== width) canvas.width = width!;
  if (canvas.height !== height) canvas.height = height!;
}

/** Where the window looks: at a place, at the robot, or at all there is. */
function aim({ centre, scale, follows }: MapView, scene: MapScene, canvas: HTMLCanvasElement): Camera {
  const { robot } = scene;
  if (follows && robot) return { x: robot.x, y: robot.y, scale };
  if (centre) return { x: centre[0], y: centre[1], scale };
  const box = scene.bounds();
  if (!box) return { x: robot?.x ?? 0, y: robot?.y ?? 0, scale };
  const [width, height] = [Math.max(1, box.right - box.left), Math.max(1, box.top - box.bottom)];
  const best = 0.95 * Math.min(canvas.clientWidth / width, canvas.clientHeight / height);
  return { x: (box.left + box.right) / 2, y: (box.bottom + box.top) / 2, scale: clampScale(best) };
}

function useDrag(move: (dx: number, dy: number) => void) {
  const last = useRef<readonly [number, number]>(undefined);
  return {
    onPointerDown: (event: PointerEvent) => {
      event.currentTarget.setPointerCapture(event.pointerId);
      last.current = [event.clientX, event.clientY];
    },
    onPointerMove: (event: PointerEvent) => {
      if (!last.current) return;
      const [x, y] = last.current;
      last.current = [event.clientX, event.clientY];
      move(x - event.clientX, event.clientY - y);
    },
    onPointerUp: () => {
      last.current = undefined;
    },
  };
}
