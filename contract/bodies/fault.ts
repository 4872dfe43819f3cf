import type { TSchema } from 'typebox';
import type { CallName } from '../calls.ts';
import { type Checker, checker } from '../check.ts';
import { CALL_BODIES } from './index.ts';

const checkers = new Map<TSchema, Checker<unknown>>();

/** Why a body does not fit, `/path: problem`; undefined where it fits. */
export function bodyFault(call: CallName, side: 'ask' | 'reply', body: unknown): string | undefined {
  const schema: TSchema = CALL_BODIES[call][side];
  const fault = checkerOf(schema).fault(body);
  return fault === undefined ? undefined : (inUnion(schema, body) ?? fault);
}

/** A part that may be one of several: what is wrong with the one that the body names. */
function inUnion(schema: TSchema, body: unknown): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { properties = {} } = schema as { readonly properties?: Readonly<Record<string, TSchema>> };
  for (const [key, part] of Object.entries(properties)) {
    const value = (body as Readonly<Record<string, unknown>>)[key];
    const fault = value !== undefined && 'anyOf' in part ? checkerOf(part).fault(value) : undefined;
    if (fault !== undefined) return `/${key}${fault.startsWith('/:') ? fault.slice(1) : fault}`;
  }
  return undefined;
}

function checkerOf(schema: TSchema): Checker<unknown> {
  const found = checkers.get(schema) ?? checker(schema);
  checkers.set(schema, found);
  return found;
}
