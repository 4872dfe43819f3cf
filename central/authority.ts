import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  X509Certificate,
} from 'node:crypto';
import { type Clock, EdgeError, LIMITS, type Secrets, toMs } from '../contract/index.ts';

/** Files of the data directory. */
export const AUTHORITY_KEY = 'authority-key.pem';
export const AUTHORITY = 'authority.pem';

export type Pair = { readonly certificate: string; readonly key: string };

const SIGNED_BY = { name: 'ECDSA', hash: 'SHA-256' };
const CURVE = { name: 'ECDSA', namedCurve: 'P-256' };
const BEGIN = '-----BEGIN CERTIFICATE-----';

/** The coordinator's own certificate authority: it issues certificates for robots and for the coordinator itself. */
export class Authority {
  /** PEM: its own certificate first, then others that robots are to trust and whose certificates count. */
  readonly bundle: string;
  readonly #key: string;
  readonly #clock: Clock;

  private constructor(bundle: string, key: string, clock: Clock) {
    this.bundle = bundle;
    this.#key = key;
    this.#clock = clock;
  }

  /** Made at the first start. Rejects with `host.missing` where the files cannot be used. */
  static async open(secrets: Secrets, clock: Clock): Promise<Authority> {
    const key = await secrets.readOrCreate(AUTHORITY_KEY, newKey);
    const made = (await secrets.read(AUTHORITY)) ?? (await selfSigned(key, clock));
    const bundle = await secrets.readOrCreate(AUTHORITY, () => made);
    let fits: boolean;
    try {
      fits = new X509Certificate(bundle).checkPrivateKey(createPrivateKey(key));
    } catch (cause) {
      throw unusable((cause as Error).message, cause);
    }
    if (!fits) throw unusable(`the first certificate of ${AUTHORITY} is not that of ${AUTHORITY_KEY}`);
    return new Authority(bundle, key, clock);
  }

  /** SHA-256 of its certificate, hex: what a token for enrolment names. */
  get fingerprint(): string {
    return fingerprintOf(this.bundle);
  }

  /** Whether it was issued here, whenever that was. */
  hasSigned(certificate: X509Certificate): boolean {
    return certificate.verify(new X509Certificate(this.bundle).publicKey);
  }

  /** For the coordinator, under these names and addresses; with a new key. */
  async issueServer(names: readonly string[]): Promise<Pair> {
    const { SubjectAlternativeNameExtension } = await x509();
    const key = newKey();
    const altNames = names.map((value) => ({
      type: isAddress(value) ? ('ip' as const) : ('dns' as const),
      value,
    }));
    const extensions = [new SubjectAlternativeNameExtension(altNames)];
    const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
    const certificate = await this.#issue(
      'auraison central',
      publicKey,
      'serverAuth',
      LIMITS.CENTRAL_CERTIFICATE_MS,
      extensions,
    );
    // With its authority behind it, so that a robot that enrols can compare it with its token.
    return { certificate: `${certificate}\n${this.bundle}`, key };
  }

  /** For the key of a robot: SPKI in PEM. Throws `schema.invalid` where it is not an ed25519 key. */
  async issueRobot(robot: string, publicKey: string, validMs: number): Promise<string> {
    return await this.#issue(robot, spkiOf(publicKey), 'clientAuth', validMs, []);
  }

  async #issue(
    name: string,
    publicKey: Buffer,
    purpose: 'serverAuth' | 'clientAuth',
    validMs: number,
    more: readonly object[],
  ): Promise<string> {
    const lib = await x509();
    const nowMs = toMs(this.#clock.now());
    const signer = new lib.X509Certificate(new X509Certificate(this.bundle).raw);
    const certificate = await lib.X509CertificateGenerator.create({
      subject: `CN=${name}`,
      issuer: signer.subject,
      notBefore: new Date(nowMs - LIMITS.CENTRAL_CLOCK_SLACK_MS),
      notAfter: new Date(nowMs + validMs),
      signingAlgorithm: SIGNED_BY,
      publicKey,
      signingKey: await signingKey(this.#key),
      extensions: [
        new lib.BasicConstraintsExtension(false, undefined, true),
        new lib.KeyUsagesExtension(lib.KeyUsageFlags.digitalSignature, true),
        new lib.ExtendedKeyUsageExtension([lib.ExtendedKeyUsage[purpose]]),
        ...(more as never[]),
      ],
    });
    return certificate.toString('pem');
  }
}

/** SHA-256 of the first certificate of a PEM text, hex. */
export function fingerprintOf(pem: string): string {
  return createHash('sha256').update(new X509Certificate(pem).raw).digest('hex');
}

/** The certificates of a PEM text, one by one. */
export function certificatesOf(pem: string): X509Certificate[] {
  return pem
    .split(BEGIN)
    .slice(1)
    .map((text) => new X509Certificate(BEGIN + text));
}

/** DER of a public ed25519 key in PEM. Throws `schema.invalid`. */
export function spkiOf(pem: string): Buffer {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key.export({ type: 'spki', format: 'der' });
  } catch {
    // Not a key at all.
  }
  throw new EdgeError('schema.invalid', {
    operation: 'issue certificate',
    subject: 'public_key',
    message: '/public_key: an ed25519 key in PEM expected',
  });
}

/** The library is loaded where certificates are issued only. It needs metadata of decorators. */
async function x509() {
  await import('reflect-metadata');
  return await import('@peculiar/x509');
}

function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

async function signingKey(pem: string) {
  return createPrivateKey(pem).toCryptoKey(CURVE, true, ['sign']);
}

async function selfSigned(key: string, clock: Clock): Promise<string> {
  const lib = await x509();
  const nowMs = toMs(clock.now());
  const publicKey = createPublicKey(key).toCryptoKey(CURVE, true, ['verify']);
  const certificate = await lib.X509CertificateGenerator.createSelfSigned({
    name: 'CN=auraison central authority',
    notBefore: new Date(nowMs - LIMITS.CENTRAL_CLOCK_SLACK_MS),
    notAfter: new Date(nowMs + LIMITS.CENTRAL_AUTHORITY_MS),
    signingAlgorithm: SIGNED_BY,
    keys: { publicKey, privateKey: await signingKey(key) },
    extensions: [
      new lib.BasicConstraintsExtension(true, 0, true),
      new lib.KeyUsagesExtension(lib.KeyUsageFlags.keyCertSign | lib.KeyUsageFlags.cRLSign, true),
    ],
  });
  return certificate.toString('pem');
}

function isAddress(name: string): boolean {
  return /^[0-9.]+$/.test(name) || name.includes(':');
}

function unusable(message: string, cause?: unknown): EdgeError {
  return new EdgeError('host.missing', {
    operation: 'open coordinator',
    subject: AUTHORITY,
    message: `the certificate authority cannot be used: ${message}`,
    hint: `restore ${AUTHORITY} and ${AUTHORITY_KEY} from a backup; with new ones every robot must be enrolled again`,
    cause,
  });
}
