import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsFacts } from './central-http.ts';
import {
  enrolledSources,
  IDENTITY_FOLDER,
  IdentityFiles,
  type IdentitySources,
  RECEIPT_KEY_FILE,
  ROBOT_FILE,
} from './identity-files.ts';

/** What the configuration says: addresses and paths, empty where nothing is said. */
export type WayKeys = {
  readonly central_url: string;
  readonly key_file: string;
  readonly ca_file: string;
  readonly cert_file: string;
  readonly cert_key_file: string;
  readonly plain_http: boolean;
  readonly trust_published_key: boolean;
  readonly mqtt_url: string;
  readonly mqtt_plain: boolean;
};

export type LinkIdentity = {
  readonly tls: () => TlsFacts | undefined;
  /** The key of receipts that enrolment brought; undefined: the robot is not enrolled. */
  readonly receiptKey: () => string | undefined;
  /** The file of the certificate, for errors. */
  readonly credentials: string;
  /** Certificates in files are renewed by others. */
  readonly isEnrolled: boolean;
};

/** By which certificates the way to central goes: those of the configuration, else those of the enrolment. */
export function linkIdentity(link: WayKeys, dataDir: string, credentials = ''): LinkIdentity {
  const { ca_file: ca, cert_file: cert, cert_key_file: clientKey } = link;
  const source = (reference: string, key: string) => ({
    path: reference.startsWith('credential:')
      ? join(credentials, reference.slice('credential:'.length))
      : reference,
    key: `link.${key}`,
  });
  const own: IdentitySources = {
    ...(ca === '' ? {} : { ca: source(ca, 'ca_file') }),
    ...(cert === '' ? {} : { cert: source(cert, 'cert_file') }),
    ...(clientKey === '' ? {} : { clientKey: source(clientKey, 'cert_key_file') }),
  };
  const files = new IdentityFiles(() => (cert === '' ? { ...enrolledSources(dataDir), ...own } : own));
  const receiptFile = join(dataDir, IDENTITY_FOLDER, RECEIPT_KEY_FILE);
  return {
    tls: () => files.facts(),
    receiptKey: () => (existsSync(receiptFile) ? readFileSync(receiptFile, 'utf8') : undefined),
    credentials: cert === '' ? join(dataDir, IDENTITY_FOLDER, ROBOT_FILE) : cert,
    isEnrolled: cert === '',
  };
}

/**
 * Whether this robot hands its data to a central, over the network or, with an identity of its own, by a removable disk. Then what
 * has no receipt stays.
 */
export function hasCentral(
  link: Pick<WayKeys, 'central_url' | 'mqtt_url' | 'cert_file'>,
  dataDir: string,
): boolean {
  const isEnrolled = () => existsSync(join(dataDir, IDENTITY_FOLDER, ROBOT_FILE));
  return link.central_url !== '' || link.mqtt_url !== '' || link.cert_file !== '' || isEnrolled();
}

/** Why nothing goes over this way; undefined: it may. */
export function refusedWay(
  link: WayKeys,
  identity: LinkIdentity,
  isLoopback: (host: string) => boolean,
): string | undefined {
  const { protocol, hostname } = new URL(link.central_url);
  if (isLoopback(hostname.replace(/^\[|\]$/g, ''))) return undefined;
  if (protocol === 'http:' && !link.plain_http)
    return `link.central_url is ${link.central_url}: over plain HTTP anybody on the way reads and changes what goes; use https, or set link.plain_http = true`;
  if (link.key_file !== '' || link.trust_published_key || identity.receiptKey() !== undefined)
    return undefined;
  return 'nothing says whose receipts count: enrol this robot (auraison link enrol), set link.key_file, or set link.trust_published_key = true';
}

/** The same for the way through a broker: there each message shows who it is of, so that it needs both keys. */
export function refusedBroker(
  link: WayKeys,
  identity: LinkIdentity,
  isPlain: (address: string) => boolean,
): string | undefined {
  if (isPlain(link.mqtt_url) && !link.mqtt_plain)
    return `link.mqtt_url is ${link.mqtt_url}: anybody on the way reads what goes; use mqtts, or set link.mqtt_plain = true`;
  if (identity.tls()?.key === undefined)
    return 'through a broker a robot shows itself by its key, and this one has none: enrol it (auraison link enrol), or set link.cert_file and link.cert_key_file';
  if (link.key_file !== '' || identity.receiptKey() !== undefined) return undefined;
  return 'nothing says whose answers count through a broker: enrol this robot (auraison link enrol), or set link.key_file';
}
