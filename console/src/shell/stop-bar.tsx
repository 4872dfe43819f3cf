/** Stop and emergency stop: on every page, never pale, and by keyboard too. */
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { callFirst } from '../lib/api.ts';
import { letGo } from '../lib/connections.ts';
import { robotStop } from '../lib/robot-stop.ts';
import { useStatus } from '../lib/status.ts';
import type { StopState } from '../lib/views.ts';

const CONSOLE = { 'content-type': 'application/json', 'x-auraison-origin': 'console' };
/** Escape twice within this time is the emergency stop, milliseconds. */
const TWICE_MS = 1000;

/** The body of a release names the press that was shown: it answers that one, and no newer one. */
async function order(release: boolean, press: string | undefined, reason: string): Promise<StopState> {
  const body = JSON.stringify({ reason, ...(release && press !== undefined ? { press } : {}) });
  const path = release ? '/v1/estop/release' : '/v1/estop';
  const response = await callFirst(path, { headers: CONSOLE, body }).catch(() => undefined);
  const answer = (await response?.json().catch(() => undefined)) as
    | (StopState & { message?: string })
    | undefined;
  if (response?.ok && answer) return answer;
  throw new Error(answer?.message ?? 'the daemon does not answer: use the button of the robot itself');
}

export function StopBar() {
  const { data, asOf } = useStatus();
  const [answered, setAnswered] = useState<{ state: StopState; asOfMs: number }>();
  const [fault, setFault] = useState('');
  const note = useSyncExternalStore(robotStop.watch, robotStop.note);
  const asOfMs = asOf?.getTime() ?? 0;
  const latest = useRef(asOfMs);
  latest.current = asOfMs;
  const reported = data?.robot.available ? data.robot.estop : undefined;
  // The answer to the press counts until the status is newer.
  const state = answered && answered.asOfMs >= asOfMs ? answered.state : reported;
  const engaged = state?.engaged === true;

  const give = useCallback(async (release: boolean, press: string | undefined, reason: string) => {
    try {
      const next = await order(release, press, reason);
      setFault(next.confirmed === false ? 'NOT CONFIRMED that the robot stands: look at it' : '');
      setAnswered({ state: next, asOfMs: latest.current });
    } catch (error) {
      setFault((error as Error).message);
    }
  }, []);
  useEscapeTwice(useCallback(() => void give(false, undefined, 'Escape twice in the console'), [give]));

  const press = () => {
    if (!engaged) return void give(false, undefined, 'button of the console');
    letGo();
    if (!confirm('Release the emergency stop? Nothing starts to move by it.')) return;
    void give(true, state?.press, 'button of the console');
  };
  const words = engaged
    ? `emergency stop by ${state.by} (${state.source})${state.reason === '' ? '' : `: ${state.reason}`}`
    : '';
  return (
    <div id="stops">
      <p id="stop-note" role="alert" className={note.look}>
        {note.text}
      </p>
      <p id="estop-note" role="alert" className={fault || engaged ? 'bad' : ''}>
        {fault || words}
      </p>
      <button id="stop" type="button" onClick={() => void robotStop.give()}>
        Stop robot
      </button>
      <button
        id="estop"
        type="button"
        className={engaged ? 'engaged' : ''}
        aria-describedby="estop-note"
        aria-keyshortcuts="Escape Escape"
        title={engaged ? '' : 'also: press Escape twice'}
        onClick={press}
      >
        {engaged ? 'Release emergency stop' : 'Emergency stop'}
      </button>
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
