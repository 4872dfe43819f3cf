import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import {
  type Clock,
  EdgeError,
  identityText,
  LIMITS,
  type LinkIdentity,
  type LinkRenew,
  linkEnrolChecker,
  linkRenewChecker,
  toMs,
} from '../contract/index.ts';
import { type Authority, fingerprintOf, spkiOf } from './authority.ts';
import { IDENTITIES_FILE, type IdentityRows, type IssuedBy, type TokenState } from './identity-rows.ts';

export type EnrolmentParts = {
  readonly rows: IdentityRows;
  readonly authority: Authority;
  /** PEM: what robots are to trust at this coordinator; empty: what hosts trust. */
  readonly authorities: string;
  readonly receiptKey: string;
  readonly clock: Clock;
  /** How long certificates of robots are valid. */
  readonly validMs?: number;
};

/** A certificate that came with a connection. `fault`: why TLS does not accept it; empty: it does. */
export type Shown = { readonly raw: Uint8Array; readonly fault: string };

const WHY: Readonly<Record<Exclude<TokenState, 'valid'> | 'withdrawn', string>> = {
  withdrawn: 'the certificate of this robot was revoked or replaced meanwhile',
  unknown: 'this token is not known here: a newer one took its place, or the robot was revoked',
  expired: 'this token has expired',
  used: 'this token was used already, with another key',
  foreign: 'this token is for a robot of another name',
};

/** Gives robots their certificates, and knows whose certificate was shown. */
export class Enrolment {
  readonly #parts: EnrolmentParts;

  constructor(parts: EnrolmentParts) {
    this.#parts = parts;
  }

  /** Throws `schema.invalid`, `api.unauthorised`. With the same token and key the answer is the same again. */
  async enrol(body: unknown): Promise<LinkIdentity> {
    const request = linkEnrolChecker.parse(body, 'enrol');
    const { robot, public_key, secret } = request;
    requireProof(request);
    const { rows } = this.#parts;
    const state = rows.tokenState(secret, robot, public_key);
    if (state !== 'valid') throw unauthorised(robot, WHY[state]);
    return await this.#identity(robot, public_key, { secret });
  }

  /** `shown`: the certificate of the robot; one that has expired is enough. Throws `schema.invalid`, `api.unauthorised`. */
  async renew(body: unknown, shown: Shown | undefined): Promise<LinkIdentity> {
    const request = linkRenewChecker.parse(body, 'renew');
    const { robot, public_key } = request;
    requireProof(request);
    const name = this.robot(shown, true);
    if (!shown || name !== robot)
      throw unauthorised(robot, `the certificate is that of ${name ?? 'no robot'}`);
    const fingerprint = fingerprintOf(new X509Certificate(shown.raw).toString());
    return await this.#identity(robot, public_key, { shown: fingerprint });
  }

  /**
   * Whose certificate it is; undefined: none came. Throws `api.unauthorised` with the reason where it does not count.
   * `mayBeLate`: one that has expired counts where this coordinator issued it and knows it.
   */
  robot(shown: Shown | undefined, mayBeLate = false): string | undefined {
    if (!shown) return undefined;
    const { rows, clock, authority } = this.#parts;
    const certificate = new X509Certificate(shown.raw);
    const robot = nameOf(certificate);
    const nowMs = toMs(clock.now());
    // TLS judges when the connection opens, and a connection may stay for long.
    const isLate = certificate.validToDate.getTime() < nowMs;
    const fault = shown.fault === '' && isLate ? 'CERT_HAS_EXPIRED' : shown.fault;
    const row = rows.find(fingerprintOf(certificate.toString()));
    const isOwn = authority.hasSigned(certificate);
    // TLS names one fault only: a certificate that has expired may be wrong in other ways too, so that it needs its row here.
    if (fault !== '' && !(mayBeLate && fault === 'CERT_HAS_EXPIRED' && isOwn && row))
      throw unauthorised(robot, whyNot(certificate, fault, nowMs, mayBeLate));
    if (isOwn && !row)
      throw unauthorised(
        robot,
        `the certificate of ${robot} was issued here, but ${IDENTITIES_FILE} does not know it: it may have been revoked before that file was lost or replaced`,
      );
    if (rows.isRevoked(robot) || row?.state === 'revoked')
      throw unauthorised(robot, `the certificate of ${robot} was revoked`);
    if (row?.state === 'replaced')
      throw unauthorised(
        robot,
        `the certificate of ${robot} was replaced by a newer one that was used since`,
      );
    if (row?.state === 'issued') rows.shown(row);
    return robot;
  }

  async #identity(robot: string, publicKey: string, by: IssuedBy): Promise<LinkIdentity> {
    const { rows, authority, authorities, receiptKey, clock } = this.#parts;
    const validMs = this.#parts.validMs ?? LIMITS.CENTRAL_CERTIFICATE_MS;
    spkiOf(publicKey);
    const made =
      rows.forKey(robot, publicKey)?.certificate ?? (await authority.issueRobot(robot, publicKey, validMs));
    const { state, certificate } = rows.add(
      {
        ...{ robot, public_key: publicKey, certificate: made, fingerprint: fingerprintOf(made) },
        not_after_ns: String(clock.now() + BigInt(validMs) * 1_000_000n),
      },
      by,
    );
    if (state !== 'valid') throw unauthorised(robot, WHY[state]);
    return { robot, certificate, authorities, receipt_key: receiptKey };
  }
}

/** CN of the subject; empty: it has none. */
function nameOf(certificate: X509Certificate): string {
  return /(?:^|\n)CN=([^\n]*)/.exec(certificate.subject ?? '')?.[1] ?? '';
}

function requireProof({ public_key, robot, proof }: LinkRenew): void {
  spkiOf(public_key);
  const text = Buffer.from(identityText({ robot, public_key }));
  if (verify(null, text, createPublicKey(public_key), Buffer.from(proof, 'base64url'))) return;
  throw unauthorised(robot, '/proof: is not a signature of this request by its public_key');
}

function whyNot(certificate: X509Certificate, fault: string, nowMs: number, mayBeLate: boolean): string {
  const now = new Date(nowMs).toISOString();
  const name = nameOf(certificate);
  if (fault === 'CERT_HAS_EXPIRED')
    return `the certificate of ${name} expired on ${certificate.validTo}; here it is ${now}${mayBeLate ? '; late, only one that is known here can be renewed' : ''}`;
  if (fault === 'CERT_NOT_YET_VALID')
    return `the certificate of ${name} is valid from ${certificate.validFrom} on; here it is ${now}`;
  return `the certificate of ${name} is not from an authority that counts here (${fault})`;
}

function unauthorised(robot: string, message: string): EdgeError {
  return new EdgeError('api.unauthorised', {
    operation: 'authorise robot',
    subject: robot,
    message,
    hint: `auraison central enrol ${robot} makes a token for it at the coordinator, auraison link enrol uses it at the robot`,
  });
}
