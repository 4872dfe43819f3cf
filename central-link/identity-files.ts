import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EdgeError } from '../contract/core.ts';
import type { TlsFacts } from './central-http.ts';

/** Folder of the data directory with what a robot got when it was enrolled. */
export const IDENTITY_FOLDER = 'link-identity';
/** Private key and certificate of the robot together, so that both change at once. */
export const ROBOT_FILE = 'robot.pem';
export const AUTHORITIES_FILE = 'authorities.pem';
export const RECEIPT_KEY_FILE = 'central-key.pem';
/** A key for which a certificate was asked; the answer has not come yet. */
export const NEXT_KEY_FILE = 'next-key.pem';

/** What each fact is read from: a path, and the key of the configuration that names it, for errors. */
type Source = { readonly path: string; readonly key: string };
export type IdentitySources = {
  readonly ca?: Source;
  readonly cert?: Source;
  readonly clientKey?: Source;
};

/** Certificates and keys for the way to central, read again when a file changes. */
export class IdentityFiles {
  readonly #sources: () => IdentitySources;
  #stamp = '';
  #facts: TlsFacts | undefined;

  constructor(sources: () => IdentitySources) {
    this.#sources = sources;
  }

  /**
   * Undefined: nothing is configured, and the robot is not enrolled. Throws `config.unreadable`, `config.invalid` with file, key
   * and what to do.
   */
  facts(): TlsFacts | undefined {
    const sources = this.#sources();
    const stamp = Object.values(sources).map(stampOf).join('\n');
    if (stamp === this.#stamp) return this.#facts;
    const ca = sources.ca && read(sources.ca);
    const cert = sources.cert && read(sources.cert);
    const key = sources.clientKey && readPrivate(sources.clientKey);
    if (sources.ca && ca !== undefined) certificateOf(ca, sources.ca);
    if (sources.cert && sources.clientKey && cert !== undefined && key !== undefined)
      requirePair(cert, key, sources.cert, sources.clientKey);
    const facts = {
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    };
    this.#facts = Object.keys(facts).length > 0 ? facts : undefined;
    this.#stamp = stamp;
    return this.#facts;
  }
}

/** Where enrolment has left them; nothing where the robot is not enrolled. */
export function enrolledSources(dataDir: string): IdentitySources {
  const source = (name: string): Source => ({
    path: join(dataDir, IDENTITY_FOLDER, name),
    key: 'the enrolment of this robot',
  });
  const robot = source(ROBOT_FILE);
  if (stampOf(robot) === 'gone') return {};
  const ca = source(AUTHORITIES_FILE);
  return { cert: robot, clientKey: robot, ...(stampOf(ca) === 'gone' ? {} : { ca }) };
}

function stampOf({ path }: Source): string {
  try {
    const { mtimeMs, ctimeMs, size, ino } = statSync(path);
    return `${path} ${mtimeMs} ${ctimeMs} ${size} ${ino}`;
  } catch {
    return 'gone';
  }
}

function read({ path, key }: Source): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new EdgeError('config.unreadable', {
      ...{ operation: 'read certificate', subject: key, cause },
      message: `${path}: ${(cause as Error).message}`,
      hint: `set ${key} to a PEM file that this user can read`,
    });
  }
}

function readPrivate(source: Source): string {
  const text = read(source);
  const mode = statSync(source.path).mode & 0o777;
  if ((mode & 0o077) === 0) return text;
  throw invalid(
    source,
    `${source.path} has mode ${mode.toString(8)}: others may read the private key`,
    `chmod 600 ${source.path}`,
  );
}

function certificateOf(pem: string, source: Source): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch (cause) {
    const hint = 'the file needs a part -----BEGIN CERTIFICATE-----';
    throw invalid(source, `${source.path} contains no PEM certificate`, hint, cause);
  }
}

function requirePair(cert: string, key: string, certSource: Source, keySource: Source): void {
  const certificate = certificateOf(cert, certSource);
  let fits: boolean;
  try {
    fits = certificate.checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    const hint = 'the file needs a part -----BEGIN PRIVATE KEY-----';
    throw invalid(
      keySource,
      `${keySource.path} contains no private key in PEM, or one with a password`,
      hint,
      cause,
    );
  }
  if (fits) return;
  const message = `${keySource.path} is not the private key of ${certSource.path}`;
  throw invalid(keySource, message, 'use the two that were issued together, or enrol again');
}

function invalid({ key }: Source, message: string, hint: string, cause?: unknown): EdgeError {
  return new EdgeError('config.invalid', {
    operation: 'read certificate',
    subject: key,
    message,
    hint,
    cause,
  });
}
