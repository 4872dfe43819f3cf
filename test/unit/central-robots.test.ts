import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { Robots } from '../../central/robots.ts';
import { HttpCentral } from '../../central-link/http-central.ts';
import { HttpDownlink } from '../../central-link/http-downlink.ts';
import { HttpObjects } from '../../central-link/http-objects.ts';
import { type Receipt, receiptText } from '../../contract/index.ts';
import { CentralRig, noise, ObjectRig } from '../support/object-rig.ts';
import { TinyLog } from '../support/tiny-log.ts';

const OWN = 'the-token-of-tb1-alone';
const FORBIDDEN = { code: 'api.unauthorised' };
const clock = new SystemClock();

describe('a robot with a token of its own', () => {
  let central: CentralRig;
  let robot: ObjectRig;
  beforeEach(async () => {
    central = await new CentralRig().start();
    robot = new ObjectRig();
    mkdirSync(join(central.dataDir, 'robots'));
    writeFileSync(join(central.dataDir, 'robots', 'tb1'), `${OWN}\n`);
  });
  afterEach(async () => {
    robot.close();
    await central.stop();
  });
  const as = (token: string | undefined) => ({ url: central.running.url, clock, token: () => token });
  const batch = (name: string) => {
    const { events } = new TinyLog('runtime').fill(3);
    return { robot: name, epoch: events[0]!.event_id, lane: 'events.runtime', events };
  };

  it('sends and reads what is its own, and nothing of others', async () => {
    const own = new HttpCentral(as(OWN));
    expect(await own.push(batch('tb1'))).toMatchObject({ robot: 'tb1', seq: 3 });
    await expect(own.push(batch('tb2'))).rejects.toMatchObject(FORBIDDEN);
    await expect(own.watermark('tb2', batch('tb2').epoch, 'events.runtime')).rejects.toMatchObject(FORBIDDEN);
    await expect(new HttpDownlink(as(OWN)).orders('tb2', 0)).rejects.toMatchObject(FORBIDDEN);
    const report = { order_id: batch('x').epoch, state: 'refused', reason: 'forged' } as const;
    await expect(new HttpDownlink(as(OWN)).report('tb2', [report])).rejects.toMatchObject(FORBIDDEN);
    await new HttpCentral(as(central.running.token)).push(batch('tb2'));
    const listed = await fetch(`${central.running.url}/link/v1/robots`, {
      headers: { authorization: `Bearer ${OWN}` },
    });
    expect(((await listed.json()) as { robots: { robot: string }[] }).robots.map((one) => one.robot)).toEqual(
      ['tb1'],
    );
  });

  it('is not forged with the token of all robots, neither its events nor its files', async () => {
    const { token } = central.running;
    await expect(new HttpCentral(as(token)).push(batch('tb1'))).rejects.toMatchObject(FORBIDDEN);
    expect(await new HttpCentral(as(token)).push(batch('tb2'))).toMatchObject({ seq: 3 });
    robot.add('bags/a/a_0.mcap', noise(1_000, 1));
    const forger = robot.sender(central.objects());
    await expect(forger.step()).rejects.toMatchObject(FORBIDDEN);
    expect(await central.list()).toEqual([]);
    const own = robot.sender(central.objects(central.running.url, OWN));
    for (let i = 0; i < 6 && !robot.book.isHeld('bags/a/a_0.mcap'); i++) await own.step();
    expect(robot.book.isHeld('bags/a/a_0.mcap')).toBe(true);
  });

  it('loses its rights with its file, without a restart', async () => {
    const own = new HttpCentral(as(OWN));
    await own.push(batch('tb1'));
    rmSync(join(central.dataDir, 'robots', 'tb1'));
    await expect(own.push(batch('tb1'))).rejects.toMatchObject(FORBIDDEN);
  });

  it('loses its rights although the file of another robot is not valid, which is reported once', () => {
    const folder = join(central.dataDir, 'robots');
    writeFileSync(join(folder, 'tb3'), 'the-token-of-tb3-alone');
    const reports: string[] = [];
    const robots = new Robots('shared-token-of-all', folder, (message) => void reports.push(message));
    writeFileSync(join(folder, 'tb2'), 'short');
    writeFileSync(join(folder, 'tb3'), '');
    mkdirSync(join(folder, 'tb4'));
    rmSync(join(folder, 'tb1'));
    expect(robots.find(OWN)).toBeUndefined();
    // Until its file is valid again, what was read before counts.
    expect(robots.find('the-token-of-tb3-alone')?.name).toBe('tb3');
    const shared = robots.find('shared-token-of-all');
    // A robot that is to have a token of its own is not one of those without.
    expect(['tb1', 'tb2', 'tb3', 'tb5'].map((name) => shared?.mayActFor(name))).toEqual([
      ...[true, false, false, true],
    ]);
    expect(reports).toHaveLength(3);
    writeFileSync(join(folder, 'tb3'), 'another-token-of-tb3');
    expect(robots.find('the-token-of-tb3-alone')).toBeUndefined();
    expect(robots.find('another-token-of-tb3')?.name).toBe('tb3');
    expect(reports).toHaveLength(3);
  });

  it('is refused at the start where two have one token, or a token is short', () => {
    const folder = join(central.dataDir, 'robots');
    writeFileSync(join(folder, 'tb2'), OWN);
    expect(() => new Robots('shared-token-of-all', folder)).toThrow(
      /robots\/tb1: another robot has this token/,
    );
    writeFileSync(join(folder, 'tb2'), 'short');
    expect(() => new Robots('shared-token-of-all', folder)).toThrow(/robots\/tb2: a token of 16/);
  });
});

it('a coordinator that goes back to version 1 gets the push again as plain text, and is asked again for its version', async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    const encoding = request.headers['content-encoding'] ?? 'plain';
    seen.push(`${request.url} ${encoding}`);
    request.resume();
    // It was of version 2 when it was asked first.
    const isHello = request.url === '/link/v2/hello' && seen.length === 1;
    const hello = { versions: [1, 2], encodings: ['zstd'], part_bytes_max: 65_536 };
    const code = request.url === '/link/v1/push' ? 'schema.invalid' : 'api.not_found';
    const refusal = { code, operation: 'x', subject: 'x', message: 'no', hint: '', retryable: false };
    response.writeHead(isHello ? 200 : code === 'api.not_found' ? 404 : 400, {
      'content-type': 'application/json',
    });
    response.end(JSON.stringify(isHello ? hello : refusal));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const options = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, clock };
  const central = new HttpCentral(options);
  const { events } = new TinyLog('runtime').fill(40);
  const push = { robot: 'tb1', epoch: events[0]!.event_id, lane: 'events.runtime', events };
  for (let i = 0; i < 2; i++)
    await expect(central.push(push)).rejects.toMatchObject({ code: 'link.refused' });
  expect(seen).toEqual([
    '/link/v2/hello plain',
    '/link/v1/push zstd',
    '/link/v1/push plain',
    '/link/v2/hello plain',
    '/link/v1/push plain',
  ]);
  seen.length = 0;
  const objects = new HttpObjects(options);
  expect(await objects.partBytesMax()).toBe(65_536);
  const object = { ...push, events: undefined, lane: 'bags' as const, seq: 1, sha256: 'a'.repeat(64) };
  const offer = { ...object, bytes: 1, part_bytes: 65_536, root: 'b'.repeat(64), name: 'bags/a/a_0.mcap' };
  await expect(objects.offer(offer)).rejects.toMatchObject({ code: 'api.not_found' });
  expect(await objects.partBytesMax()).toBeUndefined();
  await Promise.all([central.close(), objects.close()]);
  server.closeAllConnections();
  server.close();
});

it('a robot of this version works with a coordinator of version 1: nothing compressed, no request of version 2', async () => {
  const seen: string[] = [];
  const { events } = new TinyLog('runtime').fill(40);
  const batch = { robot: 'tb1', epoch: events[0]!.event_id, lane: 'events.runtime', events };
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const keyId = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
  const held: Omit<Receipt, 'signature'> = {
    robot: 'tb1',
    epoch: batch.epoch,
    lane: batch.lane,
    seq: 40,
    sha256: events[39]!.hash,
  };
  const signature = `ed25519:${keyId}:${sign(null, Buffer.from(receiptText(held)), privateKey).toString('base64url')}`;
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url} ${request.headers['content-encoding'] ?? 'plain'}`);
    request.resume();
    const isPush = request.url === '/link/v1/push';
    response.writeHead(isPush ? 200 : 401, { 'content-type': 'application/json' });
    response.end(JSON.stringify(isPush ? { ...held, signature } : {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const central = new HttpCentral({
    url,
    clock,
    publicKey: publicKey.export({ type: 'spki', format: 'pem' }) as string,
  });
  expect(await central.push(batch)).toMatchObject({ seq: 40 });
  await central.push(batch);
  expect(seen).toEqual(['GET /link/v2/hello plain', 'POST /link/v1/push plain', 'POST /link/v1/push plain']);
  await central.close();
  server.closeAllConnections();
  server.close();
});
