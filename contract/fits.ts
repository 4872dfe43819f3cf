import type { ErrorBody } from './errors.ts';
import type { EventKind } from './event-payloads.ts';
import { ERROR_BODY_FITS, PAYLOAD_FITS } from './schema/fits.ts';

/** The same verdicts as the schemas, from generated code: the schema library is not loaded. */

export function isEventKind(kind: unknown): kind is EventKind {
  return typeof kind === 'string' && Object.hasOwn(PAYLOAD_FITS, kind);
}

export function payloadFits(kind: EventKind, payload: unknown): boolean {
  return PAYLOAD_FITS[kind](payload);
}

/** Why a payload does not fit, `path: problem`. Loads the schemas, so call it only for a payload that does not fit. */
export async function explainPayload(kind: EventKind, payload: unknown): Promise<string> {
  const { payloadFault } = await import('./agent-event.ts');
  return payloadFault(kind, payload) ?? '/: does not fit its schema';
}

export function isErrorBody(value: unknown): value is ErrorBody {
  return ERROR_BODY_FITS(value);
}
