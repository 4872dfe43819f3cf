import { EdgeError } from '../../contract/index.ts';
import { STATUS } from './error-reply.ts';

/** The cell did not take the order, or it is not known whether it did. */
export const AWAY: ReadonlySet<string> = new Set([
  ...['cell.unavailable', 'cell.restarted', 'cell.overloaded', 'deadline.exceeded'],
]);

type Stopped = {
  readonly ok: true;
  readonly result?: { readonly confirmed?: false; readonly warnings?: readonly string[] };
};

/**
 * The answer to a stop. A cell that answers has given the order to stand: where it could not measure that the robot
 * stands, the answer says so and is no error, since nothing is unavailable and nothing was refused. Rejects where the
 * order may not have reached the cell, and with defects.
 */
export async function stopAnswer(
  stop: Promise<{ readonly warnings?: readonly string[] | undefined } | undefined>,
): Promise<Stopped> {
  try {
    const warnings = (await stop)?.warnings;
    return { ok: true, ...(warnings ? { result: { warnings } } : {}) };
  } catch (thrown) {
    return { ok: true, result: unconfirmed(thrown) };
  }
}

/** What an answer says of a stop that the cell gave and did not confirm. Throws again what is something else. */
export function unconfirmed(thrown: unknown): { readonly confirmed: false; readonly warnings: string[] } {
  const { code, message, hint } = EdgeError.from(thrown, 'internal.fault', 'stop', 'robot');
  if (STATUS[code] !== 503 || AWAY.has(code)) throw thrown;
  const warnings = [`it was not confirmed that the robot stands: ${message}`, hint];
  return { confirmed: false, warnings: warnings.filter((one) => one !== '') };
}
