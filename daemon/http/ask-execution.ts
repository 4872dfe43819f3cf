import type { CallAsk, CallReply, CellBus, ExecutionCall, OpenCallName } from '../../contract/index.ts';

/** One question to the execution cell, typed by the map of calls. */
export function askExecution<N extends ExecutionCall>(
  bus: Pick<CellBus, 'request'>,
  method: N,
  body: CallAsk<N>,
  timeoutMs?: number,
): Promise<CallReply<N>>;
export function askExecution(
  bus: Pick<CellBus, 'request'>,
  method: OpenCallName,
  body: unknown,
  timeoutMs?: number,
): Promise<unknown> {
  return bus.request('execution', method, body, timeoutMs);
}
