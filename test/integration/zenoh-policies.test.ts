import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { KeyValue } from '../../contract/index.ts';
import { zenohOptions } from '../../daemon/compose/zenoh-options.ts';
import { readConfig } from '../../daemon/config.ts';
import { Authority, type Certificate } from '../support/certificates.ts';
import { bytes, sleep } from '../support/key-values.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** Policies from a configuration file, proven by Python processes that know nothing of them. */
const clock = new SystemClock();
let folder: string;
let ours: Authority;
let robot: Certificate;
let operator: Certificate;
let guest: Certificate;
let stranger: Certificate;
let open: { close(): Promise<unknown> }[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-zenoh-policies-'));
  ours = new Authority(folder, 'ours');
  robot = ours.issue('robot');
  operator = ours.issue('operator');
  guest = ours.issue('guest');
  stranger = new Authority(folder, 'theirs').issue('operator');
});
afterEach(async () => {
  await Promise.all(open.map((one) => one.close()));
  open = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** For what the other side does soon; `check` may act, for example send again. */
async function until(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within 30 s: ${what}`);
    await sleep(10);
  }
}

/** A robot whose [zenoh] table holds these lines; it listens at a free port. */
async function start(scheme: 'tcp' | 'tls', toml: string) {
  const port = await freePort();
  const source = `[zenoh]\nmode = "router"\nlisten = ["${scheme}/127.0.0.1:${port}"]\n${toml}`;
  const { config, faults } = readConfig(source, 'robot.toml', {});
  expect(faults).toEqual([]);
  const keySpace = await NativeKeySpace.open(zenohOptions(config.zenoh, {}, clock.now()), { clock });
  open.push(keySpace);
  return { keySpace, endpoint: `${scheme}/localhost:${port}` };
}

function puppet(endpoint: string, settings: Record<string, unknown> = {}): ZenohPeer {
  const peer = new ZenohPeer('zenoh_puppet.py', endpoint, JSON.stringify(settings));
  open.push({ close: () => peer.kill() });
  return peer;
}

const tls = (ca: string, own?: Certificate) => ({
  'transport/link/tls/root_ca_certificate': ca,
  ...(own === undefined
    ? {}
    : {
        'transport/link/tls/enable_mtls': true,
        'transport/link/tls/connect_certificate': own.certificate,
        'transport/link/tls/connect_private_key': own.key,
      }),
});
const files = ({ certificate, key }: Certificate) =>
  `tls_ca = "${ours.ca}"\ntls_certificate = "${certificate}"\ntls_key = "${key}"\n`;
const outcome = (peer: ZenohPeer) =>
  peer.until((line) => line['open'] === true || line['refused'] !== undefined);

async function collect(keySpace: NativeKeySpace, keyExpr: string) {
  const values: KeyValue[] = [];
  await keySpace.subscribe(keyExpr, (batch) => values.push(...batch), { depth: 100_000 });
  return values;
}

describe('TLS', () => {
  it('carries values to who knows the authority, and nobody else gets in', async () => {
    const { keySpace, endpoint } = await start('tls', `${files(robot)}tls_mutual = false\n`);
    const values = await collect(keySpace, 'a/*');
    const friend = puppet(endpoint, tls(ours.ca));
    expect(await outcome(friend)).toEqual({ open: true });
    await friend.order({ put: 'a/x', size: 100_000 });
    await until(() => values.length === 1, 'the value over TLS');
    expect(values[0]!.payload.length).toBe(100_000);
    const misled = puppet(endpoint, tls(join(folder, 'theirs', 'ca.pem')));
    expect(await outcome(misled)).toMatchObject({ refused: expect.any(String) });
    const plain = puppet(endpoint.replace('tls/', 'tcp/'));
    expect(await outcome(plain)).toMatchObject({ refused: expect.any(String) });
  });

  it('mutual: refuses who has no certificate, or one of another authority', async () => {
    const { keySpace, endpoint } = await start('tls', files(robot));
    const values = await collect(keySpace, '**');
    const nobody = puppet(endpoint, tls(ours.ca));
    const other = puppet(endpoint, tls(ours.ca, stranger));
    expect(await outcome(nobody)).toMatchObject({ refused: expect.any(String) });
    expect(await outcome(other)).toMatchObject({ refused: expect.any(String) });
    const friend = puppet(endpoint, tls(ours.ca, operator));
    expect(await outcome(friend)).toEqual({ open: true });
    await friend.order({ put: 'a/friend' });
    await until(() => values.length > 0, 'the value of the friend');
    expect(values.map((v) => v.key)).toEqual(['a/friend']);
  });

  it('connects our own client by certificate, which checks the name of the other side', async () => {
    const { keySpace, endpoint } = await start('tls', files(robot));
    const values = await collect(keySpace, 'b/*');
    const source = `[zenoh]\nmode = "client"\nconnect = ["${endpoint}"]\n${files(operator)}`;
    const { config } = readConfig(source, 'client.toml', {});
    const client = await NativeKeySpace.open(zenohOptions(config.zenoh, {}, clock.now()), { clock });
    open.push(client);
    await until(async () => {
      await client.put('b/x', bytes('hello'));
      return values.length > 0;
    }, 'a value of our client');
  });
});

describe('certificates that cannot be right', () => {
  const opening = (toml: string, at = clock.now()) => {
    const { config } = readConfig(`[zenoh]\nlisten = ["tls/127.0.0.1:1"]\n${toml}`, 'robot.toml', {});
    return () => zenohOptions(config.zenoh, {}, at);
  };

  it('names the key of the configuration and the file', () => {
    const refused = (subject: string, message: string) =>
      expect.objectContaining({ code: 'config.invalid', subject, message: expect.stringContaining(message) });
    const mixed = files({ certificate: robot.certificate, key: guest.key });
    expect(opening(mixed)).toThrow(refused('zenoh.tls_key', `${guest.key} is not the private key of`));
    const inThreeDays = (clock.now() + 3n * 86_400_000_000_000n) as ReturnType<typeof clock.now>;
    expect(opening(files(robot), inThreeDays)).toThrow(refused('zenoh.tls_ca', 'expired on'));
    const swapped = files({ certificate: robot.key, key: robot.key });
    expect(opening(swapped)).toThrow(refused('zenoh.tls_certificate', 'no PEM certificate'));
    chmodSync(guest.key, 0o644);
    const readable = files({ certificate: guest.certificate, key: guest.key });
    expect(opening(readable)).toThrow(refused('zenoh.tls_key', 'others may read it'));
  });
});

describe('access control', () => {
  it('allows by the common name of the certificate: the operator commands, the guest only looks', async () => {
    const { keySpace, endpoint } = await start(
      'tls',
      `${files(robot)}
[[zenoh.access]]
keys = ["state/**"]
[[zenoh.access]]
keys = ["command/**"]
messages = ["put", "query", "reply", "declare_subscriber", "declare_queryable"]
names = ["operator"]
`,
    );
    // A subscription is announced where a rule allows all of it: `**` would be nobody's to see.
    const values = await collect(keySpace, 'state/**');
    await keySpace.subscribe('command/**', (batch) => values.push(...batch));
    await keySpace.queryable('command/mode', async () => ({
      payload: bytes('auto'),
      encoding: 'text/plain',
    }));
    const [boss, visitor] = [puppet(endpoint, tls(ours.ca, operator)), puppet(endpoint, tls(ours.ca, guest))];
    await Promise.all([outcome(boss), outcome(visitor)]);
    await visitor.order({ sub: 'state/*' });
    await visitor.order({ put: 'command/stop' });
    await visitor.order({ put: 'state/visitor' });
    await boss.order({ put: 'command/go' });
    await boss.order({ put: 'state/boss' });
    await until(() => values.filter((v) => v.key.startsWith('state/')).length === 2, 'both states');
    // What was put before on the same link has arrived or was refused.
    expect(values.map((v) => v.key).sort()).toEqual(['command/go', 'state/boss', 'state/visitor']);
    await visitor.until((line) => line['key'] === 'state/boss');
    await boss.order({ get: 'command/mode' });
    await visitor.order({ get: 'command/mode' });
    expect(boss.lines.findLast((line) => line['get'] !== undefined)).toMatchObject({ replies: ['auto'] });
    expect(visitor.lines.findLast((line) => line['get'] !== undefined)).toMatchObject({ replies: [] });
  });
});

describe('what a link carries', () => {
  it('downsampling: at most so many per second of these keys, all of the others', async () => {
    const { keySpace, endpoint } = await start(
      'tcp',
      '[[zenoh.downsampling]]\nkeys = ["camera/**"]\nrate = "5 Hz"\nflow = "in"\n',
    );
    const values = await collect(keySpace, '**');
    const peer = puppet(endpoint);
    await outcome(peer);
    await peer.order({ put: 'camera/front', count: 200, rate: 100 });
    await peer.order({ put: 'odom', count: 200 });
    await until(() => values.filter((v) => v.key === 'odom').length === 200, 'all of the other key');
    const seconds = peer.lines.find((line) => line['put'] === 'camera/front')?.['seconds'] as number;
    const thinned = values.filter((v) => v.key === 'camera/front').length;
    expect(thinned).toBeGreaterThan(1);
    expect(thinned).toBeLessThanOrEqual(seconds * 5 + 2);
  });

  it('size limits: large values stay here, small ones go', async () => {
    const { keySpace, endpoint } = await start(
      'tcp',
      '[[zenoh.size_limits]]\nkeys = ["cloud/**"]\nsize = "10 KiB"\nflow = "out"\n',
    );
    const peer = puppet(endpoint);
    await outcome(peer);
    await peer.order({ sub: '**' });
    await until(async () => {
      await keySpace.put('probe', bytes('x'));
      return peer.lines.some((line) => line['key'] === 'probe');
    }, 'the subscription of the peer');
    await keySpace.put('cloud/a', new Uint8Array(20_000), { congestion: 'block' });
    await keySpace.put('cloud/b', new Uint8Array(10_000), { congestion: 'block' });
    await keySpace.put('other/a', new Uint8Array(20_000), { congestion: 'block' });
    await peer.until((line) => line['key'] === 'other/a');
    const sizes = peer.lines.filter((line) => line['key'] !== 'probe' && line['size'] !== undefined);
    expect(sizes.map((line) => [line['key'], line['size']])).toEqual([
      ['cloud/b', 10_000],
      ['other/a', 20_000],
    ]);
  });

  it('delivery: priority and express by key, seen by who receives', async () => {
    const { keySpace, endpoint } = await start(
      'tcp',
      `[[zenoh.delivery]]
keys = ["safety/**"]
priority = "real_time"
express = true
[[zenoh.delivery]]
keys = ["**"]
priority = "data_low"
`,
    );
    const peer = puppet(endpoint);
    await outcome(peer);
    await peer.order({ sub: '**' });
    await until(async () => {
      await keySpace.put('map/x', bytes('x'), { priority: 'interactive_high' });
      await keySpace.put('safety/x', bytes('x'));
      return ['map/x', 'safety/x'].every((key) => peer.lines.some((line) => line['key'] === key));
    }, 'both values');
    const of = (key: string) => peer.lines.find((line) => line['key'] === key);
    expect(of('safety/x')).toMatchObject({ priority: 'real_time', express: true });
    expect(of('map/x')).toMatchObject({ priority: 'data_low', express: false });
  });

  it('shared memory: what was allocated is not copied on the way, and theirs is seen here', async () => {
    const { keySpace, endpoint } = await start('tcp', 'shared_memory = "8 MiB"\n');
    const values = await collect(keySpace, 'theirs');
    const peer = puppet(endpoint);
    await outcome(peer);
    await peer.order({ sub: 'ours' });
    await until(async () => {
      const memory = await keySpace.allocate(900_000);
      memory.fill(7);
      await keySpace.put('ours', memory, { congestion: 'block' });
      return peer.lines.some((line) => line['size'] === 900_000);
    }, 'a frame');
    expect(peer.lines.find((line) => line['size'] === 900_000)).toMatchObject({ shared: true });
    await peer.order({ put: 'theirs', size: 900_000, count: 30, shared: true });
    await until(() => values.length === 30, 'their frames');
    expect(values.every((v, i) => v.payload.length === 900_000 && v.payload.every((b) => b === i))).toBe(
      true,
    );
    // More than the pool holds: memory of the heap, sent all the same.
    const large = await keySpace.allocate(20_000_000);
    large.fill(1);
    await keySpace.put('ours', large, { congestion: 'block' });
    await peer.until((line) => line['size'] === 20_000_000);
  });
});
