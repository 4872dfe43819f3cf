/** Steering by hand: keyboard, gamepad and touch, under a lease, with a dead-man's hold. */
import { type PointerEvent, useEffect, useRef, useState } from 'react';
import { send } from '../lib/api.ts';
import { useMayNot } from '../lib/me.ts';
import { robotStop } from '../lib/robot-stop.ts';
import { useStatus } from '../lib/status.ts';
import { MapPanel } from '../live/map-panel.tsx';
import { Driver, type DriverState } from './driver.ts';
import { isDriveKey, stickOfGamepad, stickOfKeys, stickOfPad } from './hold.ts';

const ANSWER_MS = 1_000;
const QUICK = { answerMs: ANSWER_MS, priority: 'high' } as const;
const STATES: Readonly<Record<DriverState['at'], string>> = {
  idle: 'not steering',
  taking: 'taking the lease',
  ready: 'ready: nothing is held, the robot stands',
  moving: 'moving: release to stop',
  lost: 'stopped steering',
};

function makeDriver(changed: (state: DriverState) => void): Driver {
  return new Driver(
    {
      take: (ttl_ms) => send('/v1/lease', { ttl_ms, holder: 'console' }),
      renew: (lease_id) => send('/v1/lease/renew', { lease_id }, QUICK),
      // Also while the page goes away.
      giveBack: (lease_id) => send('/v1/lease/return', { lease_id }, { ...QUICK, keepalive: true }),
      command: (lease_id, twist) => send('/v1/teleop', { lease_id, twist }, { ...QUICK, keepalive: true }),
      every: (ms, work) => {
        const timer = setInterval(work, ms);
        return () => clearInterval(timer);
      },
      nowMs: () => performance.now(),
    },
    changed,
  );
}

export default function DrivePage() {
  const [state, setState] = useState<DriverState>({ at: 'idle', reason: '' });
  const [driver] = useState(() => makeDriver(setState));
  const [speed, setSpeed] = useState(0.2);
  const mayNot = useMayNot();
  const on = state.at === 'ready' || state.at === 'moving';
  driver.speed = speed;
  driver.turnSpeed = speed * 4;
  useAway(driver);
  useKeys(driver, on);
  const pad = useGamepad(driver, on);
  const { data } = useStatus();
  const robot = data?.robot.available ? data.robot : undefined;
  const holder = robot?.lease?.state === 'held' ? robot.lease.holder : undefined;
  const bad = state.at === 'lost';
  return (
    <div className="page" id="page-drive">
      <section aria-labelledby="drive-title" className="drive">
        <h2 id="drive-title" tabIndex={-1}>
          Steer by hand
        </h2>
        <p id="drive-state" role="status" className={bad ? 'bad' : on ? 'ok' : ''}>
          {state.reason ? `${STATES[state.at]}: ${state.reason}` : STATES[state.at]}
        </p>
        <p className="row">
          {on ? (
            <button type="button" onClick={() => driver.end()}>
              Give the lease back
            </button>
          ) : (
            <button
              type="button"
              className="allow"
              disabled={state.at === 'taking' || mayNot !== ''}
              onClick={() => void driver.start()}
            >
              Take the lease
            </button>
          )}
          {mayNot !== '' && <span className="why">{mayNot}</span>}
          {holder && !on && (
            <span className="why">{`${holder} has the lease; taking it stops the robot`}</span>
          )}
        </p>
        <label className="speed">
          {`Highest speed ${speed.toFixed(2)} m/s, ${(speed * 4).toFixed(1)} rad/s`}
          <input
            type="range"
            min={0.05}
            max={1}
            step={0.05}
            value={speed}
            onChange={(event) => setSpeed(Number(event.target.value))}
            // After the mouse the arrow keys steer again; by keyboard they set the speed.
            onPointerUp={(event) => event.currentTarget.blur()}
          />
        </label>
        <Pad driver={driver} on={on} />
        <ul className="why">
          <li>Keys: arrows or W A S D, as long as they are held. Space stops the robot.</li>
          <li>Touch or mouse: hold the pad, and move away from its middle.</li>
          <li>
            {pad
              ? `Gamepad ${pad}: hold L1 or R1, and steer with the left stick.`
              : window.isSecureContext
                ? 'Gamepad: press a button of it.'
                : 'Gamepad: browsers give it only to a page over https or on the robot itself.'}
          </li>
          <li>Whatever is released, a window that loses the focus, and a lost connection stop the robot.</li>
        </ul>
      </section>
      <MapPanel onlyDrawn />
    </div>
  );
}

/** Who does not look, or works in another window, steers nothing. */
function useAway(driver: Driver): void {
  useEffect(() => {
    const blur = () => driver.release();
    const hide = () => {
      if (document.hidden) driver.end('the page was hidden');
    };
    const leave = () => driver.end();
    window.addEventListener('blur', blur);
    document.addEventListener('visibilitychange', hide);
    window.addEventListener('pagehide', leave);
    return () => {
      window.removeEventListener('blur', blur);
      document.removeEventListener('visibilitychange', hide);
      window.removeEventListener('pagehide', leave);
      driver.end();
    };
  }, [driver]);
}

function useKeys(driver: Driver, on: boolean): void {
  useEffect(() => {
    if (!on) return;
    const held = new Set<string>();
    const clear = () => {
      held.clear();
      driver.hold('keys', undefined);
    };
    const down = (event: KeyboardEvent) => {
      const at = event.target;
      const types = at instanceof HTMLElement && at.matches('input:not([type=range]), textarea, select');
      // Systems keep the release of a key from the page while Meta is down.
      if (event.key === 'Meta') clear();
      if (types || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.code === 'Space' && !(at instanceof HTMLButtonElement)) {
        event.preventDefault();
        driver.release();
        clear();
        void robotStop.give();
      }
      if (!isDriveKey(event.code)) return;
      const slides = at instanceof HTMLInputElement && at.type === 'range';
      if (slides && event.code.startsWith('Arrow')) return;
      event.preventDefault();
      // A key that repeats after everything was released was not pressed again.
      if (event.repeat) return;
      held.add(event.code);
      driver.hold('keys', stickOfKeys(held));
    };
    const up = (event: KeyboardEvent) => {
      if (event.key === 'Meta') clear();
      if (held.delete(event.code)) driver.hold('keys', stickOfKeys(held));
    };
    window.addEventListener('keydown', down);
    window.addEventListener('keyup', up);
    window.addEventListener('blur', clear);
    return () => {
      window.removeEventListener('keydown', down);
      window.removeEventListener('keyup', up);
      window.removeEventListener('blur', clear);
      driver.hold('keys', undefined);
    };
  }, [driver, on]);
}

const PAD_MS = 50;

/** The name of the gamepad that steers; undefined: there is none. */
function useGamepad(driver: Driver, on: boolean): string | undefined {
  const [name, setName] = useState<string>();
  useEffect(() => {
    const timer = setInterval(() => {
      const pad = (navigator.getGamepads?.() ?? []).find((one) => one?.connected);
      setName(pad?.id);
      // What is held while another window has the focus has to be let go here first.
      if (!document.hasFocus()) driver.release();
      else if (on) driver.hold('gamepad', pad ? stickOfGamepad(pad) : undefined);
    }, PAD_MS);
    return () => {
      clearInterval(timer);
      driver.hold('gamepad', undefined);
    };
  }, [driver, on]);
  return name;
}

function Pad({ driver, on }: { driver: Driver; on: boolean }) {
  const dot = useRef<SVGCircleElement>(null);
  const move = (event: PointerEvent<SVGSVGElement>) => {
    const box = event.currentTarget.getBoundingClientRect();
    const part = (at: number, from: number, size: number) =>
      Math.max(-1, Math.min(1, ((at - from) / size) * 2 - 1));
    const [x, y] = [part(event.clientX, box.left, box.width), part(event.clientY, box.top, box.height)];
    dot.current?.setAttribute('cx', String(x * 80));
    dot.current?.setAttribute('cy', String(y * 80));
    driver.hold('pad', stickOfPad(x, y));
  };
  const release = () => {
    dot.current?.setAttribute('cx', '0');
    dot.current?.setAttribute('cy', '0');
    driver.hold('pad', undefined);
  };
  return (
    <svg
      id="drive-pad"
      className={on ? 'pad' : 'pad off'}
      viewBox="-100 -100 200 200"
      role="img"
      aria-label="pad to steer by touch or mouse"
      onPointerDown={(event) => {
        if (!on) return;
        driver.hold('pad', undefined);
        event.currentTarget.setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={(event) => {
        if (on && event.currentTarget.hasPointerCapture(event.pointerId)) move(event);
      }}
      onPointerUp={release}
      onPointerCancel={release}
      onLostPointerCapture={release}
      onContextMenu={(event) => event.preventDefault()}
    >
      <rect x={-98} y={-98} width={196} height={196} rx={16} />
      <path d="M0 -85 v170 M-85 0 h170" />
      <circle ref={dot} r={18} />
    </svg>
  );
}
