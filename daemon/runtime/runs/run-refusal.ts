import {
  type Application,
  EdgeError,
  fromWireTime,
  LIMITS,
  type Nanoseconds,
} from '../../../contract/index.ts';
import type { RunView } from './run-view.ts';

/** Why a run may not start or continue; undefined: it may. Pure. */
export function refusalOf(view: RunView, app: Application, now: Nanoseconds): EdgeError | undefined {
  const resumed = view.startedTs !== undefined;
  const subject = view.state.run_id;
  const interrupted = (message: string) =>
    new EdgeError('run.interrupted', { operation: 'resume', subject, message });
  if (resumed && app.afterCut === 'fail')
    return interrupted('a restart cut it off and its application does not resume');
  if (view.idleAttempts >= LIMITS.RUN_IDLE_ATTEMPTS_MAX)
    return interrupted(`${view.idleAttempts} attempts in a row ended before they did anything`);
  if (resumed && view.state.attempt >= LIMITS.RUN_ATTEMPTS_MAX)
    return interrupted(`it was interrupted ${view.state.attempt} times`);
  if (view.intent.deadline === undefined || fromWireTime(view.intent.deadline) > now) return undefined;
  const message = `the deadline ${view.intent.deadline} passed before the run ${resumed ? 'continued' : 'started'}`;
  return new EdgeError('intent.expired', { operation: 'start', subject, message });
}
