import { type KeyboardEvent, type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { useDark } from '../../lib/theme.ts';
import type { Channel } from '../link/sample.ts';
import { useEvery, useFrames, useSamples } from '../link/use-live.ts';
import { TF_TOPICS } from '../map/map-scene.ts';
import { FIRST, type Orbit, turned, zoomed } from './orbit.ts';
import { DESCRIPTION, SpaceBook } from './space-book.ts';
import { spaceLayersOf } from './space-layers.ts';
import type { SpaceDrawn, SpaceView } from './space-view.ts';
import { useDescription } from './use-description.ts';
import { usePointers } from './use-pointers.ts';

const ALWAYS: readonly string[] = ['sensor_msgs/msg/JointState', 'nav_msgs/msg/Odometry'];
const STEP = 0.12;
/** A robot moves slower than a screen draws. */
const FRAME_MS = 30;
const KEYS: Readonly<Record<string, (orbit: Orbit) => Orbit>> = {
  ArrowLeft: (orbit) => turned(orbit, -STEP, 0),
  ArrowRight: (orbit) => turned(orbit, STEP, 0),
  ArrowUp: (orbit) => turned(orbit, 0, STEP),
  ArrowDown: (orbit) => turned(orbit, 0, -STEP),
  '+': (orbit) => zoomed(orbit, 1.25),
  '-': (orbit) => zoomed(orbit, 0.8),
};
const NOTHING: SpaceDrawn = { lost: [], links: 0, drawn: 0, meshes: 0 };

type SpaceBoxProps = {
  readonly channels: ReadonlyMap<string, Channel>;
  readonly isOld: boolean;
  readonly orbit: Orbit;
  readonly onOrbit: (orbit: Orbit) => void;
  readonly note: ReactNode;
};

export function SpaceBox({ channels, isOld, orbit, onOrbit, note }: SpaceBoxProps) {
  const book = useMemo(() => new SpaceBook(), []);
  const dark = useDark();
  const canvas = useRef<HTMLCanvasElement>(null);
  const view = useRef<SpaceView>(undefined);
  const painted = useRef('');
  const drawnMs = useRef(0);
  const drawn = useRef(NOTHING);
  const [told, setTold] = useState(NOTHING);
  const [fault, setFault] = useState('');
  const [off, setOff] = useState<ReadonlySet<string>>(new Set());
  const [follows, setFollows] = useState(false);
  const layers = useMemo(() => spaceLayersOf(channels), [channels]);
  const shown = layers.filter(({ topic }) => !off.has(topic));
  const others = [...channels.values()].filter(({ schemaName }) => ALWAYS.includes(schemaName));
  const description = useDescription(book, channels, isOld);
  useSamples(
    [...TF_TOPICS, DESCRIPTION, ...others.map(({ topic }) => topic), ...shown.map(({ topic }) => topic)],
    (sample) => book.take(sample, layers),
  );
  useEffect(() => openView(canvas.current!, view, setFault), []);
  useFrames((nowMs) => {
    const element = canvas.current;
    if (!view.current || !element || nowMs - drawnMs.current < FRAME_MS) return;
    const { robot } = book;
    const aimed = follows && robot ? { ...orbit, target: robot.at } : orbit;
    const isRobot = !off.has(ROBOT);
    const parts = [book.version, aimed, dark, isRobot, shown, element.clientWidth, element.clientHeight];
    const state = JSON.stringify(parts);
    if (state === painted.current) return;
    painted.current = state;
    drawnMs.current = nowMs;
    drawn.current = view.current.draw(book, shown, aimed, { dark, robot: isRobot });
  });
  useEvery(1_000, () => setTold(drawn.current));
  const pointers = usePointers(canvas, orbit, onOrbit);
  const key = (event: KeyboardEvent) => {
    const change = KEYS[event.key];
    if (!change) return;
    onOrbit(change(orbit));
    event.preventDefault();
  };
  const turn = (name: string, on: boolean) => {
    const next = new Set(off);
    if (on) next.delete(name);
    else next.add(name);
    setOff(next);
  };
  const target = () => book.robot?.at ?? FIRST.target;
  return (
    <>
      <section className="wide" aria-labelledby="space-title">
        <h2 id="space-title" tabIndex={-1}>
          3D
        </h2>
        {note}
        <div className="bar" role="toolbar" aria-label="View in space">
          <button type="button" onClick={() => onOrbit({ ...FIRST, target: target() })}>
            From the side
          </button>
          <button type="button" onClick={() => onOrbit({ ...orbit, target: target(), elevation: 1.55 })}>
            From above
          </button>
          <button type="button" aria-pressed={follows} onClick={() => setFollows(!follows)}>
            Follow robot
          </button>
          <button type="button" aria-label="Zoom in" onClick={() => onOrbit(zoomed(orbit, 1.25))}>
            +
          </button>
          <button type="button" aria-label="Zoom out" onClick={() => onOrbit(zoomed(orbit, 0.8))}>
            −
          </button>
        </div>
        {/* biome-ignore-start lint/a11y: the arrow keys turn the view; a group with a drawing, not with fields. */}
        <div
          className="space-box"
          role="group"
          tabIndex={0}
          hidden={fault !== ''}
          aria-label="3D view: arrow keys turn it, + and − zoom"
          onKeyDown={key}
        >
          <canvas
            ref={canvas}
            className={isOld ? 'old' : ''}
            role="img"
            aria-label={summary(book, told)}
            {...pointers}
          />
        </div>
        {/* biome-ignore-end lint/a11y: the view ends here. */}
        {fault !== '' && (
          <p id="space-fault" className="bad" role="status">
            {fault} The <a href="#/map">map</a> shows the robot from above.
          </p>
        )}
        <p id="space-description" className="soft">
          {descriptionText(book, told, description)}
        </p>
        {told.lost.length > 0 && (
          <p className="bad">
            not drawn, no transform joins them to {book.fixedFrame}: {told.lost.join(', ')}
          </p>
        )}
        {fault === '' && (
          <p className="soft">Drag turns it, with Shift or two fingers it moves, the wheel zooms.</p>
        )}
      </section>
      <section aria-labelledby="space-layers-title">
        <h2 id="space-layers-title">Layers</h2>
        {[ROBOT, ...layers.map(({ topic }) => topic)].map((name) => (
          <label key={name} className="check">
            <input
              type="checkbox"
              checked={!off.has(name)}
              onChange={(event) => turn(name, event.target.checked)}
            />
            {name}
          </label>
        ))}
      </section>
    </>
  );
}

const ROBOT = 'robot';

/** Three.js is loaded with the first view. What it returns ends the view. */
function openView(
  canvas: HTMLCanvasElement,
  view: { current: SpaceView | undefined },
  setFault: (why: string) => void,
): () => void {
  let gone = false;
  import('./space-view.ts').then(
    ({ SpaceView: View }) => {
      if (gone) return;
      try {
        view.current = new View(canvas);
      } catch {
        setFault('This browser draws nothing in 3D: WebGL is not available or turned off.');
      }
    },
    () => setFault('The code of the 3D view could not be loaded: load the page again.'),
  );
  const lost = (event: Event) => {
    event.preventDefault();
    setFault('The graphics of this browser failed: load the page again.');
  };
  canvas.addEventListener('webglcontextlost', lost);
  return () => {
    gone = true;
    canvas.removeEventListener('webglcontextlost', lost);
    view.current?.dispose();
    view.current = undefined;
  };
}

function summary(book: SpaceBook, { links, drawn }: SpaceDrawn): string {
  const { robot, fixedFrame } = book;
  const where = robot
    ? `robot at ${robot.at.map((one) => one.toFixed(1)).join(', ')} metres`
    : links > 0
      ? `robot of ${links} links`
      : 'robot not located';
  return `3D view in frame ${fixedFrame} with ${drawn} layers, ${where}`;
}

function descriptionText(book: SpaceBook, { links, meshes }: SpaceDrawn, why: string): string {
  const { shape, shapeFault } = book;
  if (shapeFault !== '') return `The description of the robot cannot be read: ${shapeFault}`;
  if (!shape) return why;
  const { name, links: all } = shape.model;
  const isOne = meshes === 1;
  const rest =
    meshes === 0
      ? ''
      : ` ${meshes} ${isOne ? 'mesh is' : 'meshes are'} not drawn, only lines from joint to joint.`;
  return `${name || 'Robot'}: ${links} of ${all.length} links are placed.${rest}`;
}
