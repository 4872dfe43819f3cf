import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { canonicalJson, EdgeError, type Grant, type SignedGrant } from '../../../contract/index.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._/-]{0,127}$/;
const TIME = /^[1-9][0-9]{0,18}$/;
const ROLES_MAX = 32;
const ROBOTS_MAX = 64;

export type GrantKeys = ReadonlyMap<string, KeyObject>;

/** A public key in PEM. Throws `config.invalid` for anything but Ed25519. */
export function grantKey(pem: string, subject: string): KeyObject {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key;
  } catch (cause) {
    throw new EdgeError('config.invalid', {
      operation: 'read key',
      subject,
      message: `${subject}: no public key in PEM`,
      cause,
    });
  }
  throw new EdgeError('config.invalid', {
    operation: 'read key',
    subject,
    message: `${subject}: an Ed25519 key expected`,
  });
}

/** Raw and strict. Throws `schema.invalid`, or `policy.denied` where no known key made the signature. */
export function checkGrant(value: unknown, keys: GrantKeys): SignedGrant {
  const { grant, key_id, signature, ...rest } = plainObject(value, 'grant');
  refuseStrangers(rest, 'grant');
  if (typeof key_id !== 'string' || typeof signature !== 'string' || signature.length > 128)
    throw unfit('/key_id and /signature: texts expected');
  const checked = bodyOf(grant);
  const key = keys.get(key_id);
  const signed = Buffer.from(canonicalJson(checked));
  if (key && verify(null, signed, key, Buffer.from(signature, 'base64')))
    return { grant: checked, key_id, signature };
  throw new EdgeError('policy.denied', {
    operation: 'install grant',
    subject: checked.grant_id,
    message: key ? 'the signature is not of this grant' : `no key ${key_id.slice(0, 64)} is configured`,
    hint: 'keys that may sign grants are listed in policy.grant_keys',
  });
}

function bodyOf(value: unknown): Grant {
  const { grant_id, tenant, principal, roles, robots, issued_ts, expires_ts, ...rest } = plainObject(
    value,
    'grant/grant',
  );
  refuseStrangers(rest, 'grant/grant');
  const named = { grant_id, tenant, principal };
  for (const [key, name] of Object.entries(named))
    if (typeof name !== 'string' || !NAME.test(name)) throw unfit(`/grant/${key}: a name expected`);
  const times = { issued_ts, expires_ts };
  for (const [key, time] of Object.entries(times))
    if (typeof time !== 'string' || !TIME.test(time))
      throw unfit(`/grant/${key}: nanoseconds as decimal text expected`);
  return {
    ...(named as Record<keyof typeof named, string>),
    roles: names(roles, 'roles', ROLES_MAX),
    robots: names(robots, 'robots', ROBOTS_MAX),
    ...(times as Record<keyof typeof times, string>),
  };
}

function names(value: unknown, key: string, most: number): readonly string[] {
  if (
    Array.isArray(value) &&
    value.length <= most &&
    value.every((one) => typeof one === 'string' && NAME.test(one))
  )
    return value as string[];
  throw unfit(`/grant/${key}: at most ${most} names expected`);
}

function plainObject(value: unknown, what: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Record<string, unknown>;
  throw unfit(`${what}: an object expected`);
}

function refuseStrangers(rest: object, what: string): void {
  const stranger = Object.keys(rest)[0];
  if (stranger !== undefined) throw unfit(`${what}: unknown field ${stranger.slice(0, 64)}`);
}

function unfit(message: string): EdgeError {
  return new EdgeError('schema.invalid', { operation: 'install grant', subject: 'grant', message });
}
