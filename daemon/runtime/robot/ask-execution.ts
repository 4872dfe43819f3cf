import {
  type CallAsk,
  type CallReply,
  type CallTo,
  type CellBus,
  type Clock,
  EdgeError,
  type ExecutionCall,
  type MotionCall,
  withDeadline,
} from '../../../contract/index.ts';
import { currentCall } from '../trace/trace-scope.ts';

const TO = 'execution';
/** The bus keeps its own deadline; this one is a little later and holds even if the bus never answers. */
const LATER_MS = 100;

export type ExecutionPort = { readonly bus: Pick<CellBus, 'request'>; readonly clock: Clock };

/** Asks the execution cell. Errors of the bus (`cell.unavailable`, `cell.restarted`, `deadline.exceeded`) pass through. */
export function askExecution<N extends ExecutionCall>(
  { bus, clock }: ExecutionPort,
  method: N,
  body: CallAsk<N>,
  timeoutMs: number,
  wantedAtMs?: number,
): Promise<CallReply<N>> {
  const asked = bus.request<N>(TO as CallTo<N>, method, body, timeoutMs, wantedAtMs);
  return withDeadline(clock, timeoutMs + LATER_MS, asked, method, TO);
}

/** How often a motion is asked for when its request came too late: the run still wants it. */
const TRIES_MAX = 3;

/** The same for a motion that is wanted since `wantedAtMs`: after a later stop it does not start (`robot.preempted`). The execution cell drops requests that come late: `command.expired` passes only after the last try. */
export async function askMotion<N extends MotionCall>(
  port: ExecutionPort,
  method: N,
  body: CallAsk<N>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  wantedAtMs: number,
): Promise<CallReply<N>> {
  for (let tries = 1; ; tries++) {
    try {
      return await askExecution(port, method, body, timeoutMs, wantedAtMs);
    } catch (thrown) {
      const late = thrown instanceof EdgeError && thrown.code === 'command.expired';
      if (!late || tries >= TRIES_MAX || signal?.aborted) throw thrown;
    }
  }
}

/**
 * Starts a motion of the run that is being worked for. While somebody of a higher rank has the robot the run is paused,
 * and the motion is asked for again when it continues: a refused motion has not moved anything.
 */
export async function whenFree<T>(
  clock: Pick<Clock, 'monotonicMs'>,
  start: (wantedAtMs: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  const { waitForRobot: wait, wantedAtMs } = currentCall() ?? {};
  let since = wantedAtMs ?? clock.monotonicMs();
  for (;;) {
    try {
      return await start(since);
    } catch (thrown) {
      if (!wait || signal?.aborted || !isHeld(thrown)) throw thrown;
      await wait(thrown, signal);
      // A person has let the run continue.
      since = clock.monotonicMs();
    }
  }
}

function isHeld(thrown: unknown): thrown is EdgeError {
  return thrown instanceof EdgeError && (thrown.code === 'lease.held' || thrown.code === 'lease.lost');
}
