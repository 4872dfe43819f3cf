import { type CellContext, EdgeError, isTakenOver, type MotionResult } from '../../contract/core.ts';

/** A stop on request is in the log. `by`: the principal that asked. Never throws: a stop does not fail on the log. */
export function noteStop(
  { emit, report }: Pick<CellContext, 'emit' | 'report'>,
  reason: string,
  by: string | undefined,
): void {
  const payload = { reason: reason.slice(0, 512), source: 'request', ...(by === undefined ? {} : { by }) };
  emit([{ kind: 'safety.stopped', payload }]).catch((thrown: unknown) => {
    const { message } = EdgeError.from(thrown, 'log.failed', 'log a stop', 'safety.stopped');
    report('error', 'a stop could not be logged', { reason, error: message });
  });
}

/** Of a motion that was cancelled or stopped. */
export function whyOf(
  { aborted, reason }: AbortSignal,
  by: string | undefined,
): { reason?: string; by?: string } {
  if (!aborted) return {};
  return { reason: String(reason).slice(0, 512), ...(by === undefined ? {} : { by }) };
}

/** The result of a motion that a takeover ended names the new holder. */
export function preempted(result: MotionResult, { reason }: AbortSignal): MotionResult {
  if (result.outcome !== 'stopped' || !isTakenOver(reason)) return result;
  return { ...result, outcome: 'preempted', message: reason };
}

/** The cell ends. */
export function closing(motionId: string): EdgeError {
  return new EdgeError('cell.unavailable', {
    ...{ operation: 'robot-motion', subject: motionId, message: 'the execution cell is shutting down' },
  });
}

/** The lease was lost before the motion started. */
export const lost = (motionId: string) =>
  new EdgeError('lease.lost', { operation: 'robot-motion', subject: motionId });
