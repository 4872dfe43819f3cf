import type { CallName } from './calls.ts';
import { EdgeError } from './edge-error.ts';
import { BODY_FITS } from './schema/bodies-fits.ts';
import { schemaFault } from './schema-fault.ts';

/**
 * Calls that end motion, or give back what others wait for: a lease, a run, a call of a model. Neither their question
 * nor their answer is refused for its shape: the cell that answers takes what it understands of them.
 */
export const NEVER_REFUSED: ReadonlySet<string> = new Set<CallName>([
  'robot.cancel',
  'robot.stop',
  'arm.stop',
  'controller.stop',
  'estop.engage',
  'bag.play_stop',
  'ros.goal_cancel',
  'lease.return',
  'run.cancel',
  'infer.plan_cancel',
  'infer.chat_cancel',
  'policy.cancel',
  'lake.read_close',
]);

/** The fields of such a body, as far as it has any. */
export function fieldsOf(body: unknown): Readonly<Record<string, unknown>> {
  return typeof body === 'object' && body !== null ? (body as Readonly<Record<string, unknown>>) : {};
}

/** A field of a body that is needed. Throws `schema.invalid`, which names it. */
export function neededText(operation: string, body: unknown, key: string): string {
  const found = fieldsOf(body)[key];
  if (typeof found === 'string' && found !== '') return found;
  throw new EdgeError('schema.invalid', {
    operation,
    subject: `/${key}`,
    message: `/${key}: expected text, found ${found === undefined ? 'nothing' : typeof found}`,
  });
}

/**
 * For a call that names its caller in `owner`, and may leave it out: throws `schema.invalid` where the body has a field
 * that the call does not have and no `owner`. It may be a misspelt one, so the call may be about what others hold.
 */
export function checkOwnerNamed(
  call: CallName,
  body: unknown,
  known: readonly string[],
  owner: string,
): void {
  const fields = fieldsOf(body);
  if (fields[owner] !== undefined) return;
  const other = Object.keys(fields).find((key) => !known.includes(key));
  if (other === undefined) return;
  throw new EdgeError('schema.invalid', {
    operation: call,
    subject: `/${other.slice(0, 64)}`,
    message: `/${other.slice(0, 64)}: unknown field, and ${owner} is missing`,
  });
}

export type BodySide = 'ask' | 'reply';

/** Whether the body of a call fits its schema, by generated code: the schema library is not loaded. */
export function bodyFits(call: string, side: BodySide, body: unknown): boolean {
  return !Object.hasOwn(BODY_FITS, call) || BODY_FITS[call as CallName][side](body);
}

/** The error for a body that does not fit, which names its key. Reads the schemas as data: a few milliseconds. */
export async function bodyRefusal(call: string, side: BodySide, body: unknown): Promise<EdgeError> {
  const { BODY_SCHEMAS } = await import('./schema/bodies-parts.ts');
  const fault = schemaFault(BODY_SCHEMAS[call as CallName][side], body) ?? '/: does not fit its schema';
  // A wrong answer is a fault of the daemon, not of the question.
  return new EdgeError(side === 'ask' ? 'schema.invalid' : 'internal.fault', {
    operation: call,
    subject: fault.slice(0, fault.indexOf(':')),
    message: `${side === 'ask' ? 'question' : 'answer'} ${call}: ${fault}`,
    hint: 'contract/bodies has the fields of each call',
  });
}
