import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { loadNative } from '../../adapters/zenoh/native-loader.ts';
import { type Declaration, EdgeError, type KeyValue } from '../../contract/index.ts';
import { bytes, sleep, text } from '../support/key-values.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohPeer } from '../support/zenoh-peer.ts';

/** What a network may do to this driver: too large, too many, too slow, badly named. */
const clock = new SystemClock();
let faults: EdgeError[];
let router: NativeKeySpace;
let endpoint: string;
let opened: { close(): Promise<unknown> }[];

beforeEach(async () => {
  faults = [];
  endpoint = `tcp/127.0.0.1:${await freePort()}`;
  router = await open('router');
});
afterEach(async () => {
  await Promise.all(opened.map((one) => one.close()));
  opened = [];
});
opened = [];

async function open(mode: 'router' | 'client', config: Record<string, unknown> = {}) {
  const ends = mode === 'router' ? { listen: [endpoint] } : { connect: [endpoint] };
  const keySpace = await NativeKeySpace.open(
    { mode, ...ends, config },
    { clock, onFault: (fault) => faults.push(fault) },
  );
  opened.push(keySpace);
  return keySpace;
}

async function eventually(check: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`not within 60 s: ${what}`);
    await sleep(10);
  }
}

/** Settles when a value of `from` reaches `to`: all that was declared before on this link has, too. */
async function linked(from: NativeKeySpace, to: NativeKeySpace): Promise<void> {
  let seen = false;
  const probe = await to.subscribe('probe/link', () => {
    seen = true;
  });
  await eventually(async () => {
    await from.put('probe/link', bytes('x'), { congestion: 'block' });
    return seen;
  }, 'the link');
  await probe.undeclare();
}

describe('size', () => {
  it('carries 64 MiB, filled in place or copied, and 64 MiB as question and answer', async () => {
    const client = await open('client');
    const sizes: [number, number][] = [];
    const note = ({ payload }: KeyValue): [number, number] => [payload.length, payload.at(-1) ?? -1];
    await router.subscribe('huge/*', (values) => sizes.push(...values.map(note)), { loan: true });
    await router.queryable('huge/echo', async ({ payload, encoding }) => ({ payload: payload!, encoding }));
    await linked(client, router);
    const size = 64 * 1024 * 1024;
    const plain = new Uint8Array(size).fill(3);
    await client.put('huge/a', plain, { congestion: 'block' });
    const lent = await client.allocate(size);
    lent.fill(4);
    await client.put('huge/b', lent, { congestion: 'block' });
    await eventually(() => sizes.length === 2, 'both values');
    expect(sizes).toEqual([
      [size, 3],
      [size, 4],
    ]);
    const [reply] = await client.query('huge/echo', { payload: plain, timeoutMs: 60_000 });
    expect(reply?.ok && note(reply.value)).toEqual([size, 3]);
  });
});

describe('names', () => {
  it('takes keys that Zenoh takes and refuses the others, each with a typed error', async () => {
    const client = await open('client');
    const good = [
      'ü/ñ/漢字',
      'a b/c',
      '@x/y',
      `${'k'.repeat(2_000)}`,
      'a/b/'.repeat(200).slice(0, -1),
      '\'"\\',
    ];
    const seen = new Set<string>();
    await router.subscribe('**', (values) => {
      for (const { key } of values) seen.add(key);
    });
    await router.subscribe('@x/**', (values) => {
      for (const { key } of values) seen.add(key);
    });
    await linked(client, router);
    for (const key of good) await client.put(key, bytes('x'), { congestion: 'block' });
    await eventually(() => good.every((key) => seen.has(key)), 'all good keys');
    for (const key of [
      '',
      '/',
      'a//b',
      'a/',
      '#',
      'a?b',
      'a/$b',
      'a/**/**',
      'a/*b',
      '$*$*',
      '**/*',
      'a/$*',
    ]) {
      const refused = await client.put(key, bytes('x')).catch((error: unknown) => error);
      expect(refused, key).toBeInstanceOf(EdgeError);
      expect((refused as EdgeError).code, key).toBe('zenoh.failed');
    }
    // An odd name takes nothing with it.
    await client.put('after', bytes('x'), { congestion: 'block' });
    await eventually(() => seen.has('after'), 'a value after all that');
  });
});

describe('number', () => {
  it('holds 10,000 declarations at once, each of them working, and lets them all go', async () => {
    const client = await open('client');
    const count = 10_000;
    const got = new Set<string>();
    const declare = (i: number): Promise<Declaration> => {
      if (i % 2 === 1)
        return client.queryable(`many/${i}`, async () => ({ payload: bytes(String(i)), encoding: '' }));
      return client.subscribe(`many/${i}`, (values) => {
        for (const { key } of values) got.add(key);
      });
    };
    // The driver waits a minute for a declaration in its queue: on a busy host that is too little for all of them.
    const declared: Declaration[] = [];
    for (let from = 0; from < count; from += 2_500)
      declared.push(...(await Promise.all(Array.from({ length: 2_500 }, (_, i) => declare(from + i)))));
    await linked(client, router);
    for (const i of [0, 4_998, 9_998]) await router.put(`many/${i}`, bytes('x'), { congestion: 'block' });
    await eventually(() => got.size === 3, 'values at three of them');
    const replies = await router.query('many/9999', { timeoutMs: 30_000 });
    expect(replies.map((reply) => (reply.ok ? text(reply.value) : reply.error))).toEqual(['9999']);
    await Promise.all(declared.map((one) => one.undeclare()));
    await eventually(
      async () => (await router.query('many/9999', { timeoutMs: 30_000 })).length === 0,
      'the end of the last one',
    );
    expect(faults).toEqual([]);
  });
});

describe('a receiver that stands still', () => {
  it('costs a bounded memory, delays nobody else, and all puts settle', async () => {
    const stalled = new ZenohPeer('zenoh_puppet.py', endpoint, '{}');
    opened.push({ close: () => stalled.kill() });
    await stalled.until((line) => line['open'] === true);
    await stalled.order({ sub: 'stream/**' });
    const reader = await open('client');
    let read = 0;
    await reader.subscribe('stream/**', (values) => {
      read += values.length;
    });
    const sender = await open('client');
    await linked(sender, reader);
    process.kill(stalled.pid, 'SIGSTOP');
    const before = process.memoryUsage().rss;
    const frame = new Uint8Array(500_000);
    const sent = 400;
    for (let i = 0; i < sent; i++) {
      await sender.put(`stream/${i % 4}`, frame, { congestion: 'drop' });
      if (i % 20 === 0) await sleep(5);
    }
    await eventually(() => read > 0, 'values at the other reader');
    // 200 MB were sent to a reader that takes none: what is kept for it is a fraction of that.
    expect(process.memoryUsage().rss - before).toBeLessThan(190e6);
    // Small ones still pass to the other reader.
    const at = read;
    await eventually(async () => {
      await sender.put('stream/small', bytes('x'));
      return read > at;
    }, 'a small value beside the stalled reader');
    expect(faults).toEqual([]);
  });
});

describe('what strangers write beside the payload', () => {
  it('counts in what a queue holds: attachments and keys', async () => {
    const session = await loadNative().openSession(
      {
        mode: 'client',
        listen: [],
        connect: [endpoint],
        overrides: [],
        pinnedShmBytesMax: 0,
        sharedMemoryBytes: 0,
      },
      () => {},
    );
    opened.push({ close: () => session.close().then(() => session.release()) });
    // Nobody takes anything out: what the queue holds is what its limit lets it.
    const held = async (key: string, attachment: Uint8Array | undefined) => {
      const reader = session.reserve();
      await session.declareSubscriber(reader, key, undefined, { depth: 100, bytes: 1_000 });
      const publisher = await session.declarePublisher(key, undefined, false, 0, {});
      for (let i = 0; i < 10; i++) session.put(publisher, bytes('x'), attachment, undefined);
      await eventually(() => session.counters(reader)?.received === 10, 'ten values');
      return session.counters(reader)?.queued;
    };
    expect(await held('beside/nothing', undefined)).toBe(10);
    expect(await held('beside/attachment', new Uint8Array(400))).toBe(2);
    expect(await held(`beside/${'long'.repeat(100)}`, undefined)).toBe(2);
  });
});
