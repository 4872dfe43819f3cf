import type { FastifyRequest } from 'fastify';
import { EdgeError, type PolicyContext, type Who } from '../../contract/index.ts';

const known = new WeakMap<object, Who>();
const GRANT = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;

/** The identity that the token gives; called once per request, before its handler. */
export function setCaller(request: FastifyRequest, who: Who): void {
  known.set(request.raw, who);
}

/** Whether the token is that of an operator. */
export function isOperator(request: FastifyRequest): boolean {
  return known.get(request.raw)?.roles.includes('operator') === true;
}

/** Whether the request showed a token; only routes that are open without one see others. */
export function isKnown(request: FastifyRequest): boolean {
  return known.has(request.raw);
}

/** The identity by the token alone. */
export function principalOf(request: FastifyRequest): string {
  const who = known.get(request.raw);
  if (!who) throw new EdgeError('api.unauthorised', { operation: 'authorise', subject: 'caller' });
  return who.principal;
}

/**
 * The caller of the API: by the token alone, never by the body, and so is the origin that policies see. The header
 * `x-auraison-grant` names the grant under which the caller acts; `x-auraison-origin` is a note for the log.
 */
export function callerOf(request: FastifyRequest): PolicyContext {
  const who = known.get(request.raw);
  // Throws if the caller was never determined, so that a forgotten check does not let a request in.
  if (!who) throw new EdgeError('api.unauthorised', { operation: 'authorise', subject: 'caller' });
  const { principal, tenant, roles } = who;
  const { 'x-auraison-grant': grant } = request.headers;
  if (grant !== undefined && (typeof grant !== 'string' || !GRANT.test(grant)))
    throw new EdgeError('schema.invalid', {
      operation: 'authorise',
      subject: 'x-auraison-grant',
      message: 'x-auraison-grant: the id of a grant expected',
    });
  return {
    tenant,
    principal,
    roles: [...roles],
    origin: 'api',
    ...(grant === undefined ? {} : { lease: grant }),
  };
}
