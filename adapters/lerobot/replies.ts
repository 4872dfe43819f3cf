import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { EdgeError, type ErrorCode, type PolicyDesk } from '../../contract/core.ts';
import { cardBody } from '../../formats/policy-wire/remote-card.ts';
import type { WireKeysFile } from '../../formats/policy-wire/wire-keys.ts';
import { META } from './transport.ts';

/** What our servers say beside LeRobot's messages, and how errors look in gRPC. */

/**
 * By our code. Stock clients repeat a call automatically on UNAVAILABLE and DEADLINE_EXCEEDED: only what may pass
 * within seconds has these.
 */
const STATUS: Partial<Readonly<Record<ErrorCode, status>>> = {
  'wire.refused': status.INVALID_ARGUMENT,
  'model.bad_observation': status.INVALID_ARGUMENT,
  'model.not_found': status.NOT_FOUND,
  'model.unavailable': status.FAILED_PRECONDITION,
  'model.failed': status.INTERNAL,
  'deadline.exceeded': status.DEADLINE_EXCEEDED,
  'cell.overloaded': status.RESOURCE_EXHAUSTED,
  'cell.unavailable': status.UNAVAILABLE,
  'api.unauthorised': status.UNAUTHENTICATED,
  'api.forbidden': status.PERMISSION_DENIED,
};

/** Longest text of a status: it travels in a header. */
const DETAILS_CHARS_MAX = 1_024;

export function failure(error: EdgeError): Partial<ServiceError> {
  const metadata = new Metadata();
  metadata.set(META.code, error.code);
  // Headers are ASCII; grpc-js encodes the details itself.
  const details = `${error.code}: ${error.message}`.slice(0, DETAILS_CHARS_MAX);
  return { code: STATUS[error.code] ?? status.INTERNAL, details, metadata };
}

export function hashMetadata(hash: string): Metadata {
  const metadata = new Metadata();
  metadata.set(META.hash, hash);
  return metadata;
}

/** What the policy of that name takes and gives, for clients of this project. Throws `model.not_found`. */
export function cardMetadata(desk: PolicyDesk, name: string, peer: string, keys: WireKeysFile): Metadata {
  const policies = desk.policies();
  const found =
    policies.find((policy) => policy.name === name) ?? (name === 'default' ? policies[0] : undefined);
  if (!found)
    throw new EdgeError('model.not_found', {
      operation: 'find policy',
      subject: name.slice(0, 64),
      message: `unknown policy ${name.slice(0, 64)}; configured: ${policies.map((one) => one.name).join(', ') || 'none'}`,
      hint: peer,
    });
  const metadata = new Metadata();
  metadata.set(META.card, Buffer.from(JSON.stringify(cardBody(found, keys))));
  return metadata;
}
