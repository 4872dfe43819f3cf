import type { CallName } from './calls.ts';
import { EdgeError } from './edge-error.ts';
import { BODY_FITS } from './schema/bodies-fits.ts';

/**
 * Calls that end motion. Neither their question nor their answer is refused for its shape: the cell that answers takes
 * what it understands of them.
 */
export const NEVER_REFUSED: ReadonlySet<string> = new Set<CallName>([
  'robot.cancel',
  'robot.stop',
  'arm.stop',
  'controller.stop',
  'estop.engage',
]);

export type BodySide = 'ask' | 'reply';

/** Whether the body of a call fits its schema, by generated code: the schema library is not loaded. */
export function bodyFits(call: string, side: BodySide, body: unknown): boolean {
  return !Object.hasOwn(BODY_FITS, call) || BODY_FITS[call as CallName][side](body);
}

/** The error for a body that does not fit, which names its key. Loads the schemas. */
export async function bodyRefusal(call: string, side: BodySide, body: unknown): Promise<EdgeError> {
  const { bodyFault } = await import('./bodies/fault.ts');
  const fault = bodyFault(call as CallName, side, body) ?? '/: does not fit its schema';
  // A wrong answer is a fault of ours, and no fault of what was asked.
  return new EdgeError(side === 'ask' ? 'schema.invalid' : 'internal.fault', {
    operation: call,
    subject: fault.slice(0, fault.indexOf(':')),
    message: `${side === 'ask' ? 'question' : 'answer'} ${call}: ${fault}`,
    hint: 'contract/bodies has the fields of each call',
  });
}
