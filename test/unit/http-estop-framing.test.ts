import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS, METHODS } from '../../contract/index.ts';
import type { HttpConfig, HttpPorts } from '../../daemon/http/http-ports.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/** A stop does not fail on how its request is framed. Nothing else is let in by that. */
let rig: Rig;
const sockets: Socket[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await rig?.stop();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

type Order = { readonly reason: string; readonly by: string; readonly source: string };

async function start(config: Partial<HttpConfig> = {}, ports: Partial<HttpPorts> = {}): Promise<Order[]> {
  rig = await startRig(config, ports);
  answerAll(rig);
  const orders: Order[] = [];
  const { estopEngage, estopRelease } = METHODS.execution;
  rig.answers.set(estopEngage, async (body) => {
    orders.push(body as Order);
    return { engaged: true, since_ns: '1', ...(body as object) };
  });
  rig.answers.set(estopRelease, async () => {
    throw new Error('nothing in these tests releases');
  });
  return orders;
}

async function open(): Promise<Socket> {
  const socket = rig.url.startsWith('unix:')
    ? connect(rig.url.slice('unix:'.length))
    : connect(Number(new URL(rig.url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  await once(socket, 'connect');
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

const turns = async () => {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
};

/** All that comes back for these pieces, each of which is a packet of its own. */
async function exchange(...pieces: readonly (string | Buffer)[]): Promise<string> {
  const socket = await open();
  const text = whole(socket);
  for (const piece of pieces) {
    socket.write(piece);
    // Until it is sent, and read on the other side.
    await new Promise((resolve) => setTimeout(resolve, pieces.length > 1 ? 5 : 0));
  }
  return await text;
}

const codesOf = (text: string) => [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, code]) => Number(code));
const lines = (...all: readonly string[]) => `${all.join('\r\n')}\r\n`;
const HOST = 'Host: 127.0.0.1';
const AUTH = `Authorization: Bearer ${TOKEN}`;
const press = (...more: readonly string[]) =>
  lines('POST /v1/estop HTTP/1.1', HOST, AUTH, 'Content-Type: application/json', ...more, '');
const to = (target: string, method = 'POST') =>
  lines(`${method} ${target} HTTP/1.1`, HOST, AUTH, 'Connection: close', '');
const PAD = `X-Pad: ${'x'.repeat(40_000)}`;
const BODY = '{"reason":"smoke"}';
/** Refused by the parser, whatever else is in the head. */
const BROKEN = 'Content-Length: x';

/** What the parser refuses, or a server may. */
const ODD: readonly (readonly [string, string])[] = [
  ['a Content-Length that is no number', press('Content-Length: many') + BODY],
  ['a negative Content-Length', press('Content-Length: -1') + BODY],
  ['a Content-Length without a number', press('Content-Length:') + BODY],
  ['a Content-Length beyond all numbers', press(`Content-Length: ${'9'.repeat(40)}`) + BODY],
  ['two different Content-Lengths', press('Content-Length: 18', 'Content-Length: 3') + BODY],
  ['the same Content-Length twice', press('Content-Length: 18', 'Content-Length: 18') + BODY],
  ['a list as Content-Length', press('Content-Length: 18, 18') + BODY],
  [
    'Transfer-Encoding and Content-Length',
    `${press('Transfer-Encoding: chunked', 'Content-Length: 18')}12\r\n${BODY}\r\n0\r\n\r\n`,
  ],
  ['Content-Length and Transfer-Encoding', press('Content-Length: 18', 'Transfer-Encoding: chunked') + BODY],
  ['a transfer coding that is unknown', press('Transfer-Encoding: smoke') + BODY],
  ['a transfer coding that is not the last', press('Transfer-Encoding: chunked, gzip') + BODY],
  ['two transfer codings', press('Transfer-Encoding: chunked', 'Transfer-Encoding: identity') + BODY],
  ['headers that are too large', press(PAD)],
  ['many headers', press(...Array.from({ length: 3_000 }, (_, i) => `X-${i}: ${i}`))],
  ['headers that are too large in front of the token', lines('POST /v1/estop HTTP/1.1', PAD, HOST, AUTH, '')],
  ['a query that is too long', to(`/v1/estop?reason=${'x'.repeat(40_000)}`)],
  ['a header name with a blank', press('X Y: 1')],
  ['a header name with a blank behind it', press('X-Y : 1')],
  ['a header without a name', press(': 1')],
  ['a header without a colon', press('smoke')],
  ['a header name in bytes', press('Xü: 1')],
  ['a header value with a zero', press('X-Y: a\u0000b')],
  ['a header value with a control character', press('X-Y: a\u0001b')],
  ['a header that is folded', press('X-Y: a', ' b')],
  ['a version that does not exist', press().replace('HTTP/1.1', 'HTTP/7.7')],
  ['no version', press().replace(' HTTP/1.1', '')],
  ['a blank in its query', to('/v1/estop?reason=the door')],
  ['line feeds alone', press().replaceAll('\r\n', '\n')],
  ['empty lines in front', `\r\n\r\n${press(BROKEN)}`],
  ['an expectation that is unknown', press('Expect: smoke', 'Connection: close')],
];

/** What the parser takes, and a route may refuse. */
const TAKEN: readonly (readonly [string, string])[] = [
  ['a content coding that is unknown', press('Content-Encoding: smoke', 'Connection: close')],
  ['a content coding that is not there', press('Content-Encoding: gzip', 'Connection: close')],
  ['a transfer coding in front of chunks', `${press('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`],
  ['a type that is no type', press('Content-Type: ;;;', 'Connection: close')],
  ['a slash at the end', to('/v1/estop/')],
  ['slashes at the end', to('/v1/estop///')],
  ['a query', to('/v1/estop?a=1&a=2&%zz')],
  ['a slash at the end and a query', to('/v1/estop/?')],
  ['two slashes in front', to('//v1/estop')],
  ['two slashes within', to('/v1//estop')],
  ['the address in front', to('http://127.0.0.1/v1/estop')],
];

describe('an emergency stop over HTTP is engaged', () => {
  it.each(ODD)('with %s', async (_what, request) => {
    const orders = await start();
    const text = await exchange(request);
    expect(codesOf(text)).toEqual([200]);
    expect(text).toContain('"engaged":true');
    expect(text.toLowerCase()).toContain('connection: close');
    expect(orders).toEqual([expect.objectContaining({ by: 'operator', source: 'api' })]);
    expect(rig.runtime.stops.count).toBe(1);
  });

  it.each(TAKEN)('with %s', async (_what, request) => {
    const orders = await start();
    const socket = await open();
    const [first] = (await Promise.all([once(socket, 'data'), socket.write(request)]))[0] as [Buffer];
    expect(codesOf(String(first))).toEqual([200]);
    expect(orders).toEqual([expect.objectContaining({ by: 'operator', source: 'api' })]);
  });

  it.each([
    ['in two packets', [press().slice(0, -2), `${BROKEN}\r\n\r\n`]],
    ['byte by byte', [...press(BROKEN)].slice(0, 60).concat(press(BROKEN).slice(60))],
    [
      'with headers that go on for several packets',
      [press().slice(0, -2), PAD.slice(0, 9_000), PAD, '\r\n\r\n'],
    ],
    [
      'with its token behind headers that go on for several packets',
      [lines('POST /v1/estop HTTP/1.1', HOST, PAD), `X-Pad: ${PAD}\r\n`, lines(AUTH, '')],
    ],
    ['that never ends', [press(BROKEN).slice(0, -2)]],
    ['whose headers are larger than all that is read', [press(BROKEN).slice(0, -2), 'x'.repeat(400_000)]],
  ])('where its head is broken and comes %s', async (_what, pieces) => {
    const orders = await start();
    expect(codesOf(await exchange(...pieces))).toEqual([200]);
    expect(orders).toHaveLength(1);
  });

  it.each([
    ['its end', `${PAD}\r\n\r\n`],
    ['more than is read of it', 'x'.repeat(LIMITS.STOP_HEAD_BYTES_MAX)],
  ])('once, as soon as %s is there', async (_what, rest) => {
    // Its time never goes by.
    const orders = await start({}, { clock: new ManualClock() });
    const socket = await open();
    const text = whole(socket);
    socket.write(press(BROKEN).slice(0, -2));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(orders).toEqual([]);
    socket.write(rest);
    await expect.poll(() => orders.length).toBe(1);
    socket.end(press(BROKEN));
    expect(codesOf(await text)).toEqual([200]);
    expect(orders).toHaveLength(1);
  });

  it.each([
    ['after the head', press(BROKEN)],
    ['within a broken head', press(BROKEN).slice(0, -2)],
    ['within a head', press().slice(0, -2)],
    ['within the name of a header', press().slice(0, -9)],
    ['within a body', press('Content-Length: 18')],
  ])('where its client closes its side %s', async (_when, request) => {
    const orders = await start();
    (await open()).end(request);
    // Such a client may be answered or not: Node closes its own side as well.
    await expect.poll(() => orders.length).toBe(1);
  });

  it('so that a client that goes on sending for a while finds the answer', async () => {
    await start();
    const socket = await open();
    const failed = once(socket, 'error').then(([error]) => String(error));
    socket.pause();
    socket.write(press(BROKEN));
    for (let i = 0; i < 40; i++) {
      socket.write(Buffer.alloc(65_536, 'x'));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const text = await Promise.race([whole(socket), failed]);
    expect(codesOf(text)).toEqual([200]);
  });

  it('says what was wrong, and by which program it was pressed', async () => {
    const orders = await start();
    const text = await exchange(press('X-Auraison-Origin: console', 'X-Request-Id: panel-7', BROKEN) + BODY);
    expect(text).toMatch(/"warnings":\["the request was broken \(HPE_INVALID_CONTENT_LENGTH\)/);
    expect(text).toContain('x-request-id: panel-7');
    expect(orders).toEqual([{ source: 'console', by: 'operator', reason: '' }]);
    expect(rig.reports).toContainEqual(
      expect.objectContaining({ level: 'warn', message: 'an emergency stop came with faults' }),
    );
  });

  it('in the name of the one whose token it is, whatever its rights are', async () => {
    const who = { principal: 'visitor', tenant: 'elsewhere', roles: [] };
    const orders = await start({
      auth: { kind: 'token', token: 'another', principals: [{ token: TOKEN, who }] },
    });
    expect(codesOf(await exchange(press(BROKEN)))).toEqual([200]);
    expect(orders[0]!.by).toBe('visitor');
  });

  it('as the next request of a connection: after an answer, after a body, after chunks, and before an answer', async () => {
    const orders = await start();
    const get = to('/v1/runs', 'GET').replace('Connection: close\r\n', '');
    const said = '{"reason":"one"}';
    const chunks = '10\r\n{"reason":"two"}\r\n0\r\n\r\n';
    const befores = [
      [get],
      [press(`Content-Length: ${said.length}`) + said],
      [press(`Content-Length: ${said.length}`), said],
      [press('Transfer-Encoding: chunked') + chunks],
      [press('Transfer-Encoding: chunked'), chunks.slice(0, 9), chunks.slice(9)],
      [press('Transfer-Encoding: chunked') + chunks, get],
    ];
    for (const before of befores) {
      const pressed = orders.length;
      const codes = codesOf(await exchange(...before, press(BROKEN)));
      expect([...new Set(codes)]).toEqual([200]);
      expect(orders.length).toBeGreaterThan(pressed);
      expect(orders.at(-1)!.reason).toBe('');
    }
    // In one packet with what it comes after.
    expect(codesOf(await exchange(get + get + press(BROKEN)))).toEqual([200, 200, 200]);
    expect(orders.at(-1)!.reason).toBe('');
  });

  it('although an answer before it never comes, and the order of the answers stays', async () => {
    const orders = await start();
    const late = Promise.withResolvers<object>();
    rig.answers.set(METHODS.memory.query, () => late.promise);
    const sql = '{"sql":"select 1"}';
    const query = press(`Content-Length: ${sql.length}`).replace('/v1/estop', '/v1/query') + sql;
    const text = exchange(query + press(BROKEN));
    await expect.poll(() => orders.length).toBe(1);
    late.resolve({ columns: [], rows: [], truncated: false, reason: '', bytes: 0, cut: 0 });
    expect((await text).indexOf('"columns"')).toBeLessThan((await text).indexOf('"engaged"'));
    expect(codesOf(await text)).toEqual([200, 200]);
  });

  it('although a chunk of its body is broken', async () => {
    const orders = await start();
    for (const pieces of [
      [`${press('Transfer-Encoding: chunked')}smoke\r\n`],
      [press('Transfer-Encoding: chunked'), '3\r\n{"r\r\n', 'zz\r\n'],
    ]) {
      const text = await exchange(...pieces);
      expect(codesOf(text)).toEqual([200]);
      expect(text).toContain('did not come in time');
    }
    expect(orders.length).toBeGreaterThanOrEqual(2);
  });
});

describe('a body that was announced', () => {
  it.each([
    ['by its length', press('Content-Length: 18'), BODY],
    ['in chunks', press('Transfer-Encoding: chunked'), `12\r\n${BODY}\r\n0\r\n\r\n`],
    ['by an expectation', press('Content-Length: 18', 'Expect: 100-continue'), BODY],
  ])('%s is not waited for; its reason counts when it comes', async (_how, head, body) => {
    // Its time never goes by.
    const orders = await start({}, { clock: new ManualClock() });
    const socket = await open();
    const text: string[] = [];
    socket.on('data', (piece) => text.push(String(piece)));
    socket.write(head);
    await expect.poll(() => orders.map(({ reason }) => reason)).toEqual(['']);
    await turns();
    expect(text.join('')).not.toContain('HTTP/1.1 200');
    socket.write(body);
    await expect.poll(() => text.join('')).toContain('HTTP/1.1 200');
    expect(orders.map(({ reason }) => reason)).toEqual(['', 'smoke']);
  });

  it('and is never sent: the answer comes in time', async () => {
    const clock = new ManualClock();
    const orders = await start({}, { clock });
    const socket = await open();
    const text = whole(socket);
    socket.write(press('Content-Length: 18'));
    await expect.poll(() => orders.length).toBe(1);
    await clock.advance(LIMITS.STOP_BODY_MS);
    expect(codesOf(await text)).toEqual([200]);
    expect(await text).toContain('did not come in time');
    expect(orders).toHaveLength(1);
  });

  it('and came with its head is one order', async () => {
    const orders = await start();
    await exchange(press('Content-Length: 18', 'Connection: close') + BODY);
    expect(orders.map(({ reason }) => reason)).toEqual(['smoke']);
  });
});

describe('a broken request that engages nothing', () => {
  const broken = (...all: readonly string[]) => lines(...all, BROKEN, '');
  it.each<[string, string, number]>([
    ['of another path', broken('POST /v1/robot/stop HTTP/1.1', HOST, AUTH), 400],
    ['of a path that starts like it', broken('POST /v1/estopped HTTP/1.1', HOST, AUTH), 400],
    ['of a path that has it in its query', broken('POST /v1/runs?/v1/estop HTTP/1.1', HOST, AUTH), 400],
    ['of a path that has it at its end', broken('POST /x/v1/estop HTTP/1.1', HOST, AUTH), 400],
    ['of a release', broken('POST /v1/estop/release HTTP/1.1', HOST, AUTH), 400],
    ['of a release with slashes', broken('POST //v1/estop//release/ HTTP/1.1', HOST, AUTH), 400],
    ['that looks', broken('GET /v1/estop HTTP/1.1', HOST, AUTH), 400],
    ['of a method in small letters', broken('post /v1/estop HTTP/1.1', HOST, AUTH), 400],
    ['of a method that puts', broken('PUT /v1/estop HTTP/1.1', HOST, AUTH), 400],
    ['whose path breaks off', 'POST /v1/estop\u0000/release HTTP/1.1\r\n', 400],
    ['with a wrong token', broken('POST /v1/estop HTTP/1.1', HOST, 'Authorization: Bearer wrong'), 401],
    ['without a token', broken('POST /v1/estop HTTP/1.1', HOST), 401],
    [
      'with a token in a header of another name',
      broken('POST /v1/estop HTTP/1.1', HOST, `X-Authorization: Bearer ${TOKEN}`),
      401,
    ],
    [
      'with a token in a header that is badly written',
      broken('POST /v1/estop HTTP/1.1', HOST, `Authorization : Bearer ${TOKEN}`),
      401,
    ],
    ['with a token that goes on', lines('POST /v1/estop HTTP/1.1', HOST, `${AUTH}\u0000`, ''), 401],
    [
      'with a wrong token in front of the right one',
      broken('POST /v1/estop HTTP/1.1', HOST, 'Authorization: Bearer wrong', AUTH),
      401,
    ],
    [
      'with a wrong token and a broken chunk',
      `${press('Transfer-Encoding: chunked').replace(TOKEN, 'wrong')}smoke\r\n`,
      401,
    ],
    ['with a token in its body', `${broken('POST /v1/estop HTTP/1.1', HOST)}${lines(AUTH, '')}`, 401],
    ['of another page', broken('POST /v1/estop HTTP/1.1', HOST, AUTH, 'Origin: http://evil.example'), 403],
    [
      'of another page whose origin is badly written',
      broken('POST /v1/estop HTTP/1.1', HOST, AUTH, ' origin : http://evil.example'),
      403,
    ],
    [
      'of another page that names this one first',
      broken(
        'POST /v1/estop HTTP/1.1',
        HOST,
        AUTH,
        'Origin: http://127.0.0.1',
        'Origin: http://evil.example',
      ),
      403,
    ],
    [
      'of another page, with headers that are too large in front of that',
      lines('POST /v1/estop HTTP/1.1', HOST, AUTH, PAD, 'Origin: http://evil.example', ''),
      403,
    ],
    ['for another host', broken('POST /v1/estop HTTP/1.1', 'Host: evil.example', AUTH), 403],
    ['for no host', broken('POST /v1/estop HTTP/1.1', AUTH), 403],
  ])('%s', async (_what, request, code) => {
    const orders = await start();
    expect(codesOf(await exchange(request))).toEqual([code]);
    expect(orders).toEqual([]);
    expect(rig.runtime.stops.count).toBe(0);
    expect((await rig.get('/health')).status).toBe(200);
  });

  it.each<[string, (inner: string) => readonly string[]]>([
    ['with its length', (inner) => [`POST /v1/runs HTTP/1.1`, `Content-Length: ${inner.length}`]],
    ['that is broken', () => ['POST /v1/runs HTTP/1.1', 'Transfer-Encoding: chunked']],
    ['with a broken length', () => ['POST /v1/runs HTTP/1.1', BROKEN]],
  ])('within a body %s', async (_what, head) => {
    const orders = await start();
    const inner = press(BROKEN);
    const outer = lines(...head(inner), HOST, AUTH, '');
    await exchange(outer, inner, 'GET / HTTP/7.7\r\n\r\n');
    await exchange(outer + inner, 'GET / HTTP/7.7\r\n\r\n');
    await exchange(outer + inner.slice(0, 90), inner.slice(90), 'GET / HTTP/7.7\r\n\r\n');
    expect(orders).toEqual([]);
  });

  it('within a head that comes behind chunks', async () => {
    const orders = await start();
    const chunked = lines('POST /v1/runs HTTP/1.1', HOST, AUTH, 'Transfer-Encoding: chunked', '');
    await exchange(chunked, '0\r\n\r\nGET / HTTP/1.1\r\nX-Pad: ', press(BROKEN));
    expect(orders).toEqual([]);
  });

  it.each([
    ['its token', lines('POST /v1/estop HTTP/1.1', HOST) + AUTH],
    ['the name of its host', lines('POST /v1/estop HTTP/1.1', AUTH) + HOST],
  ])('that ends within %s', async (_what, request) => {
    const orders = await start();
    const socket = await open();
    const text = whole(socket);
    socket.end(request);
    expect(codesOf(await text)).toEqual([403]);
    expect(orders).toEqual([]);
  });

  it('of a page, of which the end is not seen, where no token is asked for', async () => {
    const orders = await start({ auth: { kind: 'none' } });
    const long = `POST /v1/estop?${'x'.repeat(200_000)}`;
    expect(codesOf(await exchange(long))).toEqual([403]);
    expect(codesOf(await exchange(lines(`${long.slice(0, 20_000)} HTTP/1.1`, HOST)))).toEqual([403]);
    expect(orders).toEqual([]);
    // One that is whole, and is of no other page.
    expect(codesOf(await exchange(lines(`${long.slice(0, 20_000)} HTTP/1.1`, HOST, '')))).toEqual([200]);
    expect(orders).toHaveLength(1);
  });
});

describe('over a unix socket', () => {
  const started = async (config: Partial<HttpConfig> = {}) => {
    const folder = mkdtempSync(join(tmpdir(), 'estop-'));
    folders.push(folder);
    return await start({ socketPath: join(folder, 's'), ...config });
  };

  it.each([
    ['a broken head without a host', lines('POST /v1/estop HTTP/1.1', AUTH, BROKEN, ''), 200],
    ['no host', lines('POST /v1/estop HTTP/1.1', AUTH, 'Connection: close', ''), 200],
    ['a broken head of any origin', press('Origin: http://evil.example', BROKEN), 200],
    ['a broken head and no token', lines('POST /v1/estop HTTP/1.1', BROKEN, ''), 401],
  ])('%s is judged as there', async (_what, request, code) => {
    const orders = await started();
    expect(codesOf(await exchange(request))).toEqual([code]);
    expect(orders).toHaveLength(code === 200 ? 1 : 0);
  });

  it('a path that breaks off engages nothing', async () => {
    const orders = await started({ auth: { kind: 'none' } });
    const socket = await open();
    const text = whole(socket);
    // It may be the path of a release.
    socket.end('POST /v1/estop');
    expect(codesOf(await text)).toEqual([400]);
    expect(orders).toEqual([]);
  });

  it('a head whose end is not seen engages where no token is asked for', async () => {
    const orders = await started({ auth: { kind: 'none' } });
    expect(codesOf(await exchange(lines('POST /v1/estop HTTP/1.1', BROKEN)))).toEqual([200]);
    expect(orders).toHaveLength(1);
  });
});

describe('other connections', () => {
  it('are answered as before where they are broken', async () => {
    await start();
    const text = await exchange(lines('POST /v1/intents HTTP/1.1', HOST, AUTH, PAD, ''));
    expect(codesOf(text)).toEqual([431]);
    expect(codesOf(await exchange('smoke\r\n\r\n'))).toEqual([400]);
    expect(
      codesOf(await exchange(lines('GET /health HTTP/1.1', HOST, 'Expect: smoke', 'Connection: close', ''))),
    ).toEqual([417]);
    expect(codesOf(await exchange(lines('GET /health HTTP/1.1', 'Connection: close', '')))).toEqual([400]);
    expect(codesOf(await exchange(to('/v1/me/', 'GET')))).toEqual([404]);
    expect(codesOf(await exchange(to('/v1/estop/', 'GET')))).toEqual([404]);
  });

  it('give the stop its place where all are taken by requests in progress', async () => {
    const orders = await start();
    const never = Promise.withResolvers<object>();
    rig.answers.set(METHODS.memory.query, () => never.promise);
    const sql = '{"sql":"select 1"}';
    const query = press(`Content-Length: ${sql.length}`).replace('/v1/estop', '/v1/query') + sql;
    for (let i = 0; i < LIMITS.API_CONNECTIONS_MAX; i += 64)
      await Promise.all(Array.from({ length: 64 }, async () => (await open()).write(query)));
    await expect.poll(async () => (await rig.get('/v1/runs')).status, { timeout: 20_000 }).toBe(503);
    expect(codesOf(await exchange(press(BROKEN)))).toEqual([200]);
    expect(orders).toHaveLength(1);
    never.resolve({ columns: [], rows: [], truncated: false });
  });
});
