import { type Static, Type } from 'typebox';
import { canonicalJson } from './canonical.ts';
import { checker } from './check.ts';
import { closed, Text } from './common.ts';

/** How a robot gets its own certificate from the coordinator; described in `central-link/LINK.md`, "Identity". */

const robot = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$', description: 'name of the robot' });

const request = {
  robot,
  public_key: Text(1024, 'ed25519 key of the robot: SPKI, PEM'),
  proof: Text(256, 'base64url of the signature of identityText by that key'),
};

/** For a one-time token. */
export const LinkEnrol = Type.Object(
  { ...request, secret: Type.String({ pattern: '^[A-Za-z0-9_-]{43}$', description: 'of the token' }) },
  { ...closed, $id: 'auraison/v2/link-enrol', title: 'LinkEnrol' },
);
export type LinkEnrol = Static<typeof LinkEnrol>;
export const linkEnrolChecker = checker(LinkEnrol);

/** For the certificate that came with the connection. */
export const LinkRenew = Type.Object(request, {
  ...closed,
  $id: 'auraison/v2/link-renew',
  title: 'LinkRenew',
});
export type LinkRenew = Static<typeof LinkRenew>;
export const linkRenewChecker = checker(LinkRenew);

export const LinkIdentity = Type.Object(
  {
    robot,
    certificate: Text(16_384, 'X.509 in PEM, for the key of the request'),
    authorities: Text(65_536, 'PEM: whose certificates of the coordinator count; empty: those of the host'),
    receipt_key: Text(1024, 'ed25519 key of receipts and orders: SPKI, PEM'),
  },
  { ...closed, $id: 'auraison/v2/link-identity', title: 'LinkIdentity' },
);
export type LinkIdentity = Static<typeof LinkIdentity>;
export const linkIdentityChecker = checker(LinkIdentity);

/** The exact text that a robot signs to show that it has the private key. */
export function identityText({ robot, public_key }: Pick<LinkRenew, 'robot' | 'public_key'>): string {
  return `auraison-link-identity/v2\n${canonicalJson({ public_key, robot })}`;
}

/** What an operator hands to a robot, once: a secret, the SHA-256 of the authority of the coordinator, and a name. */
export type EnrolToken = {
  readonly robot: string;
  readonly secret: string;
  /** Hex; empty: the certificate of the coordinator is from an authority that hosts know. */
  readonly authority: string;
};

const TOKEN = /^([A-Za-z0-9_-]{43})\.([0-9a-f]{64}|-)\.([A-Za-z0-9][A-Za-z0-9._-]{0,63})$/;

export function enrolTokenText({ robot, secret, authority }: EnrolToken): string {
  return `${secret}.${authority || '-'}.${robot}`;
}

/** Undefined: the text is not a token. */
export function readEnrolToken(text: string): EnrolToken | undefined {
  const [, secret, authority, robot] = TOKEN.exec(text.trim()) ?? [];
  if (secret === undefined || authority === undefined || robot === undefined) return undefined;
  return { robot, secret, authority: authority === '-' ? '' : authority };
}
