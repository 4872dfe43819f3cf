import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { EdgeError, type Nanoseconds } from '../../contract/core.ts';
import type { ZenohTls } from './policy-types.ts';

/** Keys of `[zenoh]` about TLS: paths of PEM files or `credential:NAME`; empty: not set. */
export type TlsKeys = {
  readonly listen: readonly string[];
  readonly connect: readonly string[];
  readonly tls_ca: string;
  readonly tls_certificate: string;
  readonly tls_key: string;
  readonly tls_mutual: boolean;
  readonly tls_verify_name: boolean;
};

/** The text of a secret file or a credential, `key` names it in errors. Throws `config.unreadable`. */
export type ReadSecret = (reference: string, key: string) => string | undefined;

/** Reads and checks certificates and keys, as they are now. Throws `config.invalid`, `config.unreadable`. */
export function readTls(zenoh: TlsKeys, secret: ReadSecret, now: Nanoseconds): ZenohTls | undefined {
  const { tls_ca, tls_certificate, tls_key, tls_mutual: mutual, tls_verify_name: verifyName } = zenoh;
  const overTls = [...zenoh.listen, ...zenoh.connect].some((endpoint) => endpoint.startsWith('tls/'));
  if (tls_ca === '' && tls_certificate === '' && tls_key === '') {
    if (zenoh.listen.some((endpoint) => endpoint.startsWith('tls/'))) {
      throw missing('tls_certificate', 'zenoh.listen has a tls/ endpoint, which needs a certificate');
    }
    return overTls ? { mutual: false, verifyName } : undefined;
  }
  if ((tls_certificate === '') !== (tls_key === '')) {
    throw missing(
      tls_key === '' ? 'tls_key' : 'tls_certificate',
      'a certificate and its key belong together; one of the two is not set',
    );
  }
  if (mutual && tls_ca === '' && zenoh.listen.some((endpoint) => endpoint.startsWith('tls/'))) {
    throw missing('tls_ca', 'tls_mutual = true needs the authority whose certificates are accepted');
  }
  const ca = tls_ca === '' ? undefined : readPublic(tls_ca, 'zenoh.tls_ca', secret);
  if (ca !== undefined) certificateOf(ca, 'tls_ca', tls_ca, now);
  if (tls_certificate === '') return { ...(ca === undefined ? {} : { ca }), mutual: false, verifyName };
  const certificate = readPublic(tls_certificate, 'zenoh.tls_certificate', secret);
  const key = secret(tls_key, 'zenoh.tls_key') ?? '';
  const x509 = certificateOf(certificate, 'tls_certificate', tls_certificate, now);
  checkKey(x509, key, tls_key, tls_certificate);
  return { ...(ca === undefined ? {} : { ca }), certificate, key: `${key}\n`, mutual, verifyName };
}

/** Certificates are no secrets: a file that others may read is fine. */
function readPublic(reference: string, key: string, secret: ReadSecret): string {
  if (reference.startsWith('credential:')) return secret(reference, key) ?? '';
  try {
    return readFileSync(reference, 'utf8');
  } catch (error) {
    throw new EdgeError('config.unreadable', {
      operation: 'read certificate',
      subject: key,
      message: `${reference}: ${error instanceof Error ? error.message : String(error)}`,
      hint: `set it to a PEM file that this user can read, or to credential:NAME`,
      cause: error,
    });
  }
}

function certificateOf(pem: string, key: string, reference: string, now: Nanoseconds): X509Certificate {
  let x509: X509Certificate;
  try {
    x509 = new X509Certificate(pem);
  } catch (error) {
    throw invalid(
      key,
      `${reference} contains no PEM certificate`,
      'the first line must be -----BEGIN CERTIFICATE-----',
      error,
    );
  }
  if (BigInt(x509.validToDate.getTime()) * 1_000_000n < now) {
    throw invalid(key, `${reference} expired on ${x509.validTo}`, 'renew it, or set the clock of this host');
  }
  return x509;
}

function checkKey(x509: X509Certificate, key: string, reference: string, certificate: string): void {
  let matches = false;
  try {
    matches = x509.checkPrivateKey(createPrivateKey(key));
  } catch (error) {
    throw invalid(
      'tls_key',
      `${reference} contains no PEM private key, or its key has a password`,
      'make one with openssl genpkey',
      error,
    );
  }
  if (!matches) {
    throw invalid(
      'tls_key',
      `${reference} is not the private key of ${certificate}`,
      'set both keys to the pair that was issued together',
    );
  }
}

function missing(key: string, message: string): EdgeError {
  return invalid(key, message, `set zenoh.${key} to a PEM file or credential:NAME`);
}

function invalid(key: string, message: string, hint: string, cause?: unknown): EdgeError {
  return new EdgeError('config.invalid', {
    operation: 'read Zenoh policies',
    subject: `zenoh.${key}`,
    message,
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
