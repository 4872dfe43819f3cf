import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import type { TlsOptions } from 'node:tls';
import { EdgeError } from '../contract/index.ts';
import { type Authority, certificatesOf, type Pair } from './authority.ts';

/** Files of other authorities; absent: the coordinator is its own. */
export type TlsFiles = {
  /** PEM: the certificate of the coordinator, then those of its authorities. */
  readonly certificate?: string;
  readonly key?: string;
  /** PEM: authorities whose certificates count for robots, besides the coordinator's own; CN is the name of the robot. */
  readonly clients?: string;
};

/** Names and addresses of this host, under which robots may reach the coordinator. */
export function namesOfHost(more: readonly string[]): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all) =>
    (all ?? []).map(({ address }) => address),
  );
  return [...new Set([...more, 'localhost', hostname(), ...addresses])].filter((name) => !name.includes('%'));
}

/** How the coordinator speaks TLS. Certificates of clients are asked for and judged request by request. */
export async function tlsOptions(
  authority: Authority,
  files: TlsFiles,
  names: readonly string[],
): Promise<TlsOptions> {
  const pair = filePair(files) ?? (await authority.issueServer(namesOfHost(names)));
  const clients = files.clients === undefined ? [] : [readPem(files.clients, '--client-ca')];
  return {
    ...{ key: pair.key, cert: pair.certificate, ca: [authority.bundle, ...clients] },
    ...{ requestCert: true, rejectUnauthorized: false, minVersion: 'TLSv1.2' },
  };
}

/**
 * What robots are to trust: the authority in the file of the coordinator's certificate, or its own; empty: any of the host. One
 * that another authority has signed does not count: TLS needs the chain up to its root.
 */
export function authoritiesFor(authority: Authority, { certificate }: TlsFiles): string {
  if (certificate === undefined) return authority.bundle;
  return certificatesOf(readPem(certificate, '--tls-cert'))
    .filter((one) => one.ca && one.checkIssued(one) && one.verify(one.publicKey))
    .map(String)
    .join('');
}

function filePair({ certificate, key }: TlsFiles): Pair | undefined {
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined)
    throw unfit(key === undefined ? '--tls-key' : '--tls-cert', 'a certificate and its key belong together');
  const pair = { certificate: readPem(certificate, '--tls-cert'), key: readText(key, '--tls-key') };
  let fits = false;
  try {
    fits = new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key));
  } catch (cause) {
    throw unfit('--tls-key', `${key}: a private key in PEM without a password expected`, cause);
  }
  if (!fits) throw unfit('--tls-key', `${key} is not the private key of ${certificate}`);
  return pair;
}

function readPem(path: string, option: string): string {
  const text = readText(path, option);
  try {
    if (certificatesOf(text).length > 0) return text;
  } catch (cause) {
    throw unfit(option, `${path}: ${(cause as Error).message}`, cause);
  }
  throw unfit(option, `${path} contains no PEM certificate`);
}

function readText(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw unfit(option, (cause as Error).message, cause);
  }
}

function unfit(option: string, message: string, cause?: unknown): EdgeError {
  return new EdgeError('config.invalid', {
    operation: 'open coordinator',
    subject: option,
    message: `${option}: ${message}`,
    cause,
  });
}
