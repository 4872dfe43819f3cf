import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { CentralHttp } from '../../central-link/central-http.ts';
import { IDENTITY_FOLDER, ROBOT_FILE } from '../../central-link/identity-files.ts';
import type { LinkIdentity } from '../../central-link/link-identity.ts';
import { Renewal } from '../../central-link/renewal.ts';
import { type CellContext, type Clock, EdgeError } from '../../contract/core.ts';

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
  const { enrol } = await import('../../central-link/enrol.ts');
  const { dataDir, ca, ...rest } = options;
  const text = ca === undefined ? {} : { ca: readCertificate(ca) };
  const done = await enrol({ ...rest, ...text, store: identityStore(dataDir) });
  return { ...done, file: join(dataDir, IDENTITY_FOLDER, ROBOT_FILE) };
}

function readCertificate(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    new X509Certificate(text);
    return text;
  } catch (cause) {
    throw new EdgeError('config.invalid', {
      ...{ operation: 'enrol robot', subject: '--ca', cause },
      message: `--ca: ${path} is not a certificate in PEM that can be read: ${(cause as Error).message}`,
      hint: 'the file needs a part -----BEGIN CERTIFICATE-----',
    });
  }
}
