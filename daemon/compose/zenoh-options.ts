import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { ZenohOptions } from '../../adapters/zenoh/native-key-space.ts';
import type { DriverOptions } from '../../adapters/zenoh/open-key-space.ts';
import { zenohSettings } from '../../adapters/zenoh/policy.ts';
import type { DeliveryRule, ZenohPolicy, ZenohTls } from '../../adapters/zenoh/policy-types.ts';
import { EdgeError, type Nanoseconds } from '../../contract/core.ts';
import type { Config } from '../config/keys.ts';
import { readSecret } from '../secrets.ts';

type Environment = Readonly<Record<string, string | undefined>>;
type ZenohConfig = Config['zenoh'];

/** What a session is opened with. Reads the certificates, so that each opening takes those of now. */
export function zenohOptions(zenoh: ZenohConfig, env: Environment, now: Nanoseconds): ZenohOptions {
  const { mode, listen, connect, shared_memory: sharedMemoryBytes } = zenoh;
  return {
    mode,
    listen,
    connect,
    sharedMemoryBytes,
    delivery: zenoh.delivery.map(delivery),
    config: zenohSettings(zenohPolicy(zenoh, env, now)),
  };
}

/** Which driver is wanted, and what of the configuration only the native one can do. */
export function driverOptions(zenoh: ZenohConfig): DriverOptions {
  const { driver, remote_url: remoteUrl } = zenoh;
  const nativeOnly = POLICIES.filter((name) => zenoh[name].length > 0).map((name) => `zenoh.${name}`);
  return { driver, remoteUrl, nativeOnly };
}

const POLICIES = ['tls_ca', 'tls_certificate', 'access', 'downsampling', 'size_limits'] as const;

function zenohPolicy(zenoh: ZenohConfig, env: Environment, now: Nanoseconds): ZenohPolicy {
  const tls = readTls(zenoh, env, now);
  const nameless = zenoh.access.findIndex(({ names }) => names.length > 0);
  if (nameless >= 0 && !(tls?.mutual && tls.ca !== undefined)) {
    throw new EdgeError('config.invalid', {
      operation: 'read Zenoh policies',
      subject: `zenoh.access[${nameless + 1}].names`,
      message: 'a rule for names of certificates needs mutual TLS: without it nobody has to show one',
      hint: 'set zenoh.tls_ca, tls_certificate and tls_key, leave tls_mutual = true, and use tls/ endpoints only',
    });
  }
  return {
    ...(tls === undefined ? {} : { tls }),
    ...(zenoh.access.length === 0 ? {} : { access: { fallback: zenoh.access_default, rules: zenoh.access } }),
    downsampling: zenoh.downsampling.map(({ rate, ...rule }) => ({ ...rule, rateHz: rate })),
    sizeLimits: zenoh.size_limits.map(({ size, ...rule }) => ({ ...rule, bytes: size })),
    sharedMemory: zenoh.shared_memory > 0,
  };
}

function readTls(zenoh: ZenohConfig, env: Environment, now: Nanoseconds): ZenohTls | undefined {
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
  const ca = tls_ca === '' ? undefined : readPublic(tls_ca, 'zenoh.tls_ca', env);
  if (ca !== undefined) certificateOf(ca, 'tls_ca', tls_ca, now);
  if (tls_certificate === '') return { ...(ca === undefined ? {} : { ca }), mutual: false, verifyName };
  const certificate = readPublic(tls_certificate, 'zenoh.tls_certificate', env);
  const key = readSecret(tls_key, 'zenoh.tls_key', env) ?? '';
  const x509 = certificateOf(certificate, 'tls_certificate', tls_certificate, now);
  checkKey(x509, key, tls_key, tls_certificate);
  return { ...(ca === undefined ? {} : { ca }), certificate, key: `${key}\n`, mutual, verifyName };
}

/** Certificates are no secrets: a file that others may read is fine. */
function readPublic(reference: string, key: string, env: Environment): string {
  if (reference.startsWith('credential:')) return readSecret(reference, key, env) ?? '';
  try {
    return readFileSync(reference, 'utf8');
  } catch (error) {
    throw new EdgeError('config.unreadable', {
      operation: 'read certificate',
      subject: key,
      message: `${reference}: ${error instanceof Error ? error.message : String(error)}`,
      hint: `name a PEM file that this user may read, or credential:NAME`,
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
      `${reference} holds no PEM certificate`,
      'it begins with -----BEGIN CERTIFICATE-----',
      error,
    );
  }
  if (BigInt(x509.validToDate.getTime()) * 1_000_000n < now) {
    throw invalid(
      key,
      `${reference} has expired on ${x509.validTo}`,
      'renew it, or set the clock of this host',
    );
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
      `${reference} holds no PEM private key without a password`,
      'make one with openssl genpkey',
      error,
    );
  }
  if (!matches) {
    throw invalid(
      'tls_key',
      `${reference} is not the key of ${certificate}`,
      'name the pair that was issued together',
    );
  }
}

function delivery({ keys, priority, congestion, express }: ZenohConfig['delivery'][number]): DeliveryRule {
  return {
    keys,
    ...(priority === 'as_sent' ? {} : { priority }),
    ...(congestion === 'as_sent' ? {} : { congestion }),
    ...(express ? { express } : {}),
  };
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
