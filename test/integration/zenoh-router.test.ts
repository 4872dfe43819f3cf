import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { EdgeError, KeyValue } from '../../contract/index.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** Our session as the router of processes that know nothing of us. */
const clock = new SystemClock();
const bytes = (text: string) => new TextEncoder().encode(text);
let router: NativeKeySpace;
let endpoint: string;
let faults: EdgeError[];
let peers: ZenohPeer[];

beforeEach(async () => {
  endpoint = `tcp/127.0.0.1:${await freePort()}`;
  faults = [];
  peers = [];
  const deps = { clock, onFault: (fault: EdgeError) => faults.push(fault) };
  router = await NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, deps);
});
afterEach(async () => {
  await Promise.all(peers.map((peer) => peer.kill()));
  await router.close();
  expect(faults).toEqual([]);
});

function peer(...args: string[]): ZenohPeer {
  const started = new ZenohPeer(...args);
  peers.push(started);
  return started;
}

async function eventually<T>(find: () => Promise<T | undefined> | T | undefined): Promise<T> {
  const end = performance.now() + 20_000;
  for (;;) {
    const found = await find();
    if (found !== undefined) return found;
    if (performance.now() > end) throw new Error('not within 20 s');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A Python subscriber whose declaration has reached us: it has seen a first value. */
async function subscribed(keyExpr: string, probe: string): Promise<ZenohPeer> {
  const subscriber = peer('sub', endpoint, keyExpr);
  await subscriber.until((line) => line['ready'] === true);
  await eventually(async () => {
    await router.put(probe, bytes('probe'));
    return subscriber.lines.some((line) => line['head'] === 'probe') || undefined;
  });
  return subscriber;
}

/** The same for a Python queryable: its token is declared after it, on the same link. */
async function serving(key: string, alive: Map<string, boolean>): Promise<ZenohPeer> {
  const server = peer('serve', endpoint, key);
  await server.until((line) => line['ready'] === true);
  await eventually(() => alive.get(key) || undefined);
  return server;
}

describe('our router', () => {
  it('carries 1,000 messages and one of 5 MB between two Python peers, without loss, in order', async () => {
    const subscriber = await subscribed('fleet/**', 'fleet/probe');
    const seen: KeyValue[] = [];
    await router.subscribe('fleet/r1/*', (batch) => seen.push(...batch), { depth: 10_000 });
    const publisher = peer('pub', endpoint, 'fleet/r1/count', '1000');
    const { sha256 } = await publisher.until((line) => line['done'] === true);
    const big = await subscriber.until((line) => line['size'] === 5_000_000);
    expect(big['sha256']).toBe(sha256);
    const small = subscriber.lines.filter((line) => line['size'] === 1024);
    expect(small.map((line) => line['head'])).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i)));
    // And this process, which only routed, saw the same.
    await eventually(() => (seen.length === 1_001 ? true : undefined));
  });

  it('exchanges values, queries and liveliness with a Python peer, and outlives its kill -9', async () => {
    const alive = new Map<string, boolean>();
    await router.watchLiveliness('service/*', (key, is) => alive.set(key, is));
    const server = await serving('service/echo', alive);
    const big = new Uint8Array(5_000_000).map((_, i) => i % 253);
    const [reply] = await router.query('service/echo', { payload: big, timeoutMs: 10_000 });
    if (!reply?.ok) throw new Error(JSON.stringify(reply));
    expect(Buffer.compare(reply.value.payload, big.slice().reverse())).toBe(0);

    const subscriber = await subscribed('news/*', 'news/probe');
    await router.put('news/a', bytes('before'), { encoding: 'text/plain' });
    expect(await subscriber.until((line) => line['head'] === 'before')).toMatchObject({
      key: 'news/a',
      encoding: 'text/plain',
    });

    await server.kill('SIGKILL');
    // Told by the transport that died, not by a timeout of ours.
    await eventually(() => (alive.get('service/echo') === false ? true : undefined));
    expect(await router.query('service/echo', { payload: bytes('x'), timeoutMs: 2_000 })).toEqual([]);
    await router.put('news/a', bytes('after'));
    await subscriber.until((line) => line['head'] === 'after');

    // A successor under the same name is found again.
    await serving('service/echo', alive);
    const replies = await router.query('service/echo', { payload: bytes('abc'), timeoutMs: 2_000 });
    expect(replies.map((r) => (r.ok ? new TextDecoder().decode(r.value.payload) : r))).toEqual(['cba']);
  });

  it('gives a query its end when the peer is killed while it is asked', async () => {
    const alive = new Map<string, boolean>();
    await router.watchLiveliness('service/*', (key, is) => alive.set(key, is));
    const server = await serving('service/slow', alive);
    // Stopped, so that it is silent, then killed.
    process.kill(server.pid, 'SIGSTOP');
    const start = performance.now();
    const silent = await router.query('service/slow', { payload: bytes('x'), timeoutMs: 300 });
    expect(silent).toMatchObject([{ ok: false, error: { code: 'deadline.exceeded' } }]);
    expect(performance.now() - start).toBeLessThan(1_000);
    const pending = router.query('service/slow', { payload: bytes('x'), timeoutMs: 10_000 });
    await server.kill('SIGKILL');
    const ended = await pending;
    expect(ended.filter((r) => r.ok)).toEqual([]);
    expect(performance.now() - start).toBeLessThan(9_000);
  });
});
