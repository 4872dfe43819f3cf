import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Clock, LIMITS } from '../../contract/index.ts';
import { Type } from '../../contract/schema-kit.ts';
import type { Connections } from './connections.ts';
import { readBody } from './read-body.ts';

/** The content of a stop request. */
export type StopOrder = {
  /** The reason, one line for people; may be empty. */
  readonly reason: string;
  /** Faults of the request. The stop is still carried out. */
  readonly warnings: readonly string[];
  /** The fields of the body, if it is a JSON object: for ids, never for a refusal. */
  readonly fields: Readonly<Record<string, unknown>>;
  /** Part of the body is still to come: the connection ends with the answer. */
  readonly unread: boolean;
};

/** Field names of a warning. */
const NAMES_MAX = 5;
const NAME_CHARS_MAX = 32;

/**
 * Reads the body of a stop request in any form: too long, not JSON, of another type, truncated, or
 * empty. Never rejects, and waits no longer than `STOP_BODY_MS`: a stop does not fail on its reason, nor wait for it.
 */
export async function readStopOrder(request: IncomingMessage, clock: Clock): Promise<StopOrder> {
  const { bytes, end } = await readBody(request, clock, LIMITS.STOP_BODY_BYTES_MAX, () => true);
  const unread = UNREAD[end];
  const { reason, warnings, fields } = understood(new TextDecoder().decode(bytes));
  const line = reason.replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ').trim();
  const most = LIMITS.STOP_REASON_CHARS_MAX;
  return {
    reason: line.slice(0, most).toWellFormed(),
    warnings: [
      ...(unread === '' ? [] : [unread]),
      ...warnings,
      ...(line.length > most ? [`/reason: cut to ${most} characters`] : []),
    ],
    fields,
    unread: unread !== '',
  };
}

const UNREAD = {
  whole: '',
  longer: `the body is longer than ${LIMITS.STOP_BODY_BYTES_MAX} bytes: the rest was not read`,
  broken: 'the body broke off',
  late: 'the body did not come in time',
} as const;

/** What stops of runs and motions keep of a reason. */
const REASON_CHARS = 256;

const orders = new WeakMap<object, StopOrder>();

/** For the document only: any body is accepted, or none. */
export const StopBody = Type.Unknown({
  description: `{"reason": text} for the log, of which ${REASON_CHARS} characters are kept. No body refuses the stop: what is not understood is ignored`,
});

/** Reads the body of a request that stops, in any form, before anything looks at its type or its fields. */
export async function takeStopBody(
  request: FastifyRequest,
  reply: FastifyReply,
  clock: Clock,
  connections: Pick<Connections, 'linger'>,
): Promise<void> {
  const order = await readStopOrder(request.raw, clock);
  orders.set(request.raw, order);
  endUnread(request, reply, order.unread, connections);
}

/** The body was read: nothing else looks for it, nor at what its headers say of it. What is `unread` ends the connection. */
export function endUnread(
  request: FastifyRequest,
  reply: FastifyReply,
  unread: boolean,
  connections: Pick<Connections, 'linger'>,
): void {
  for (const name of ['content-type', 'content-length', 'transfer-encoding'])
    delete request.raw.headers[name];
  if (!unread) return;
  connections.linger(request.raw);
  void reply.header('connection', 'close');
}

/** What a request that stops says; the reason is never empty. */
export function stopOrderOf(request: FastifyRequest): Pick<StopOrder, 'reason' | 'fields'> {
  const order = orders.get(request.raw);
  const reason = order?.reason.slice(0, REASON_CHARS).toWellFormed();
  return { reason: reason || 'asked for through the API', fields: order?.fields ?? {} };
}

/** A fault in the body never cancels the stop. */
function understood(text: string): ReturnType<typeof understand> {
  try {
    return understand(text);
  } catch {
    return { reason: '', warnings: ['/: it could not be understood; the reason is left out'], fields: {} };
  }
}

type Understood = Pick<StopOrder, 'fields' | 'reason'> & { readonly warnings: string[] };

function understand(text: string): Understood {
  if (text.trim() === '') return { reason: '', warnings: [], fields: {} };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { reason: text, warnings: ['/: not JSON; it is taken for the reason as it is'], fields: {} };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return {
      reason: typeof value === 'string' ? value : text,
      warnings: ['/: a JSON object expected; it is taken for the reason as it is'],
      fields: {},
    };
  const { reason, ...others } = value as Record<string, unknown>;
  const names = Object.keys(others).map((name) => JSON.stringify(name.slice(0, NAME_CHARS_MAX)));
  const warnings: string[] = [];
  if (names.length > 0)
    warnings.push(
      `fields that mean nothing here: ${names.slice(0, NAMES_MAX).join(', ')}${names.length > NAMES_MAX ? ', …' : ''}`,
    );
  if (reason === undefined || typeof reason === 'string')
    return { reason: reason ?? '', warnings, fields: others };
  // Not as JSON: writing a value that is nested deeply overflows the stack.
  return { reason: '', warnings: [...warnings, '/reason: text expected; it is left out'], fields: others };
}
