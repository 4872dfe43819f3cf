import { METHODS, type StopRequest, type StopWarnings } from './cell-messages.ts';
import { withDeadline } from './deadline.ts';
import { LIMITS } from './limits.ts';
import type { CellBus } from './ports/cell.ts';
import type { Clock } from './ports/clock.ts';
import type { RuntimeApi } from './ports/runtime-api.ts';

type StopPorts = {
  readonly runtime: Pick<RuntimeApi, 'status' | 'cancel' | 'stops'>;
  readonly clock: Clock;
  readonly bus: Pick<CellBus, 'request'>;
};

/**
 * Stops the robot: it is stopped, and every run that could move it again is cancelled, waiting ones included. `by`: the
 * principal that asked, for the log. `keep`: a run that is not cancelled, since it gets the stop as a message. Rejects
 * where the stop was not confirmed; the runs are still cancelled.
 */
export async function stopRobot(
  { bus, runtime, clock }: StopPorts,
  reason: string,
  by?: string,
  keep?: string,
): Promise<StopWarnings> {
  runtime.stops.note();
  // A runtime that fails here does not keep the robot from being stopped.
  const ended = (async () => {
    // Waiting runs first, and all of them before anything is awaited: none may take the place of another.
    const waitingFirst = runtime
      .status()
      .runs.filter(({ run_id }) => run_id !== keep)
      .sort((a, b) => Number(b.status === 'queued') - Number(a.status === 'queued'));
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
