import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type ChatApi, LIMITS, METHODS } from '../../contract/index.ts';
import { Connections } from '../../daemon/http/connections.ts';
import type { HttpPorts } from '../../daemon/http/http-ports.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/** Clients that ask and do not read: nobody keeps a place, or memory, without taking what was asked for. */
let rig: Rig;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await rig?.stop();
});

const get = (path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\n${more}\r\n`;

async function open(text: string): Promise<Socket> {
  const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
  sockets.push(socket);
  socket.pause();
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.write(text);
  return socket;
}

/** Everything until the server closes the connection. */
function whole(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const pieces: Buffer[] = [];
    socket.on('data', (piece) => pieces.push(piece));
    socket.once('close', () => resolve(Buffer.concat(pieces).toString('latin1')));
    socket.resume();
  });
}

/** Connections whose clients show a token and keep a request open; `taken`: whether the next gets a place. */
function crowd() {
  const connections = new Connections(new ManualClock());
  const taken = (isOperator: boolean): boolean => {
    const socket = new EventEmitter() as unknown as Socket;
    connections.opened(socket);
    const request = { socket } as IncomingMessage;
    connections.admit(request, new EventEmitter() as unknown as ServerResponse);
    return connections.known(request, isOperator);
  };
  return { connections, taken };
}

const bigRows = (count: number) => ({
  columns: [{ name: 'text', type: 'VARCHAR' }],
  rows: Array.from({ length: count }, () => ['x'.repeat(60_000)]),
  ...{ truncated: false, reason: '', bytes: 0, cut: 0 },
});

describe('requests that come before the answer to the one before', () => {
  it('are answered in their order, as many as are few', async () => {
    rig = await startRig();
    const some = Array.from({ length: LIMITS.API_PIPELINED_MAX - 1 }, () => get('/v1/runs')).join('');
    const text = await whole(await open(some + get('/nowhere', 'Connection: close\r\n')));
    const codes = [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => code);
    expect(codes).toEqual([...Array(LIMITS.API_PIPELINED_MAX - 1).fill('200'), '404']);
  });

  it('end the connection where they are many, and what is one too many is not done', async () => {
    rig = await startRig();
    await whole(await open(get('/v1/runs').repeat(100)));
    expect(rig.runtime.calls.length).toBeLessThanOrEqual(LIMITS.API_PIPELINED_MAX);
    expect((await rig.get('/health')).status).toBe(200);
  });

  it('leave places to others, also where nobody of those who asked has a token or reads', async () => {
    rig = await startRig();
    const much = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(400);
    await Promise.all(Array.from({ length: LIMITS.API_CONNECTIONS_MAX }, () => open(much)));
    const status = async () => (await rig.get('/health').catch(() => undefined))?.status;
    await expect.poll(status, { timeout: 30_000 }).toBe(200);
  });
});

describe('places', () => {
  const bare = () => open('');

  it('are left for the emergency stop and for clients with a token, whatever strangers hold and renew', async () => {
    rig = await startRig();
    rig.answers.set(METHODS.execution.estopEngage, async (body) => ({
      ...{ engaged: true, since_ns: '1' },
      ...(body as object),
    }));
    await Promise.all(Array.from({ length: 300 }, bare));
    // Slow ones, each of which comes again as soon as it is closed.
    let renewed = 0;
    let ends = false;
    const loris = async (): Promise<void> => {
      const socket = await open('POST /v1/estop HTTP/1.1\r\nHost: 127.0');
      socket.resume();
      socket.once('close', () => {
        if (ends || ++renewed > 5_000) return;
        loris().catch(() => {});
      });
    };
    await Promise.all(Array.from({ length: 200 }, loris));
    try {
      for (let i = 0; i < 20; i++) {
        const stopped = await rig.post('/v1/estop', { reason: `press ${i}` });
        expect(stopped.status).toBe(200);
        expect((await rig.get('/v1/runs')).status).toBe(200);
        await Promise.all([bare(), loris()]);
      }
    } finally {
      ends = true;
    }
  });

  it('are taken from strangers only: a client with a token keeps its own', async () => {
    rig = await startRig();
    const operator = await open(get('/v1/runs'));
    const answers: string[] = [];
    operator.on('data', (piece) => answers.push(String(piece)));
    operator.resume();
    await expect.poll(() => answers.join('')).toContain('200 OK');
    const strangers = await Promise.all(Array.from({ length: LIMITS.API_STRANGERS_MAX + 60 }, bare));
    const closed = () => {
      for (const one of strangers) one.resume();
      return strangers.filter((one) => one.destroyed).length;
    };
    await expect.poll(closed, { timeout: 20_000 }).toBe(60);
    // The oldest of them.
    expect(strangers.slice(0, 60).every((one) => one.destroyed)).toBe(true);
    operator.write(get('/nowhere'));
    await expect.poll(() => answers.join('')).toContain('404 Not Found');
  });

  it('of clients with a token are bounded: an idle one gives way, a busy one does not, and a stop is taken', async () => {
    rig = await startRig();
    rig.answers.set(METHODS.execution.estopEngage, async () => ({
      engaged: true,
      since_ns: '1',
      source: 'api',
      by: 'x',
      reason: '',
    }));
    const never = Promise.withResolvers<object>();
    rig.answers.set(METHODS.memory.query, () => never.promise);
    const body = '{"sql":"select 1"}';
    const ask = get('/v1/query', `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`);
    for (let i = 0; i < LIMITS.API_CONNECTIONS_MAX; i += 64)
      await Promise.all(Array.from({ length: 64 }, () => open(ask.replace('GET', 'POST') + body)));
    await expect.poll(async () => (await rig.get('/v1/runs')).status, { timeout: 20_000 }).toBe(503);
    expect((await rig.post('/v1/estop', {})).status).toBe(200);
    rig.answers.set(METHODS.execution.robotStop, async () => ({}));
    expect((await rig.post('/v1/robot/stop', {})).status).toBe(200);
    never.resolve({ columns: [], rows: [], truncated: false });
    await expect.poll(async () => (await rig.get('/v1/runs')).status, { timeout: 20_000 }).toBe(200);
  });

  it('are kept for operators: other clients with a token do not get the last ones', () => {
    const { connections, taken } = crowd();
    const guests = Array.from({ length: LIMITS.API_CONNECTIONS_MAX }, () => taken(false));
    expect(guests.filter(Boolean)).toHaveLength(LIMITS.API_CONNECTIONS_MAX - LIMITS.API_OPERATORS_KEPT);
    connections.close();
  });

  it('that are kept are there for an operator when others hold all that they may', () => {
    const { connections, taken } = crowd();
    for (let i = 0; i < LIMITS.API_CONNECTIONS_MAX - LIMITS.API_OPERATORS_KEPT; i++)
      expect(taken(false)).toBe(true);
    expect(taken(true)).toBe(true);
    connections.close();
  });
});

describe('a body that is too large', () => {
  const post = (length: number) =>
    get('/v1/intents', `Content-Type: application/json\r\nContent-Length: ${length}\r\n`);

  it('is refused so that one who looks only when it has sent for a while finds the answer', async () => {
    rig = await startRig();
    const block = Buffer.alloc(65_536, 'x');
    const socket = await open(post(64 * 1024 * 1024).replace('GET', 'POST'));
    const failed = once(socket, 'error').then(([error]) => String(error));
    // Without a pause it would all be in the first packet, and nothing unread when the connection is closed.
    for (let i = 0; i < 40; i++) {
      socket.write(block);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const text = await Promise.race([whole(socket), failed]);
    expect(text).toContain('HTTP/1.1 413');
    expect(text).toContain('"code":"api.too_large"');
    expect(text.toLowerCase()).toContain('connection: close');
  });

  it('keeps its connection for a short while only, and nothing more that it brings is done', async () => {
    rig = await startRig();
    const length = LIMITS.API_BODY_BYTES_MAX + 1;
    const socket = await open(post(length).replace('GET', 'POST'));
    const began = performance.now();
    const closed = once(socket, 'close');
    socket.resume();
    socket.write(Buffer.alloc(length, 'x'));
    // Half-open on purpose: it is the server that has to end it.
    const more = setInterval(() => socket.write(get('/v1/runs')), 20);
    await closed.finally(() => clearInterval(more));
    expect(performance.now() - began).toBeLessThan(LIMITS.API_LINGER_MS * 5);
    expect(rig.runtime.calls).toEqual([]);
    expect((await rig.get('/health')).status).toBe(200);
  });
});

describe('an answer that waits for its reader', () => {
  it('is given up when nothing of it is taken any more', async () => {
    const ended = Promise.withResolvers<void>();
    const chat: HttpPorts['chat'] = {
      complete: (_ask: unknown, { onDelta, signal }: Parameters<ChatApi['complete']>[1]) => {
        for (let i = 0; i < 300; i++) onDelta?.({ text: 'x'.repeat(60_000) } as never);
        signal?.addEventListener('abort', () => ended.resolve());
        return new Promise(() => {});
      },
    } as never;
    rig = await startRig({ stalledMs: 300 }, { chat });
    const body = JSON.stringify({ model: 'm', stream: true, messages: [{ role: 'user', content: 'x' }] });
    const head = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    const socket = await open(get('/v1/chat/completions', head).replace('GET', 'POST') + body);
    await ended.promise;
    expect(await whole(socket)).not.toContain('[DONE]');
  });

  it('comes whole to one who is slow but reads', async () => {
    rig = await startRig({ stalledMs: 1_500 });
    const rows = 200;
    rig.answers.set(METHODS.memory.query, async () => bigRows(rows));
    const body = '{"sql":"select 1"}';
    const head = `Connection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
    const socket = await open(get('/v1/query', head).replace('GET', 'POST') + body);
    let taken = 0;
    const closed = once(socket, 'close');
    socket.on('data', (piece) => {
      taken += piece.length;
      socket.pause();
      setTimeout(() => socket.resume(), 10);
    });
    socket.resume();
    await closed;
    expect(taken).toBeGreaterThan(rows * 60_000);
  });

  it('may take its time to be made, while nothing of it is there to be read', async () => {
    rig = await startRig({ stalledMs: 200 });
    const late = Promise.withResolvers<object>();
    rig.answers.set(METHODS.memory.query, () => late.promise);
    const asked = rig.post('/v1/query', { sql: 'select 1' });
    // Who asks nothing is sent away after the same time: it has passed.
    await whole(await open(''));
    late.resolve({ columns: [], rows: [], truncated: false, reason: '', bytes: 0, cut: 0 });
    expect((await asked).status).toBe(200);
  });
});
