import { createHash, verify, type X509Certificate } from 'node:crypto';
import {
  type Clock,
  DISK_SIGNATURE,
  type DiskManifest,
  diskManifestChecker,
  diskText,
  EdgeError,
  parseJson,
  toMs,
} from '../contract/index.ts';
import { certificatesOf } from './authority.ts';
import type { Enrolment } from './enrolment.ts';

export type DiskSignerParts = {
  readonly enrolment: Enrolment;
  /** Whose certificates count: those of the coordinator's own authority, and others that an operator named. */
  readonly anchors: readonly X509Certificate[];
  readonly clock: Clock;
};

/** Certificates on the way from that of a robot to an authority. */
const CHAIN_MAX = 8;
const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';

/** Says whose manifest it is: what lies on a disk counts as if this robot had sent it. */
export class DiskSigner {
  readonly #parts: DiskSignerParts;

  constructor(parts: DiskSignerParts) {
    this.#parts = parts;
  }

  /**
   * The manifest in the folder of `robot`, when the key of that robot signed it. Throws `schema.invalid`, `link.refused` (the
   * signature), `api.unauthorised` (the certificate).
   */
  read(bytes: Uint8Array, robot: string): DiskManifest {
    const manifest = diskManifestChecker.parse(jsonOf(bytes, robot), `manifest of ${robot}`);
    if (manifest.robot !== robot)
      throw refused(robot, `the folder of ${robot} has the manifest of ${manifest.robot}`);
    const chain = chainOf(manifest);
    const certificate = chain[0]!;
    if (!isSigned(manifest, certificate))
      throw refused(robot, `the signature of the manifest of ${robot} is wrong: it was changed, or cut`);
    const shown = { raw: certificate.raw, fault: this.#fault(chain) };
    // The robot may have been without a network for longer than its certificate lasts.
    const name = this.#parts.enrolment.robot(shown, true);
    if (name === robot) return manifest;
    throw refused(robot, `the manifest of ${robot} is signed by ${name}`);
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

function jsonOf(bytes: Uint8Array, robot: string): unknown {
  try {
    return parseJson(Buffer.from(bytes).toString());
  } catch (cause) {
    throw refused(robot, `the manifest of ${robot} is not JSON: ${(cause as Error).message}`);
  }
}

function isIssuer(authority: X509Certificate, of: X509Certificate): boolean {
  return authority.ca && of.checkIssued(authority) && of.verify(authority.publicKey);
}

function chainOf({ certificate, robot }: DiskManifest): X509Certificate[] {
  let chain: X509Certificate[] = [];
  try {
    chain = certificatesOf(certificate);
  } catch {
    // Not a certificate at all.
  }
  if (chain.length >= 1 && chain.length <= CHAIN_MAX) return chain;
  throw refused(robot, `/certificate: expected 1 to ${CHAIN_MAX} certificates in PEM`);
}

function isSigned(manifest: DiskManifest, { publicKey }: X509Certificate): boolean {
  const [, algorithm, keyId, signature] = DISK_SIGNATURE.exec(manifest.signature) ?? [];
  const der = publicKey.export({ type: 'spki', format: 'der' });
  const isKey = createHash('sha256').update(der).digest('hex').slice(0, 16) === keyId;
  const isPlain = publicKey.asymmetricKeyType === 'ed25519';
  if (!isKey || signature === undefined || isPlain !== (algorithm === 'ed25519')) return false;
  try {
    const text = Buffer.from(diskText(manifest));
    return verify(isPlain ? null : 'sha256', text, publicKey, Buffer.from(signature, 'base64url'));
  } catch {
    // A key that cannot sign.
    return false;
  }
}

function refused(robot: string, message: string): EdgeError {
  return new EdgeError('link.refused', {
    ...{ operation: 'import disk', subject: robot, message },
    hint: 'nothing of this robot was taken; export again at the robot',
  });
}
