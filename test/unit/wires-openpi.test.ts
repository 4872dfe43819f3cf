import { connect as connectTcp } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import WebSocket from 'ws';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { connectOpenPi, OpenPiServer } from '../../adapters/openpi/index.ts';
import type { Clock, Observation, Policy } from '../../contract/core.ts';
import { decodeMsgpack, encodeMsgpack, NumpyArray } from '../../formats/msgpack/index.ts';
import { policyConformance } from '../conformance/policy.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { SeeingPolicy, seen } from '../fakes/seeing-policy.ts';
import { deskOf, serverOptions } from '../support/wire-desk.ts';

const clock = new SystemClock();
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function serve(
  policies: Readonly<Record<string, () => Policy>>,
  given: Parameters<typeof serverOptions>[0] = {},
) {
  const desk = await deskOf(policies);
  const options = serverOptions(given);
  const server = await OpenPiServer.start(desk, options);
  cleanups.push(
    () => desk.close(),
    () => server.close(),
  );
  const url = `ws://127.0.0.1:${server.view().port}`;
  return { desk, server, url, faults: options.faults };
}

const connect = async (url: string, given: { policy?: string; token?: string } = {}) => {
  const policy = await connectOpenPi({
    ...{ url, policy: given.policy ?? '', token: given.token, connectMs: 5_000, card: undefined, clock },
  });
  cleanups.push(() => policy.close());
  return policy;
};

/** A client that speaks the wire by hand; `next` is the next message, or `close <code>`. */
async function raw(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(url, { headers, perMessageDeflate: true });
  const inbox: (Buffer | string)[] = [];
  const waiting: ((message: Buffer | string) => void)[] = [];
  const put = (message: Buffer | string) => {
    const first = waiting.shift();
    if (first) first(message);
    else inbox.push(message);
  };
  socket.on('message', (data: Buffer, binary: boolean) => put(binary ? data : data.toString()));
  socket.on('close', (code) => put(`close ${code}`));
  socket.on('error', (error) => put(`error ${error.message}`));
  cleanups.push(async () => socket.terminate());
  return {
    socket,
    next: () =>
      new Promise<Buffer | string>((resolve) => {
        const first = inbox.shift();
        if (first) resolve(first);
        else waiting.push(resolve);
      }),
  };
}

/** The head of a request that becomes a WebSocket. */
const upgradeOf = (host: string) =>
  `${[
    'GET / HTTP/1.1',
    `host: ${host}`,
    ...['connection: upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'],
    `sec-websocket-key: ${Buffer.alloc(16).toString('base64')}`,
  ].join('\r\n')}\r\n\r\n`;

const question = (state: number[], shade: number, more = {}) =>
  encodeMsgpack(
    {
      'observation/state': NumpyArray.float32([state.length], Float32Array.from(state)),
      'observation/images/front': NumpyArray.uint8([4, 5, 3], new Uint8Array(60).fill(shade)),
      prompt: 'pick',
      ...more,
    },
    { numpy: 'openpi' },
  );
const answer = (bytes: Buffer | string) =>
  decodeMsgpack(bytes as Buffer, { numpy: 'openpi' }) as Record<string, NumpyArray> & {
    server_timing: Record<string, number>;
  };

describe('openpi: our client at our server', () => {
  /** The wire has no stamps, so they must not be part of the hash. */
  class Stampless extends HashPolicy {
    override infer(observation: Observation) {
      return super.infer({ ...observation, stamp: 0n });
    }
  }
  const conform = async () => {
    const { url } = await serve({ hash: () => new Stampless() });
    return connect(url);
  };
  policyConformance('over openpi', conform);

  it('brings pictures, task and every bit of the actions', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const policy = await connect(url);
    expect(policy.describe()).toMatchObject({ ...new SeeingPolicy().describe() });
    const over = await policy.infer(seen(1.1, 200, 'pick it'), 5_000);
    const direct = await new SeeingPolicy().infer(seen(1.1, 200, 'pick it'));
    expect(over).toEqual(direct);
  });

  it('keeps two clients apart: a reset of one is not noticed by the other', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const [a, b] = [await connect(url), await connect(url)];
    const step = async (policy: Policy) => (await policy.infer(seen(0, 0), 5_000)).actions.data[3];
    expect([await step(a), await step(b), await step(a), await step(b)]).toEqual([1, 1, 2, 2]);
    await a.reset!();
    expect([await step(b), await step(a), await step(b), await step(a)]).toEqual([3, 1, 4, 2]);
  });

  it('asks one of several policies by its path', async () => {
    const { url } = await serve({ first: () => new HashPolicy(), seeing: () => new SeeingPolicy() });
    expect((await connect(url, { policy: 'seeing' })).describe().output).toEqual([2, 4]);
    expect((await connect(url)).describe().output).toEqual([8, 2]);
    await expect(connect(url, { policy: 'none' })).rejects.toMatchObject({
      code: 'model.unavailable',
      message: expect.stringMatching(/404/),
    });
  });

  it('settles by the deadline while the server is deaf, and works again', async () => {
    let deaf = true;
    class Deaf extends HashPolicy {
      override async infer(...args: Parameters<HashPolicy['infer']>) {
        return deaf ? new Promise<never>(() => {}) : super.infer(...args);
      }
    }
    const { url } = await serve({ deaf: () => new Deaf() }, { deadlineMs: 300 });
    const policy = await connect(url);
    const observation = {
      tensors: {
        scan: { shape: [1, 36], data: new Float32Array(36) },
        state: { shape: [4], data: new Float32Array(4) },
      },
      stamp: 1n,
    };
    await expect(policy.infer(observation, 100)).rejects.toMatchObject({ code: 'deadline.exceeded' });
    deaf = false;
    await expect
      .poll(() => policy.infer(observation, 5_000).then((chunk) => chunk.actions.data.length, String), {
        timeout: 20_000,
      })
      .toBe(16);
  });

  it('says that nobody is there, and finds a server that comes back on its port', async () => {
    const first = await serve({ hash: () => new HashPolicy() });
    const policy = await connect(first.url);
    const { port } = first.server.view();
    await first.server.close();
    const observation = {
      tensors: {
        scan: { shape: [1, 36], data: new Float32Array(36) },
        state: { shape: [4], data: new Float32Array(4) },
      },
      stamp: 1n,
    };
    await expect(policy.infer(observation, 5_000)).rejects.toMatchObject({ code: 'model.unavailable' });
    await serve({ hash: () => new HashPolicy() }, { port });
    await expect
      .poll(() => policy.infer(observation, 5_000).then((chunk) => chunk.actions.data.length, String), {
        timeout: 20_000,
      })
      .toBe(16);
  });
});

describe('openpi: our server and strangers', () => {
  it('speaks as a stock server does: metadata, answer with timing, health', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const health = await fetch(`${url.replace('ws', 'http')}/healthz`);
    expect([health.status, await health.text()]).toEqual([200, 'OK\n']);
    const client = await raw(url);
    expect(answer(await client.next())).toMatchObject({ name: 'seeing', output: [2, 4], step_ms: 50 });
    // permessage-deflate was offered and not taken: a small frame cannot become a large message.
    expect(client.socket.extensions).toBe('');
    client.socket.send(question([1, 2, 3], 10));
    const first = answer(await client.next());
    expect(first['actions']!.shape).toEqual([2, 4]);
    expect([...first['actions']!.floats()]).toEqual([15, 16, 17, 1, 16, 17, 18, 1]);
    expect(Object.keys(first.server_timing)).toEqual(['infer_ms']);
    client.socket.send(question([1, 2, 3], 10, { endpoint: 'infer' }));
    expect(answer(await client.next()).server_timing).toHaveProperty('prev_total_ms');
    client.socket.send(encodeMsgpack({ endpoint: 'reset' }));
    await client.next();
    client.socket.send(question([1, 2, 3], 10));
    expect(answer(await client.next())['actions']!.floats()[3]).toBe(1);
  });

  it('takes pictures as planes, numbers as float64, and the newest of a history', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const client = await raw(url);
    await client.next();
    const planes = Uint8Array.from({ length: 60 }, (_, i) => (i < 20 ? 30 : 0));
    const history = new Uint8Array(new Float64Array([9, 9, 9, 1, 2, 3]).buffer);
    client.socket.send(
      question([], 0, {
        'observation/state': NumpyArray.of('<f8', [2, 3], history),
        'observation/images/front': NumpyArray.uint8([1, 3, 4, 5], planes),
      }),
    );
    expect([...answer(await client.next())['actions']!.floats()].slice(0, 3)).toEqual([15, 16, 17]);
  });

  it.each([
    [
      'a missing picture',
      encodeMsgpack({ 'observation/state': [1, 2, 3] }),
      /observation.images.front is missing/,
    ],
    ['NaN', question([1, Number.NaN, 3], 0), /must be finite/],
    ['a state that is too long', question([1, 2, 3, 4], 0), /3 numbers expected/],
    ['text instead of numbers', question([], 0, { 'observation/state': 'x' }), /array of numbers/],
    [
      'a picture of floats',
      question([1, 2, 3], 0, { 'observation/images/front': NumpyArray.float32([60], new Float32Array(60)) }),
      /uint8/,
    ],
    ['bytes that are no MessagePack', Uint8Array.of(0xc1), /never uses/],
    ['a list', encodeMsgpack([1]), /must be a map/],
    ['a text message', 'hello', /binary/],
  ])('answers %s in words and ends, and serves the next client', async (_, bytes, words) => {
    const { url, faults } = await serve({ seeing: () => new SeeingPolicy() });
    const client = await raw(url);
    await client.next();
    client.socket.send(bytes);
    expect(await client.next()).toMatch(words);
    expect(await client.next()).toBe('close 1011');
    expect(faults.length).toBeGreaterThan(0);
    const next = await connect(url);
    expect((await next.infer(seen(1, 2), 5_000)).actions.data).toHaveLength(8);
  });

  it('cuts a message off that is larger than any question of its policies', async () => {
    const { url } = await serve({ seeing: () => new SeeingPolicy() });
    const client = await raw(url);
    await client.next();
    client.socket.send(new Uint8Array(2 * 1024 * 1024));
    expect(await client.next()).toBe('close 1009');
  });

  it('does not hold what a client sends without waiting for answers', async () => {
    let free = () => {};
    const held = new Promise<void>((resolve) => {
      free = resolve;
    });
    class Held extends SeeingPolicy {
      override async infer(...args: Parameters<SeeingPolicy['infer']>) {
        await held;
        return super.infer(...args);
      }
    }
    const { url } = await serve({ held: () => new Held() });
    const client = await raw(url);
    await client.next();
    for (let i = 0; i < 200; i++) client.socket.send(question([1, 2, 3], 0));
    await expect.poll(() => client.socket.readyState, { timeout: 20_000 }).not.toBe(WebSocket.CONNECTING);
    free();
    const seenCodes = [];
    for (let message = await client.next(); ; message = await client.next()) {
      if (typeof message !== 'string') continue;
      seenCodes.push(message);
      if (message.startsWith('close')) break;
    }
    expect(seenCodes.at(-1)).toBe('close 1008');
  });

  it('gives up a client that is connected and dead, and its place is free', async () => {
    /** Seconds are hundredths: pings come every 200 ms. */
    const hasty: Clock = {
      now: () => clock.now(),
      monotonicMs: () => clock.monotonicMs(),
      after: (ms, fire) => clock.after(ms, fire),
      every: (ms, fire) => clock.every(ms / 100, fire),
    };
    const { url, server } = await serve({ hash: () => new HashPolicy() }, { clock: hasty, clientsMax: 1 });
    const { hostname, port } = new URL(url);
    const dead = connectTcp(Number(port), hostname);
    cleanups.push(async () => dead.destroy());
    dead.write(upgradeOf(hostname));
    await expect.poll(() => server.view().clients, { timeout: 20_000 }).toBe(1);
    await expect.poll(() => server.view().clients, { timeout: 20_000 }).toBe(0);
    const alive = await connect(url);
    expect(alive.describe().name).toBe('hash');
  });

  it('hangs up on who asks for no WebSocket that it speaks, and serves the next one', async () => {
    const { url, server, desk } = await serve({ hash: () => new HashPolicy() }, { clientsMax: 1 });
    const { hostname, port } = new URL(url);
    for (let i = 0; i < 20; i++) {
      const socket = connectTcp(Number(port), hostname);
      cleanups.push(async () => socket.destroy());
      const over = new Promise((resolve) => socket.on('error', () => {}).once('close', resolve));
      // Each of them claims a place and then fails the handshake itself.
      socket.write(upgradeOf(hostname).replace(/Sec-WebSocket-Key: .*/i, 'Sec-WebSocket-Key: short'));
      socket.resume();
      await over;
    }
    expect(desk.policies()[0]!.sessions).toBe(0);
    expect(server.view()).toMatchObject({ clients: 0, refused: 20 });
    expect((await connect(url)).describe().name).toBe('hash');
  }, 20_000);

  it('does not compute what a client sends after it was told the end', async () => {
    const policy = new SeeingPolicy();
    const { url } = await serve({ seeing: () => policy });
    const client = await raw(url);
    await client.next();
    client.socket.send(Uint8Array.of(0xc1));
    for (let i = 0; i < 3; i++) client.socket.send(question([1, 2, 3], 0));
    expect(await client.next()).toMatch(/never uses/);
    expect(await client.next()).toBe('close 1011');
    expect(policy.asked).toEqual([]);
  });

  it('wants its token where it has one, and lets no web page in where it has none', async () => {
    const locked = await serve({ hash: () => new HashPolicy() }, { token: 'secret-token' });
    await expect(connect(locked.url)).rejects.toMatchObject({ message: expect.stringMatching(/401/) });
    await expect(connect(locked.url, { token: 'other' })).rejects.toMatchObject({
      code: 'model.unavailable',
    });
    expect((await connect(locked.url, { token: 'secret-token' })).describe().name).toBe('hash');
    expect(locked.server.view().refused).toBe(2);
    const open = await serve({ hash: () => new HashPolicy() });
    const page = await raw(open.url, { origin: 'https://evil.example' });
    expect(await page.next()).toMatch(/403/);
  });

  it('serves as many clients as it may, and a place that was left again', async () => {
    const { url, server } = await serve({ hash: () => new HashPolicy() }, { clientsMax: 2 });
    const a = await connect(url);
    await connect(url);
    await expect(connect(url)).rejects.toMatchObject({ message: expect.stringMatching(/503/) });
    await a.close();
    await expect.poll(() => server.view().clients, { timeout: 20_000 }).toBe(1);
    expect((await connect(url)).describe().name).toBe('hash');
  });

  it('ends although somebody who was turned away, and somebody who never asked, hold on', async () => {
    const { url, server } = await serve({ hash: () => new HashPolicy() }, { token: 'secret-token' });
    const { hostname, port } = new URL(url);
    const holding = ['', 'GET / HTTP/1.1\r\n', `${upgradeOf(hostname)}`].map((head) => {
      const socket = connectTcp({ port: Number(port), host: hostname, allowHalfOpen: true });
      socket.on('error', () => {});
      cleanups.push(async () => socket.destroy());
      socket.write(head);
      return socket;
    });
    await new Promise((resolve) => holding[2]!.once('data', resolve));
    await server.close();
    await server.close();
  });

  it('never sends an action that is not a number', async () => {
    class Mad extends HashPolicy {
      override async infer(...args: Parameters<HashPolicy['infer']>) {
        const chunk = await super.infer(...args);
        chunk.actions.data[3] = Number.NaN;
        return chunk;
      }
    }
    const { url } = await serve({ mad: () => new Mad() });
    const policy = await connect(url);
    const observation = {
      tensors: {
        scan: { shape: [1, 36], data: new Float32Array(36) },
        state: { shape: [4], data: new Float32Array(4) },
      },
      stamp: 1n,
    };
    await expect(policy.infer(observation, 5_000)).rejects.toMatchObject({
      code: 'model.failed',
      message: expect.stringMatching(/NaN|finite/),
    });
  });
});
