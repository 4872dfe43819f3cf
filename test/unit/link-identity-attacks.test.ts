import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, sign, type webcrypto, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { Authority, fingerprintOf } from '../../central/authority.ts';
import { Enrolment } from '../../central/enrolment.ts';
import { IDENTITIES_FILE, IdentityRows } from '../../central/identity-rows.ts';
import { openInvitations } from '../../central/invitations.ts';
import { type Clock, identityText } from '../../contract/index.ts';
import { enrolRobot } from '../../daemon/compose/link-identity.ts';
import { Authority as FileAuthority } from '../support/certificates.ts';
import { CentralRig } from '../support/object-rig.ts';

const DAY_MS = 86_400_000;
const LATE = 'CERT_HAS_EXPIRED';

class ShiftedClock extends SystemClock {
  offsetMs = 0;
  override now(): bigint {
    return super.now() + BigInt(this.offsetMs) * 1_000_000n;
  }
}

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const public_key = publicKey.export({ type: 'spki', format: 'pem' }) as string;
  const request = (robot: string) => ({
    ...{ robot, public_key },
    proof: sign(null, Buffer.from(identityText({ robot, public_key })), privateKey).toString('base64url'),
  });
  return { pem, public_key, request };
}

const shown = (pem: string, fault = '') => ({ raw: new X509Certificate(pem).raw, fault });
const secretOf = (letter: string) => letter.repeat(43);
const unauthorised = (message: RegExp) => ({
  code: 'api.unauthorised',
  message: expect.stringMatching(message),
});

describe('enrolment against strangers', () => {
  let folder: string;
  let clock: ShiftedClock;
  let rows: IdentityRows;
  let authority: Authority;
  let enrolment: Enrolment;
  const openAuthority = (name: string, at: Clock = clock) =>
    Authority.open(new FileSecrets(join(folder, name), 'test'), at);
  const over = (own: IdentityRows) =>
    new Enrolment({ rows: own, authority, authorities: '', receiptKey: 'k', clock });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'enrolment-'));
    clock = new ShiftedClock();
    rows = new IdentityRows(join(folder, IDENTITIES_FILE), () => clock.now());
    authority = await openAuthority('own');
    enrolment = over(rows);
  });
  afterEach(() => {
    rows.close();
    rmSync(folder, { recursive: true });
  });

  async function enrolled(robot: string, key = newKey()): Promise<string> {
    rows.addToken(secretOf('e'), robot, DAY_MS);
    return (await enrolment.enrol({ ...key.request(robot), secret: secretOf('e') })).certificate;
  }

  it('an expired certificate of a stranger renews nothing, whatever name it carries', async () => {
    clock.offsetMs = -200 * DAY_MS;
    const foreign = await openAuthority('foreign');
    const forged = await foreign.issueRobot('r1', newKey().public_key, DAY_MS);
    const own = await enrolled('r1');
    clock.offsetMs = 0;
    for (const fault of ['', LATE])
      await expect(enrolment.renew(newKey().request('r1'), shown(forged, fault))).rejects.toMatchObject(
        unauthorised(/only one that is known here/),
      );
    // Of the own authority, and known: late is enough to renew.
    await expect(enrolment.renew(newKey().request('r1'), shown(own, LATE))).resolves.toMatchObject({
      robot: 'r1',
    });
    // In the rows, but not signed by the authority.
    rows.addToken(secretOf('f'), 'r2', DAY_MS);
    const key = newKey();
    const by = { secret: secretOf('f') };
    const row = { robot: 'r2', public_key: key.public_key, certificate: forged, not_after_ns: '1' };
    rows.add({ ...row, fingerprint: fingerprintOf(forged) }, by);
    await expect(enrolment.renew(newKey().request('r1'), shown(forged, LATE))).rejects.toMatchObject(
      unauthorised(/only one that is known here/),
    );
  });

  it('of robots that use one token at once, one is enrolled', async () => {
    rows.addToken(secretOf('a'), 'r1', DAY_MS);
    const keys = [newKey(), newKey(), newKey()];
    const all = await Promise.allSettled(
      keys.map((key) => enrolment.enrol({ ...key.request('r1'), secret: secretOf('a') })),
    );
    expect(all.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected']);
    expect(all.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: unauthorised(/used already, with another key/),
    });
  });

  it('twice at once with one key is answered with one certificate', async () => {
    rows.addToken(secretOf('a'), 'r1', DAY_MS);
    const body = { ...newKey().request('r1'), secret: secretOf('a') };
    const [one, two] = await Promise.all([enrolment.enrol(body), enrolment.enrol(body)]);
    expect(one.certificate).toBe(two.certificate);
    expect(enrolment.robot(shown(one.certificate))).toBe('r1');
  });

  it('a revocation while it is enrolled, or renewed, stays', async () => {
    const commandLine = new IdentityRows(join(folder, IDENTITIES_FILE), () => clock.now());
    rows.addToken(secretOf('a'), 'r1', DAY_MS);
    const enrolling = enrolment.enrol({ ...newKey().request('r1'), secret: secretOf('a') });
    commandLine.revoke('r1');
    await expect(enrolling).rejects.toMatchObject(unauthorised(/not known here/));
    expect(rows.isRevoked('r1')).toBe(true);
    const own = await enrolled('r2');
    const renewing = enrolment.renew(newKey().request('r2'), shown(own));
    commandLine.revoke('r2');
    await expect(renewing).rejects.toMatchObject(unauthorised(/revoked or replaced meanwhile/));
    commandLine.close();
  });

  it('a token is used up also by a key that has a certificate already', async () => {
    const own = await enrolled('r1');
    const next = newKey();
    await enrolment.renew(next.request('r1'), shown(own)); // Its answer was lost.
    rows.addToken(secretOf('a'), 'r1', DAY_MS);
    await enrolment.enrol({ ...next.request('r1'), secret: secretOf('a') });
    await expect(enrolment.enrol({ ...newKey().request('r1'), secret: secretOf('a') })).rejects.toMatchObject(
      unauthorised(/used already, with another key/),
    );
  });

  it('a certificate of the own authority does not count where identities.db was lost', async () => {
    const own = await enrolled('r1');
    expect(enrolment.robot(shown(own))).toBe('r1');
    rows.revoke('r1');
    const fresh = new IdentityRows(join(folder, 'fresh.db'), () => clock.now());
    const stranger = over(fresh);
    expect(() => stranger.robot(shown(own))).toThrow(/identities\.db does not know it/);
    await expect(stranger.renew(newKey().request('r1'), shown(own))).rejects.toMatchObject(
      unauthorised(/identities\.db does not know it/),
    );
    fresh.close();
  });

  it('a damaged identities.db is named, with what to do', () => {
    const path = join(folder, 'damaged.db');
    writeFileSync(path, 'this is not a database, but it is long enough to look like one'.repeat(100));
    expect(() => new IdentityRows(path, () => 1n)).toThrow(
      expect.objectContaining({
        code: 'host.missing',
        message: expect.stringContaining(path),
        hint: expect.stringContaining('restore identities.db from a backup'),
      }),
    );
  });

  it('an expired certificate that signed itself gets none over HTTPS', async () => {
    const central = await new CentralRig().start({ tls: {} });
    await import('reflect-metadata');
    const lib = await import('@peculiar/x509');
    const keys = (await crypto.subtle.generateKey('Ed25519', true, [
      'sign',
      'verify',
    ])) as webcrypto.CryptoKeyPair;
    const forged = await lib.X509CertificateGenerator.createSelfSigned({
      name: 'CN=r1',
      notBefore: new Date(Date.now() - 10 * DAY_MS),
      notAfter: new Date(Date.now() - DAY_MS),
      signingAlgorithm: { name: 'Ed25519' },
      keys,
    });
    const key = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
    const answer = await new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
      const asked = request(
        `${central.running.url}/link/v2/renew`,
        {
          ...{ method: 'POST', rejectUnauthorized: false, agent: false, cert: forged.toString('pem') },
          key: `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----`,
          headers: { 'content-type': 'application/json' },
        },
        (response) => {
          let text = '';
          response.on('data', (part) => (text += part));
          response.on('end', () => resolve({ status: response.statusCode, text }));
        },
      );
      asked.on('error', reject).end(JSON.stringify(newKey().request('r1')));
    });
    expect(answer).toMatchObject({ status: 401, text: expect.not.stringContaining('BEGIN CERTIFICATE') });
    await central.stop();
  });
});

describe('enrolment with files that are not as expected', () => {
  let folder: string;
  let central: CentralRig;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'enrolment-'));
    central = new CentralRig();
  });
  afterEach(async () => {
    await central.stop();
    rmSync(folder, { recursive: true });
  });
  const invite = async (robot: string) => {
    const found = await openInvitations(
      central.dataDir,
      new FileSecrets(central.dataDir, 'cli'),
      new SystemClock(),
    );
    const token = await found.invite(robot, DAY_MS);
    found.close();
    return token;
  };
  const enrol = (robot: string, token: string, ca?: string) =>
    enrolRobot({
      ...{ url: central.running.url, token, robot, dataDir: join(folder, robot), clock: new SystemClock() },
      ...{ ca, trustFirst: false },
    });

  /** Leaf and intermediate in one file, as authorities of the web hand them out. */
  function fullChain(root: FileAuthority) {
    const at = (name: string) => join(folder, name);
    const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'ignore' });
    const signed = (name: string, by: string, byKey: string, extensions: string) => {
      writeFileSync(at(`${name}.ext`), extensions);
      const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
      openssl('req', ...key, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`);
      const files = ['-in', at(`${name}.csr`), '-out', at(`${name}.pem`), '-extfile', at(`${name}.ext`)];
      openssl('x509', '-req', ...files, '-days', '2', '-CA', by, '-CAkey', byKey, '-CAcreateserial');
    };
    signed('middle', root.ca, join(folder, 'root', 'ca.key'), 'basicConstraints=critical,CA:TRUE\n');
    signed('leaf', at('middle.pem'), at('middle.key'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
    const both = readFileSync(at('leaf.pem'), 'utf8') + readFileSync(at('middle.pem'), 'utf8');
    writeFileSync(at('fullchain.pem'), both);
    return { certificate: at('fullchain.pem'), key: at('leaf.key') };
  }

  it('a chain without its root names no authority; the one of --ca counts', async () => {
    const root = new FileAuthority(folder, 'root');
    const files = fullChain(root);
    await central.start({ tls: files });
    const token = await invite('r1');
    expect(token.split('.')[1]).toBe('-');
    expect(await enrol('r1', token, root.ca)).toMatchObject({ file: expect.any(String) });
    const kept = readFileSync(join(folder, 'r1', 'link-identity', 'authorities.pem'), 'utf8');
    expect(kept.trim()).toBe(readFileSync(root.ca, 'utf8').trim());
  });

  it('--ca counts also where the token names an authority', async () => {
    await central.start({ tls: {} });
    const other = new FileAuthority(folder, 'other');
    const token = await invite('r1');
    await expect(enrol('r1', token, other.ca)).rejects.toMatchObject({ code: 'link.unreachable' });
    await enrol('r1', token, join(central.dataDir, 'authority.pem'));
  });

  it.each([
    ['empty', ''],
    ['damaged', '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQ'],
  ])('a kept key that is %s gives way to a new one', async (_, text) => {
    await central.start({ tls: {} });
    const identity = join(folder, 'r1', 'link-identity');
    mkdirSync(identity, { recursive: true });
    writeFileSync(join(identity, 'next-key.pem'), text, { mode: 0o600 });
    await enrol('r1', await invite('r1'));
    expect(readdirSync(identity)).not.toContain('next-key.pem');
  });

  it('a --ca that is not there, or no certificate, is named', async () => {
    await central.start({ tls: {} });
    const empty = join(folder, 'empty.pem');
    writeFileSync(empty, '');
    for (const ca of ['/nope', empty])
      await expect(enrol('r1', await invite('r1'), ca)).rejects.toMatchObject({
        code: 'config.invalid',
        subject: '--ca',
        message: expect.stringContaining(ca),
      });
  });
});
