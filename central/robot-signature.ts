import { createHash, verify, type X509Certificate } from 'node:crypto';
import { type Clock, DISK_SIGNATURE, EdgeError, toMs } from '../contract/index.ts';
import { certificatesOf } from './authority.ts';
import type { Enrolment } from './enrolment.ts';

export type RobotSignatureParts = {
  readonly enrolment: Enrolment;
  /** Whose certificates count: those of the coordinator's own authority, and others that an operator named. */
  readonly anchors: readonly X509Certificate[];
  readonly clock: Clock;
};

type Signed = { readonly robot: string; readonly certificate: string; readonly signature: string };

/** Certificates on the way from that of a robot to an authority. */
const CHAIN_MAX = 8;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Says whether a robot signed a text with the key of a certificate that counts, where no TLS connection shows it. */
export class RobotSignature {
  readonly #parts: RobotSignatureParts;

  constructor(parts: RobotSignatureParts) {
    this.#parts = parts;
  }

  /**
   * Throws `link.refused` (the signature, or that of another robot), `api.unauthorised` (the certificate). `what`: for errors.
   * `mayBeLate`: a certificate that expired counts where this coordinator issued it.
   */
  require(signed: Signed, text: string, what: string, mayBeLate: boolean): void {
    const { robot } = signed;
    const chain = chainOf(signed);
    const certificate = chain[0]!;
    if (!isSigned(signed.signature, text, certificate))
      throw refused(robot, `the signature of the ${what} of ${robot} is wrong: it was changed, or cut`);
    const shown = { raw: certificate.raw, fault: this.#fault(chain) };
    const name = this.#parts.enrolment.robot(shown, mayBeLate);
    if (name !== robot) throw refused(robot, `the ${what} of ${robot} is signed by ${name}`);
  }

  /** What TLS would say of the certificate; empty: it accepts it. */
  #fault(chain: readonly X509Certificate[]): string {
    const { anchors, clock } = this.#parts;
    const nowMs = toMs(clock.now());
    const [first] = chain;
    const purposes = first?.keyUsage as readonly string[] | undefined;
    if (purposes && !purposes.includes(CLIENT_AUTH)) return 'INVALID_PURPOSE';
    let late = '';
    let at = first!;
    for (let i = 0; i < CHAIN_MAX; i++) {
      if (at.validFromDate.getTime() > nowMs) return 'CERT_NOT_YET_VALID';
      if (at.validToDate.getTime() < nowMs) late = 'CERT_HAS_EXPIRED';
      const issuer = anchors.find((one) => isIssuer(one, at));
      if (issuer) return issuer.validToDate.getTime() < nowMs ? 'CERT_HAS_EXPIRED' : late;
      const next = chain.find((one) => one !== at && isIssuer(one, at));
      if (!next) break;
      at = next;
    }
    return 'UNABLE_TO_GET_ISSUER_CERT';
  }
}

function isIssuer(authority: X509Certificate, of: X509Certificate): boolean {
  return authority.ca && of.checkIssued(authority) && of.verify(authority.publicKey);
}

function chainOf({ certificate, robot }: Signed): X509Certificate[] {
  let chain: X509Certificate[] = [];
  try {
    chain = certificatesOf(certificate);
  } catch {
    // Not a certificate at all.
  }
  if (chain.length >= 1 && chain.length <= CHAIN_MAX) return chain;
  throw refused(robot, `/certificate: expected 1 to ${CHAIN_MAX} certificates in PEM`);
}

function isSigned(signed: string, plain: string, { publicKey }: X509Certificate): boolean {
  const [, algorithm, keyId, signature] = DISK_SIGNATURE.exec(signed) ?? [];
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const isKey = createHash('sha256').update(der).digest('hex').slice(0, 16) === keyId;
  const isPlain = publicKey.asymmetricKeyType === 'ed25519';
  if (!isKey || signature === undefined || isPlain !== (algorithm === 'ed25519')) return false;
  try {
    const text = Buffer.from(plain);
    return verify(isPlain ? null : 'sha256', text, publicKey, Buffer.from(signature, 'base64url'));
  } catch {
    // A key that cannot sign.
    return false;
  }
}

function refused(robot: string, message: string): EdgeError {
  return new EdgeError('link.refused', { operation: 'check signature', subject: robot, message });
}
