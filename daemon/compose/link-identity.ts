import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { CentralHttp, type TlsFacts } from '../../central-link/central-http.ts';
import {
  enrolledSources,
  IDENTITY_FOLDER,
  IdentityFiles,
  type IdentitySources,
  RECEIPT_KEY_FILE,
  ROBOT_FILE,
} from '../../central-link/identity-files.ts';
import { Renewal } from '../../central-link/renewal.ts';
import type { CellContext, Clock } from '../../contract/core.ts';
import { isLoopbackHost } from '../config/loopback.ts';
import type { Config } from '../config.ts';

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
export function linkIdentity({ link }: Config, dataDir: string): LinkIdentity {
  const { ca_file: ca, cert_file: cert, cert_key_file: clientKey } = link;
  const own: IdentitySources = {
    ...(ca === '' ? {} : { ca: { path: pathOf(ca), key: 'link.ca_file' } }),
    ...(cert === '' ? {} : { cert: { path: pathOf(cert), key: 'link.cert_file' } }),
    ...(clientKey === '' ? {} : { clientKey: { path: pathOf(clientKey), key: 'link.cert_key_file' } }),
  };
  const sources = () => {
    const enrolled = enrolledSources(dataDir);
    return cert === '' ? { ...enrolled, ...own } : own;
  };
  const files = new IdentityFiles(sources);
  const receiptFile = join(dataDir, IDENTITY_FOLDER, RECEIPT_KEY_FILE);
  return {
    tls: () => files.facts(),
    receiptKey: () => (existsSync(receiptFile) ? readFileSync(receiptFile, 'utf8') : undefined),
    credentials: cert === '' ? join(dataDir, IDENTITY_FOLDER, ROBOT_FILE) : cert,
    isEnrolled: cert === '',
  };
}

/** Why nothing goes over this way; undefined: it may. */
export function refusedWay({ link }: Config, identity: LinkIdentity): string | undefined {
  const { protocol, hostname } = new URL(link.central_url);
  if (isLoopbackHost(hostname.replace(/^\[|\]$/g, ''))) return undefined;
  if (protocol === 'http:' && !link.plain_http)
    return `link.central_url is ${link.central_url}: over plain HTTP anybody on the way reads and changes what goes; use https, or set link.plain_http = true`;
  if (link.key_file !== '' || link.trust_published_key || identity.receiptKey() !== undefined)
    return undefined;
  return 'nothing says whose receipts count: enrol this robot (auraison link enrol), set link.key_file, or set link.trust_published_key = true';
}

/** Keeps the certificate of the enrolment fresh. */
export function linkRenewal(
  identity: LinkIdentity,
  context: Pick<CellContext, 'clock' | 'report'>,
  { url, robot, dataDir }: { readonly url: string; readonly robot: string; readonly dataDir: string },
): Renewal | undefined {
  if (!identity.isEnrolled || !url.startsWith('https:')) return undefined;
  const { clock, report } = context;
  return new Renewal({
    ...{ robot, clock, report, facts: identity.tls, store: identityStore(dataDir) },
    http: new CentralHttp({ url, clock, tls: identity.tls }),
  });
}

export function identityStore(dataDir: string): FileSecrets {
  return new FileSecrets(join(dataDir, IDENTITY_FOLDER), String(process.pid));
}

/** Enrols this robot, for the command line. Rejects with `config.invalid`, `link.refused`, `link.unreachable`, `api.unauthorised`. */
export async function enrolRobot(options: {
  readonly url: string;
  readonly token: string;
  readonly ca: string | undefined;
  readonly trustFirst: boolean;
  readonly robot: string;
  readonly dataDir: string;
  readonly clock: Clock;
}): Promise<{ readonly until: Date; readonly authority: string; readonly file: string }> {
  const [{ enrol }, { EdgeError, readEnrolToken }] = await Promise.all([
    import('../../central-link/enrol.ts'),
    import('../../contract/index.ts'),
  ]);
  const token = readEnrolToken(options.token);
  if (!token)
    throw new EdgeError('config.invalid', {
      ...{ operation: 'enrol robot', subject: '--token' },
      message: 'this is not a token for enrolment, or a part of it is missing',
      hint: 'auraison central enrol NAME prints one, at the coordinator',
    });
  const { url, robot, dataDir, clock, trustFirst } = options;
  const ca = options.ca === undefined ? {} : { ca: readFileSync(options.ca, 'utf8') };
  const done = await enrol({ url, robot, token, trustFirst, clock, store: identityStore(dataDir), ...ca });
  return { ...done, file: join(dataDir, IDENTITY_FOLDER, ROBOT_FILE) };
}

function pathOf(reference: string): string {
  if (!reference.startsWith('credential:')) return reference;
  return join(process.env['CREDENTIALS_DIRECTORY'] ?? '', reference.slice('credential:'.length));
}
