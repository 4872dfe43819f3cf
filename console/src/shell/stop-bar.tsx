/** Stop and emergency stop: on every page, never pale, and by keyboard too. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { letGo } from '../lib/connections.ts';
import { robotStop } from '../lib/robot-stop.ts';
import { useStatus } from '../lib/status.ts';
import { giveStop } from '../lib/stops.ts';
import type { StopState } from '../lib/views.ts';

const CONSOLE = { 'content-type': 'application/json', 'x-auraison-origin': 'console' };
/** Escape twice within this time is the emergency stop, milliseconds. */
const TWICE_MS = 1000;

/** How long a stop is repeated while the API does not answer, milliseconds. */
const ESTOP_REPEAT_MS = 15_000;
/** How long the answer to a press counts without a newer status: this token may not see the status. */
const ANSWERED_MS = 5_000;

/** The body of a release names the press that was shown: it answers that one, and no newer one. It is never repeated. */
async function order(
  release: boolean,
  press: string | undefined,
  reason: string,
  again: () => boolean,
): Promise<StopState> {
  const body = JSON.stringify({ reason, ...(release && press !== undefined ? { press } : {}) });
  const path = release ? '/v1/estop/release' : '/v1/estop';
  const repeatMs = release ? 0 : ESTOP_REPEAT_MS;
  const { ok, body: answer } = await giveStop(path, { headers: CONSOLE, body, repeatMs, again });
  if (ok && answer) return answer as StopState;
  throw new Error((answer as { message?: string } | undefined)?.message ?? 'the daemon does not answer');
}

export function StopBar() {
  const { data, asOf, askedMs, error } = useStatus();
  const [answered, setAnswered] = useState<{ state: StopState; atMs: number }>();
  const [fault, setFault] = useState('');
  const note = useSyncExternalStore(robotStop.watch, robotStop.note);
  const asOfMs = asOf?.getTime() ?? 0;
  const reported = data?.robot.available ? data.robot.estop : undefined;
  // The answer to the press counts until there is a status that was asked for after it.
  const state = answered && answered.atMs >= askedMs ? answered.state : reported;
  const engaged = state?.engaged === true;
  // While the status is refused, what is shown is of before, and a stop must not become a release.
  const known = state !== reported || error === undefined || Date.now() - asOfMs < ANSWERED_MS;
  const releases = engaged && known;

  useEffect(() => {
    if (answered === undefined) return;
    const timer = setTimeout(() => setAnswered(undefined), ANSWERED_MS);
    return () => clearTimeout(timer);
  }, [answered]);

  const turn = useRef(0);
  const give = useCallback(async (release: boolean, press: string | undefined, reason: string) => {
    const mine = ++turn.current;
    const again = () => {
      if (turn.current === mine) setFault('NOT STOPPED yet: the daemon does not answer; trying again');
      return turn.current === mine;
    };
    try {
      const next = await order(release, press, reason, again);
      setFault(next.confirmed === false ? 'NOT CONFIRMED that the robot stands: look at it' : '');
      setAnswered({ state: next, atMs: Date.now() });
    } catch (error) {
      if (turn.current !== mine) return;
      const why = (error as Error).message;
      setFault(release ? `not released: ${why}` : `NOT STOPPED: ${why}: use the button of the robot itself`);
    }
  }, []);
  useEscapeTwice(useCallback(() => void give(false, undefined, 'Escape twice in the console'), [give]));

  const press = () => {
    if (!releases) return void give(false, undefined, 'button of the console');
    letGo();
    if (!confirm('Release the emergency stop? Nothing starts to move by it.')) return;
    void give(true, state?.press, 'button of the console');
  };
  const words = engaged
    ? `emergency stop by ${state.by} (${state.source})${state.reason === '' ? '' : `: ${state.reason}`}`
    : '';
  return (
    <div id="stops">
      <button
        id="estop"
        type="button"
        className={releases ? 'engaged' : ''}
        aria-describedby="estop-note"
        aria-keyshortcuts="Escape Escape"
        title={releases ? '' : 'also: press Escape twice'}
        onClick={press}
      >
        {releases ? 'Release emergency stop' : 'Emergency stop'}
      </button>
      <button id="stop" type="button" onClick={() => void robotStop.give()}>
        Stop robot
      </button>
      <p id="stop-note" role="alert" className={note.look}>
        {note.text}
      </p>
      <p id="estop-note" role="alert" className={fault || engaged ? 'bad' : ''}>
        {fault || words}
      </p>
    </div>
  );
}

/** Anywhere on the page, also while a person types. */
function useEscapeTwice(act: () => void): void {
  useEffect(() => {
    let before = Number.NEGATIVE_INFINITY;
    const pressed = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || event.repeat) return;
      const now = performance.now();
      if (now - before > TWICE_MS) {
        before = now;
        return;
      }
      before = Number.NEGATIVE_INFINITY;
      act();
    };
    window.addEventListener('keydown', pressed, { capture: true });
    return () => window.removeEventListener('keydown', pressed, { capture: true });
  }, [act]);
}
