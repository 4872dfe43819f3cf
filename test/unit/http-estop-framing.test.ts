import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS, METHODS } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import {
  AUTH,
  BODY,
  BROKEN,
  codesOf,
  endEstopRigs,
  HOST,
  lines,
  PAD,
  press,
  startEstopRig,
  to,
  whole,
} from '../support/estop-rig.ts';
import { TOKEN } from '../support/http-rig.ts';

/** A stop does not fail on how its request is framed. */
afterEach(endEstopRigs);

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
    const { orders, rig, exchange } = await startEstopRig();
    const text = await exchange(request);
    expect(codesOf(text)).toEqual([200]);
    expect(text).toContain('"engaged":true');
    expect(text.toLowerCase()).toContain('connection: close');
    expect(orders).toEqual([expect.objectContaining({ by: 'operator', source: 'api' })]);
    expect(rig.runtime.stops.count).toBe(1);
  });

  it.each(TAKEN)('with %s', async (_what, request) => {
    const { orders, open } = await startEstopRig();
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
    const { orders, exchange } = await startEstopRig();
    expect(codesOf(await exchange(...pieces))).toEqual([200]);
    expect(orders).toHaveLength(1);
  });

  it.each([
    ['its end', `${PAD}\r\n\r\n`],
    ['more than is read of it', 'x'.repeat(LIMITS.STOP_HEAD_BYTES_MAX)],
  ])('once, as soon as %s is there', async (_what, rest) => {
    // Its time never goes by.
    const { orders, open } = await startEstopRig({}, { clock: new ManualClock() });
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
    const { orders, open } = await startEstopRig();
    (await open()).end(request);
    // Such a client may be answered or not: Node closes its own side as well.
    await expect.poll(() => orders.length).toBe(1);
  });

  it('so that a client that goes on sending for a while finds the answer', async () => {
    const { open } = await startEstopRig();
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
    const { orders, rig, exchange } = await startEstopRig();
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
    const { orders, exchange } = await startEstopRig({
      auth: { kind: 'token', token: 'another', principals: [{ token: TOKEN, who }] },
    });
    expect(codesOf(await exchange(press(BROKEN)))).toEqual([200]);
    expect(orders[0]!.by).toBe('visitor');
  });

  it('as the next request of a connection: after an answer, after a body, after chunks, and before an answer', async () => {
    const { orders, exchange } = await startEstopRig();
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
    const { orders, rig, exchange } = await startEstopRig();
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
    const { orders, exchange } = await startEstopRig();
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
    const { orders, open } = await startEstopRig({}, { clock: new ManualClock() });
    const socket = await open();
    const text: string[] = [];
    socket.on('data', (piece) => text.push(String(piece)));
    socket.write(head);
    await expect.poll(() => orders.map(({ reason }) => reason)).toEqual(['']);
    await new Promise((resolve) => setImmediate(resolve));
    expect(text.join('')).not.toContain('HTTP/1.1 200');
    socket.write(body);
    await expect.poll(() => text.join('')).toContain('HTTP/1.1 200');
    expect(orders.map(({ reason }) => reason)).toEqual(['', 'smoke']);
  });

  it('and is never sent: the answer comes in time', async () => {
    const clock = new ManualClock();
    const { orders, open } = await startEstopRig({}, { clock });
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
    const { orders, exchange } = await startEstopRig();
    await exchange(press('Content-Length: 18', 'Connection: close') + BODY);
    expect(orders.map(({ reason }) => reason)).toEqual(['smoke']);
  });
});
