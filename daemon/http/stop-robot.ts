import { LIMITS, METHODS, type StopRequest, type StopWarnings, withDeadline } from '../../contract/index.ts';
import type { HttpPorts } from './http-ports.ts';

type StopPorts = {
  readonly runtime: Pick<HttpPorts['runtime'], 'status' | 'cancel' | 'stops'>;
  readonly clock: HttpPorts['clock'];
  readonly bus: Pick<HttpPorts['bus'], 'request'>;
};

/**
 * Stops the robot: it is stopped, and every run that could move it again is cancelled,
 * waiting ones included. `by`: the principal that asked, for the log. Rejects where the stop was not confirmed; the
 * runs are still cancelled.
 */
export async function stopRobot(
  { bus, runtime, clock }: StopPorts,
  reason: string,
  by?: string,
): Promise<StopWarnings> {
  runtime.stops.note();
  // A runtime that fails here does not keep the robot from being stopped.
  const ended = (async () => {
    // Waiting runs first, and all of them before anything is awaited: none may take the place of another.
    const waitingFirst = [...runtime.status().runs].sort(
      (a, b) => Number(b.status === 'queued') - Number(a.status === 'queued'),
    );
    return await Promise.allSettled(waitingFirst.map(({ run_id }) => runtime.cancel(run_id, reason, by)));
  })();
  const order: StopRequest = { reason, ...(by === undefined ? {} : { by }) };
  const [stopped] = await Promise.allSettled([
    // Goals sent through the ROS API and plays of commands end by it too.
    bus.request('execution', METHODS.execution.robotStop, order),
    // A run that does not react can no longer move the robot: its calls are refused.
    withDeadline(clock, LIMITS.CELL_REQUEST_MS, ended, 'cancel', 'runs'),
  ]);
  if (stopped.status === 'rejected') throw stopped.reason;
  return stopped.value ?? {};
}
