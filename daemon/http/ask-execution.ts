import type { CallAsk, CallReply, CallTo, CellBus, ExecutionCall } from '../../contract/index.ts';

/** One question to the execution cell, typed by the map of calls. */
export function askExecution<N extends ExecutionCall>(
  bus: Pick<CellBus, 'request'>,
  method: N,
  body: CallAsk<N>,
  timeoutMs?: number,
  wantedAtMs?: number,
): Promise<CallReply<N>> {
  return bus.request<N>('execution' as CallTo<N>, method, body, timeoutMs, wantedAtMs);
}
