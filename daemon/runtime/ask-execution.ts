import { type CellBus, type Clock, EdgeError, withDeadline } from '../../contract/index.ts';

const TO = 'execution';
/** The bus keeps its own deadline; ours is a little later and holds even if the bus is deaf. */
const LATER_MS = 100;

export type ExecutionPort = { readonly bus: Pick<CellBus, 'request'>; readonly clock: Clock };

/** Asks the execution cell. Errors of the bus (`cell.unavailable`, `cell.restarted`, `deadline.exceeded`) pass through. */
export function askExecution<T>(
  { bus, clock }: ExecutionPort,
  method: string,
  body: unknown,
  timeoutMs: number,
): Promise<T> {
  const asked = bus.request<T>(TO, method, body, timeoutMs);
  return withDeadline(clock, timeoutMs + LATER_MS, asked, method, TO);
}

/** A motion whose request waited too long somewhere is asked for again so often: whoever asked still wants it. */
const TRIES_MAX = 3;

/** The same for a motion. The execution cell drops requests that come late: `command.expired` passes only after the last try. */
export async function askMotion<T>(
  port: ExecutionPort,
  method: string,
  body: unknown,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await askExecution<T>(port, method, body, timeoutMs);
    } catch (thrown) {
      const late = thrown instanceof EdgeError && thrown.code === 'command.expired';
      if (!late || tries >= TRIES_MAX || signal?.aborted) throw thrown;
    }
  }
}
