import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
  X509Certificate,
} from 'node:crypto';
import { connect, type PeerCertificate } from 'node:tls';
import {
  type Clock,
  EdgeError,
  type EnrolToken,
  identityText,
  LIMITS,
  type LinkIdentity,
  linkIdentityChecker,
  readEnrolToken,
} from '../contract/index.ts';
import { CentralHttp } from './central-http.ts';
import { AUTHORITIES_FILE, NEXT_KEY_FILE, RECEIPT_KEY_FILE, ROBOT_FILE } from './identity-files.ts';

/** Files of mode 0600 in the folder of the identity; `replace` is durable when it returns. */
export type IdentityStore = {
  read(name: string): Promise<string | undefined>;
  readOrCreate(name: string, make: () => string): Promise<string>;
  replace(name: string, value: string): void;
  remove(name: string): void;
};

export type EnrolOptions = {
  readonly url: string;
  /** `daemon.name` of this robot. */
  readonly robot: string;
  /** The text of the token. */
  readonly token: string;
  /** PEM of the authority of the coordinator, instead of the one that the token names. */
  readonly ca?: string;
  /** Trust the authority that is shown first; only for a token that names none. */
  readonly trustFirst: boolean;
  readonly store: IdentityStore;
  readonly clock: Clock;
};

/**
 * Gets this robot its certificate for a one-time token, and keeps it. What was kept before stays until everything is there; the
 * same token can be used again until then. Rejects with `config.invalid`, `link.refused`, `link.unreachable`, `api.unauthorised`.
 */
export async function enrol(
  options: EnrolOptions,
): Promise<{ readonly until: Date; readonly authority: string }> {
  const { url, robot, store, clock } = options;
  const token = readEnrolToken(options.token);
  if (!token)
    throw refusal(
      'config.invalid',
      '--token',
      'this is not a token for enrolment, or a part of it is missing',
      'auraison central enrol NAME prints one, at the coordinator',
    );
  const { protocol, host } = new URL(url);
  if (protocol !== 'https:')
    throw refusal(
      'config.invalid',
      url,
      'enrolment needs https: over plain HTTP anybody on the way could take the token',
      'start the coordinator with --tls, and use its https address',
    );
  if (token.robot !== robot)
    throw refusal(
      'config.invalid',
      'daemon.name',
      `the token is for ${token.robot}, this robot is ${robot}`,
      `auraison central enrol ${robot} makes one for this robot; its name is daemon.name of the configuration`,
    );
  const ca = await authorityOf(options, token);
  const http = new CentralHttp({ url, clock, tls: () => (ca === undefined ? undefined : facts) });
  const facts = ca === undefined ? {} : { ca };
  try {
    const key = await nextKey(store);
    const body = JSON.stringify({ ...requestOf(robot, key), secret: token.secret });
    const identity = await ask(http, 'link/v2/enrol', body, robot, key);
    // What robots are to trust from now on; the same authority where the token named it.
    const kept = options.ca ?? (identity.authorities || ca);
    if (kept !== undefined && kept !== '') store.replace(AUTHORITIES_FILE, kept);
    else store.remove(AUTHORITIES_FILE);
    store.replace(RECEIPT_KEY_FILE, identity.receipt_key);
    keep(store, key, identity);
    return {
      until: new X509Certificate(identity.certificate).validToDate,
      authority: kept ? fingerprint(new X509Certificate(kept)) : `those of this host, for ${host}`,
    };
  } finally {
    http.close();
  }
}

/** A new key and a certificate for it, for the ones that `http` shows. Rejects as `enrol`. */
export async function renew(http: CentralHttp, robot: string, store: IdentityStore): Promise<Date> {
  const key = await nextKey(store);
  const identity = await ask(http, 'link/v2/renew', JSON.stringify(requestOf(robot, key)), robot, key);
  if (identity.authorities !== '') store.replace(AUTHORITIES_FILE, identity.authorities);
  keep(store, key, identity);
  return new X509Certificate(identity.certificate).validToDate;
}

function keep(store: IdentityStore, key: string, { certificate }: LinkIdentity): void {
  store.replace(ROBOT_FILE, `${key.trim()}\n${certificate.trim()}`);
  store.remove(NEXT_KEY_FILE);
}

async function ask(
  http: CentralHttp,
  path: string,
  body: string,
  robot: string,
  key: string,
): Promise<LinkIdentity> {
  const { status, json } = await http.request('POST', path, body);
  if (status !== 200) throw http.refusal(status, json);
  const identity = http.read(linkIdentityChecker, json);
  let fits = false;
  try {
    fits =
      identity.robot === robot &&
      new X509Certificate(identity.certificate).checkPrivateKey(createPrivateKey(key));
    createPublicKey(identity.receipt_key);
  } catch {
    // Not a certificate, or not a key.
  }
  if (fits) return identity;
  throw http.error('link.refused', 'the certificate in the answer is not for the key of this robot');
}

function requestOf(robot: string, key: string) {
  const privateKey = createPrivateKey(key);
  const public_key = createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }) as string;
  const text = identityText({ robot, public_key });
  return { robot, public_key, proof: sign(null, Buffer.from(text), privateKey).toString('base64url') };
}

/** The kept one, so that a lost answer comes again; a new one where it cannot be used. */
async function nextKey(store: IdentityStore): Promise<string> {
  try {
    const key = await store.readOrCreate(NEXT_KEY_FILE, newKey);
    if (createPrivateKey(key).asymmetricKeyType === 'ed25519') return key;
  } catch {
    // Empty, damaged, or readable by others.
  }
  const key = newKey();
  store.replace(NEXT_KEY_FILE, key);
  return key;
}

function newKey(): string {
  return generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
}

/** Whose certificates count while the robot enrols; undefined: those that the host trusts. */
async function authorityOf(
  { url, ca, trustFirst, clock }: EnrolOptions,
  token: EnrolToken,
): Promise<string | undefined> {
  if (ca !== undefined || (token.authority === '' && !trustFirst)) return ca;
  const chain = await shownChain(url, clock);
  const wanted =
    token.authority === '' ? chain.at(-1) : chain.find((one) => fingerprint(one) === token.authority);
  if (wanted) return wanted.toString();
  throw refusal(
    'link.refused',
    url,
    'the coordinator at this address does not show the authority that the token names: it is another one, or somebody is in between',
    'check the address; make a new token where the coordinator was set up again',
  );
}

/** What the coordinator shows of its certificates, before anything is sent to it. */
function shownChain(url: string, clock: Clock): Promise<X509Certificate[]> {
  const { hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, '');
  return new Promise((resolve, reject) => {
    const name = /^[0-9.]+$|:/.test(host) ? {} : { servername: host };
    const socket = connect({ host, port: Number(port || 443), rejectUnauthorized: false, ...name });
    const timer = clock.after(LIMITS.LINK_REQUEST_MS, () => end(new Error('no answer')));
    const end = (error?: Error) => {
      timer.cancel();
      socket.destroy();
      if (error)
        reject(
          refusal(
            'link.unreachable',
            url,
            error.message,
            'check the address; the coordinator needs --tls',
            error,
          ),
        );
    };
    socket.once('error', end);
    socket.once('secureConnect', () => {
      resolve(chainOf(socket.getPeerCertificate(true)));
      end();
    });
  });
}

function chainOf(first: PeerCertificate & { issuerCertificate?: PeerCertificate }): X509Certificate[] {
  const chain: X509Certificate[] = [];
  let at: typeof first | undefined = first;
  while (at?.raw && chain.length < 8) {
    chain.push(new X509Certificate(at.raw));
    at = at.issuerCertificate === at ? undefined : at.issuerCertificate;
  }
  return chain;
}

function fingerprint(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

function refusal(
  code: 'config.invalid' | 'link.refused' | 'link.unreachable',
  subject: string,
  message: string,
  hint: string,
  cause?: unknown,
): EdgeError {
  return new EdgeError(code, { operation: 'enrol robot', subject, message, hint, cause });
}
