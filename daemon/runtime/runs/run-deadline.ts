import { type Application, fromWireTime, type Nanoseconds, toMs } from '../../../contract/index.ts';
import type { RunView } from './run-view.ts';

/**
 * Wall time at which a run is over: what its application allows from its first start on, or the deadline of its
 * intent, whichever is earlier. Pauses, waits and cuts do not stop it. Where the clock was set back behind the start
 * the run has no more than a whole span left.
 */
export function deadlineOf(view: RunView, app: Application, now: Nanoseconds): Nanoseconds {
  const started = view.startedTs === undefined ? now : fromWireTime(view.startedTs);
  const allowed = (started < now ? started : now) + BigInt(Math.round(app.deadlineMs)) * 1_000_000n;
  const { deadline } = view.intent;
  if (deadline === undefined) return allowed;
  const asked = fromWireTime(deadline);
  return asked < allowed ? asked : allowed;
}

/** The longest delay a timer takes without wrapping around. */
const TIMER_MS_MAX = 2_147_483_647;

/** How long a timer for the deadline of a run has to be, milliseconds; 0 where it is over. */
export function msLeftOf(view: RunView, app: Application, now: Nanoseconds): number {
  return Math.min(Math.max(0, toMs(deadlineOf(view, app, now) - now)), TIMER_MS_MAX);
}
