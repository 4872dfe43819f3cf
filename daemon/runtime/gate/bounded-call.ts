import { LIMITS, withDeadline } from '../../../contract/index.ts';
import { type RunningTime, withRunningDeadline } from './running-deadline.ts';

/** Waits for the work until the deadline of the call. After an abort the work gets a short grace time to settle. */
export async function boundedCall<R>(
  time: RunningTime,
  { tool, deadlineMs }: { readonly tool: string; readonly deadlineMs: number },
  work: Promise<R>,
  signal: AbortSignal,
): Promise<R> {
  return await new Promise<R>((resolve, reject) => {
    const onAbort = () => {
      withDeadline(time.clock, LIMITS.RUN_SETTLE_MS, work, 'call', tool).then(resolve, reject);
    };
    const forget = () => signal.removeEventListener('abort', onAbort);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
    withRunningDeadline(time, deadlineMs, work, 'call', tool).then(resolve, reject).finally(forget);
  });
}
