import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import { openInvitations } from '../../central/invitations.ts';
import type { CentralOptions } from '../../central/start-central.ts';
import { HttpCentral } from '../../central-link/http-central.ts';
import { HttpDownlink } from '../../central-link/http-downlink.ts';
import { linkIdentity, refusedWay } from '../../central-link/link-identity.ts';
import { type Clock, type EdgeError, LIMITS } from '../../contract/index.ts';
import { enrolRobot, linkRenewal } from '../../daemon/compose/link-identity.ts';
import { isLoopbackHost } from '../../daemon/config/loopback.ts';
import { readConfig } from '../../daemon/config.ts';
import { Authority } from '../support/certificates.ts';
import { CentralRig, noise, ObjectRig } from '../support/object-rig.ts';
import { TinyLog } from '../support/tiny-log.ts';

const clock = new SystemClock();
const HOUR_MS = 3_600_000;
/** The host's clock, moved. */
function moved(ms: number): Clock {
  return {
    now: () => clock.now() + BigInt(ms) * 1_000_000n,
    monotonicMs: () => clock.monotonicMs(),
    after: (...args) => clock.after(...args),
    every: (...args) => clock.every(...args),
  };
}

describe('a robot with a key of its own', () => {
  let central: CentralRig;
  let folder: string;
  const closing: { close(): unknown }[] = [];
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'robots-'));
    central = await new CentralRig().start({ tls: {} });
  });
  afterEach(async () => {
    for (const one of closing.splice(0)) await one.close();
    await central.stop();
    rmSync(folder, { recursive: true });
  });

  const invitations = async () => {
    const { dataDir } = central;
    const found = await openInvitations(dataDir, new FileSecrets(dataDir, 'cli'), clock);
    closing.push(found);
    return found;
  };
  const invite = async (robot: string, validMs = HOUR_MS) => (await invitations()).invite(robot, validMs);
  const dirOf = (robot: string) => join(folder, robot);
  const enrol = async (
    robot: string,
    token: string,
    more: { url?: string; ca?: string; trustFirst?: boolean } = {},
  ) =>
    enrolRobot({
      ...{ url: central.running.url, token, robot, dataDir: dirOf(robot), clock },
      ...{ ca: undefined, trustFirst: false },
      ...more,
    });
  const configOf = (url = central.running.url, more = '') =>
    readConfig(`[link]\ncentral_url = "${url}"\n${more}`, 'test.toml', {}).config;
  const identityOf = (robot: string) => linkIdentity(configOf().link, dirOf(robot));
  /** The way of an enrolled robot to central, as the daemon composes it. */
  const optionsOf = (robot: string, url = central.running.url) => {
    const { tls, receiptKey, credentials } = identityOf(robot);
    return { url, clock, tls, credentials, publicKey: receiptKey };
  };
  const linkOf = (robot: string) => {
    const link = new HttpCentral(optionsOf(robot));
    closing.push(link);
    return link;
  };
  const batch = (robot: string) => {
    const { events } = new TinyLog('runtime').fill(3);
    return { robot, epoch: events[0]!.event_id, lane: 'events.runtime', events };
  };

  it("is enrolled by a one-time token over the coordinator's own authority, and sends, reads and reports its own only", async () => {
    const done = await enrol('r1', await invite('r1'));
    expect(done.until.getTime()).toBeGreaterThan(Date.now() + 80 * 24 * HOUR_MS);
    const link = linkOf('r1');
    expect(await link.push(batch('r1'))).toMatchObject({ robot: 'r1', seq: 3 });
    const forbidden = {
      code: 'api.unauthorised',
      message: expect.stringContaining('these are the credentials of r1'),
    };
    await expect(link.push(batch('r2'))).rejects.toMatchObject(forbidden);
    await expect(link.watermark('r2', batch('r2').epoch, 'events.runtime')).rejects.toMatchObject(forbidden);
    const down = new HttpDownlink(optionsOf('r1'));
    closing.push(down);
    await expect(down.orders('r2', 0)).rejects.toMatchObject(forbidden);
    const report = { order_id: batch('x').epoch, state: 'refused', reason: 'forged' } as const;
    await expect(down.report('r2', [report])).rejects.toMatchObject(forbidden);
    expect((await down.orders('r1', 0)).orders).toEqual([]);
  });

  it('speaks alone for its name: neither the token of all robots nor one in a file does', async () => {
    mkdirSync(join(central.dataDir, 'robots'));
    writeFileSync(join(central.dataDir, 'robots', 'r1'), 'a-token-of-r1-in-a-file');
    await enrol('r1', await invite('r1'));
    const { tls } = identityOf('r1');
    const ca = { ca: tls()!.ca! };
    for (const token of [central.running.token, 'a-token-of-r1-in-a-file']) {
      const forger = new HttpCentral({ url: central.running.url, clock, tls: () => ca, token: () => token });
      closing.push(forger);
      await expect(forger.push(batch('r1'))).rejects.toMatchObject({ code: 'api.unauthorised' });
    }
  });

  it('keeps private keys for its own user, and no file or answer of the coordinator has one of a robot', async () => {
    const { file } = await enrol('r1', await invite('r1'));
    expect(readdirSync(join(dirOf('r1'), 'link-identity')).sort()).toEqual([
      'authorities.pem',
      'central-key.pem',
      'robot.pem',
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(join(central.dataDir, 'authority-key.pem')).mode & 0o777).toBe(0o600);
    const secret = readFileSync(file, 'utf8').split('\n')[1]!;
    for (const name of readdirSync(central.dataDir, { recursive: true, withFileTypes: true }))
      if (name.isFile())
        expect(readFileSync(join(name.parentPath, name.name)).includes(secret), name.name).toBe(false);
  });

  it('uses a token once, for its name, before it expires; with the same key the lost answer comes again', async () => {
    const token = await invite('r1');
    await expect(enrol('r2', token)).rejects.toMatchObject({ subject: 'daemon.name' });
    await enrol('r1', token);
    rmSync(dirOf('r1'), { recursive: true });
    await expect(enrol('r1', token)).rejects.toMatchObject({
      code: 'api.unauthorised',
      message: /used already/,
    });
    await expect(enrol('r3', await invite('r3', 0))).rejects.toMatchObject({ message: /expired/ });
    const replaced = await invite('r4');
    await invite('r4');
    await expect(enrol('r4', replaced)).rejects.toMatchObject({ message: /not known here/ });
    await expect(enrol('r5', 'half-a-token')).rejects.toMatchObject({ subject: '--token' });
    // The answer was lost: the robot has its key, and no certificate.
    const fifth = await invite('r5');
    await enrol('r5', fifth);
    const identity = join(dirOf('r5'), 'link-identity');
    const [key] = readFileSync(join(identity, 'robot.pem'), 'utf8').split('-----BEGIN CERTIFICATE');
    rmSync(join(identity, 'robot.pem'));
    writeFileSync(join(identity, 'next-key.pem'), key!, { mode: 0o600 });
    await enrol('r5', fifth);
    expect(await linkOf('r5').push(batch('r5'))).toMatchObject({ seq: 3 });
  });

  it('does not enrol at a coordinator that its token does not name, nor over plain HTTP', async () => {
    const token = await invite('r1');
    const other = await new CentralRig().start({ tls: {} });
    await expect(enrol('r1', token, { url: other.running.url })).rejects.toMatchObject({
      code: 'link.refused',
      message: /does not show the authority that the token names/,
    });
    await other.stop();
    await expect(enrol('r1', token, { url: 'http://127.0.0.1:1' })).rejects.toMatchObject({
      message: /needs https/,
    });
    // A token that names no authority: what is shown first is trusted where that is asked for only.
    const unnamed = token.replace(/\.[0-9a-f]{64}\./, '.-.');
    await expect(enrol('r1', unnamed)).rejects.toMatchObject({
      message: /not from an authority that this robot trusts/,
      hint: /link.ca_file/,
    });
    await enrol('r1', unnamed, { trustFirst: true });
    expect(await linkOf('r1').push(batch('r1'))).toMatchObject({ seq: 3 });
  });

  it('is refused from the moment it is revoked, also over an open connection, until it is enrolled again', async () => {
    await enrol('r1', await invite('r1'));
    const link = linkOf('r1');
    await link.push(batch('r1'));
    const desk = await invitations();
    desk.revoke('r1');
    await expect(link.push(batch('r1'))).rejects.toMatchObject({
      code: 'api.unauthorised',
      message: expect.stringMatching(/was revoked.*link-identity\/robot\.pem/),
      hint: expect.stringContaining('auraison central enrol r1'),
    });
    expect(desk.list()).toMatchObject([{ robot: 'r1', state: 'revoked' }]);
    await enrol('r1', await desk.invite('r1', HOUR_MS));
    // The same link takes the new certificate up without a restart.
    expect(await link.push(batch('r1'))).toMatchObject({ seq: 3 });
    expect(desk.list()).toMatchObject([{ robot: 'r1', state: 'current' }]);
  });

  it('gets a new key in time, and the certificate before it counts until the new one was used', async () => {
    await enrol('r1', await invite('r1'));
    const file = join(dirOf('r1'), 'link-identity', 'robot.pem');
    const before = readFileSync(file, 'utf8');
    const reports: string[] = [];
    const renewalAt = (time: Clock) => {
      const parts = { url: central.running.url, robot: 'r1', dataDir: dirOf('r1') };
      const report = (level: string, message: string, facts?: object) =>
        void reports.push(`${level} ${message} ${JSON.stringify(facts)}`);
      const made = linkRenewal(identityOf('r1'), { clock: time, report }, parts)!;
      closing.push(made);
      return made;
    };
    await renewalAt(clock).look();
    expect(readFileSync(file, 'utf8')).toBe(before);
    const link = linkOf('r1');
    await link.push(batch('r1'));
    await renewalAt(moved(70 * 24 * HOUR_MS)).look();
    const after = readFileSync(file, 'utf8');
    expect([after === before, reports]).toEqual([
      false,
      [expect.stringMatching(/^info the certificate of this robot was renewed/)],
    ]);
    // The robot was killed before it had the new one: the old one still counts.
    const old = join(folder, 'old', 'link-identity');
    mkdirSync(old, { recursive: true });
    for (const name of ['authorities.pem', 'central-key.pem'])
      writeFileSync(join(old, name), readFileSync(join(dirOf('r1'), 'link-identity', name)));
    writeFileSync(join(old, 'robot.pem'), before, { mode: 0o600 });
    const thief = linkOf('old');
    await thief.push(batch('r1'));
    await linkOf('r1').push(batch('r1'));
    await expect(thief.push(batch('r1'))).rejects.toMatchObject({ message: /replaced by a newer one/ });
    expect(reports.join()).not.toContain('PRIVATE');
  });

  it('whose certificate expired hears so, also over an open connection, and renews it; a revoked one does not', async () => {
    let offsetMs = 0;
    const shifting: Clock = {
      now: () => moved(offsetMs).now(),
      monotonicMs: () => clock.monotonicMs(),
      after: (...args) => clock.after(...args),
      every: (...args) => clock.every(...args),
    };
    await central.running.stop();
    await central.start({ tls: {}, clock: shifting });
    const late = expect.stringMatching(/certificate of r\d expired on .*; here it is 20/);
    await enrol('r3', await invite('r3'));
    const open = linkOf('r3');
    await open.push(batch('r3'));
    offsetMs = 2_400 * HOUR_MS;
    await expect(open.push(batch('r3'))).rejects.toMatchObject({ code: 'api.unauthorised', message: late });
    // Issued so long ago that they have expired by now.
    offsetMs = -2_400 * HOUR_MS;
    await enrol('r1', await invite('r1'));
    await enrol('r2', await invite('r2'));
    offsetMs = 0;
    await expect(linkOf('r1').push(batch('r1'))).rejects.toMatchObject({ message: late });
    (await invitations()).revoke('r2');
    const reports: string[] = [];
    for (const robot of ['r1', 'r2']) {
      const report = (_: string, message: string, facts?: object) =>
        void reports.push(`${robot} ${message} ${JSON.stringify(facts)}`);
      const parts = { url: central.running.url, robot, dataDir: dirOf(robot) };
      const renewal = linkRenewal(identityOf(robot), { clock, report }, parts)!;
      closing.push(renewal);
      await renewal.look();
    }
    expect(reports).toEqual([
      expect.stringMatching(/^r1 .* was renewed/),
      expect.stringMatching(/^r2 .* is not renewed .*was revoked/),
    ]);
    expect(await linkOf('r1').push(batch('r1'))).toMatchObject({ seq: 3 });
  });

  it('says what is wrong: the name, the clock, the mode of a file, the pair', async () => {
    await enrol('r1', await invite('r1'));
    const refused = async (options: Partial<CentralOptions>) => {
      await central.running.stop();
      await central.start({ tls: {}, ...options });
      return (await linkOf('r1')
        .push(batch('r1'))
        .catch((error: unknown) => error)) as EdgeError;
    };
    expect(await refused({ host: '127.0.0.2' })).toMatchObject({
      message: expect.stringMatching(/the certificate of 127\.0\.0\.2:\d+ is for other names: .*localhost/),
      hint: expect.stringContaining('--name 127.0.0.2'),
    });
    expect(await refused({ clock: moved(-4_800 * HOUR_MS) })).toMatchObject({
      message: expect.stringMatching(/has expired; the clock of this host says 20/),
    });
    expect(await refused({ clock: moved(4_800 * HOUR_MS) })).toMatchObject({
      message: expect.stringMatching(/is not valid yet; the clock of this host says 20/),
      hint: 'set the clock of this host',
    });
    const identity = join(dirOf('r1'), 'link-identity');
    const good = readFileSync(join(identity, 'robot.pem'), 'utf8');
    rmSync(join(identity, 'robot.pem'));
    writeFileSync(join(identity, 'robot.pem'), good, { mode: 0o644 });
    expect(() => identityOf('r1').tls()).toThrow(/robot\.pem has mode 644/);
    const authority = new Authority(folder, 'other');
    const files = authority.issue('r1');
    const strange = authority.issue('r2');
    const toml = (cert: string, key: string) =>
      `cert_file = "${cert}"\ncert_key_file = "${key}"\nca_file = "${authority.ca}"`;
    const withFiles = (cert: string, key: string) =>
      linkIdentity(configOf(undefined, toml(cert, key)).link, dirOf('r1'));
    expect(() => withFiles(files.certificate, strange.key).tls()).toThrow(
      /r2\.key is not the private key of .*r1\.pem/,
    );
    expect(() => withFiles(files.certificate, '/nowhere/r1.key').tls()).toThrow(
      /\/nowhere\/r1\.key.*ENOENT|ENOENT.*r1\.key/,
    );
  });

  it('is known by a certificate of another authority in files, and refused without one where no tokens count', async () => {
    const authority = new Authority(folder, 'fleet');
    const server = authority.issue('central');
    await central.running.stop();
    const files = { certificate: server.certificate, key: server.key, clients: authority.ca };
    await central.start({ tls: files, auth: 'certificate' });
    const of = (name: string, from = authority) => {
      const { certificate, key } = from.issue(name);
      const tls = {
        ca: readFileSync(authority.ca, 'utf8'),
        cert: readFileSync(certificate, 'utf8'),
        key: readFileSync(key, 'utf8'),
      };
      const link = new HttpCentral({
        url: central.running.url,
        clock,
        tls: () => tls,
        credentials: certificate,
      });
      closing.push(link);
      return link;
    };
    expect(await of('r1').push(batch('r1'))).toMatchObject({ seq: 3 });
    await expect(of('r2').push(batch('r1'))).rejects.toMatchObject({ code: 'api.unauthorised' });
    const foreign = new Authority(folder, 'foreign');
    await expect(of('r1', foreign).push(batch('r1'))).rejects.toMatchObject({
      message: /not from an authority that counts here/,
    });
    (await invitations()).revoke('r1');
    await expect(of('r1').push(batch('r1'))).rejects.toMatchObject({ message: /was revoked/ });
    const ca = { ca: readFileSync(authority.ca, 'utf8') };
    const bare = new HttpCentral({
      url: central.running.url,
      clock,
      tls: () => ca,
      token: () => central.running.token,
    });
    closing.push(bare);
    await expect(bare.push(batch('r3'))).rejects.toMatchObject({ message: /no client certificate came/ });
    // Its authority has no part in the file: the robot needs it by --ca.
    await expect(enrol('r4', await invite('r4'))).rejects.toMatchObject({
      message: /authority that this robot trusts/,
    });
    await enrol('r4', await invite('r4'), { ca: authority.ca });
    expect(await linkOf('r4').push(batch('r4'))).toMatchObject({ seq: 3 });
  });

  it('sends files by its certificate', async () => {
    await enrol('tb1', await invite('tb1'));
    const robot = new ObjectRig();
    robot.add('bags/a/a_0.mcap', noise(200_000, 1));
    const { HttpObjects } = await import('../../central-link/http-objects.ts');
    const objects = new HttpObjects(optionsOf('tb1'));
    closing.push(objects, robot);
    const sender = robot.sender(objects);
    for (let i = 0; i < 40 && !robot.book.isHeld('bags/a/a_0.mcap'); i++) await sender.step();
    expect(robot.book.isHeld('bags/a/a_0.mcap')).toBe(true);
  });

  it('reaches central although other clients hold connections that say nothing', async () => {
    await enrol('r1', await invite('r1'));
    const { port } = new URL(central.running.url);
    const silent = Array.from({ length: LIMITS.CENTRAL_UNKNOWN_CONNECTIONS_MAX + 20 }, () =>
      connect({ host: '127.0.0.1', port: Number(port), rejectUnauthorized: false }).on('error', () => {}),
    );
    const link = linkOf('r1');
    expect(await link.push(batch('r1'))).toMatchObject({ seq: 3 });
    await expect
      .poll(() => silent.filter((one) => one.closed).length, { timeout: 20_000 })
      .toBeGreaterThanOrEqual(20);
    // The robot's connection is known, and stays.
    expect(await link.push(batch('r1'))).toMatchObject({ seq: 3 });
    for (const one of silent) one.destroy();
  });

  it('is not sent over plain HTTP to another host, nor without a key of receipts, unless that is asked for', async () => {
    const why = (url: string, more = '', robot = 'r9') =>
      refusedWay(
        configOf(url, more).link,
        linkIdentity(configOf(url, more).link, dirOf(robot)),
        isLoopbackHost,
      );
    expect(why('http://127.0.0.1:7602')).toBeUndefined();
    expect(why('http://central.example', 'trust_published_key = true')).toMatch(/plain HTTP/);
    expect(why('http://central.example', 'trust_published_key = true\nplain_http = true')).toBeUndefined();
    expect(why('https://central.example')).toMatch(/whose receipts count/);
    expect(why('https://central.example', 'trust_published_key = true')).toBeUndefined();
    await enrol('r9', await invite('r9'));
    expect(why('https://central.example')).toBeUndefined();
  });
});
