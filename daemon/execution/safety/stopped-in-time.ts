import { type Clock, EdgeError, NOT_CONFIRMED, withDeadline } from '../../../contract/core.ts';

/** Time for a safe stop, milliseconds. */
const SAFE_STOP_MS = 4_000;

/** A stop that does not answer in time was not confirmed: rejects with `robot.unreachable`, which says so. */
export async function stoppedInTime<T>(clock: Clock, stops: Promise<T>, operation: string): Promise<T> {
  try {
    return await withDeadline(clock, SAFE_STOP_MS, stops, operation, 'robot');
  } catch (thrown) {
    const late = thrown instanceof EdgeError && thrown.code === 'deadline.exceeded';
    throw late ? notConfirmed(operation, thrown) : thrown;
  }
}

export function notConfirmed(operation: string, cause?: EdgeError): EdgeError {
  return new EdgeError('robot.unreachable', { operation, subject: 'robot', message: NOT_CONFIRMED, cause });
}
