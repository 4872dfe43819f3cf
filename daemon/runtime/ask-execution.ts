import { type CellBus, type Clock, withDeadline } from '../../contract/index.ts';

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
