import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS, METHODS } from '../../contract/index.ts';
import type { HttpConfig } from '../../daemon/http/http-ports.ts';
import {
  AUTH,
  BROKEN,
  codesOf,
  endEstopRigs,
  HOST,
  lines,
  PAD,
  press,
  socketPath,
  startEstopRig,
  to,
  whole,
} from '../support/estop-rig.ts';
import { TOKEN } from '../support/http-rig.ts';

/** What is broken is let in by nothing but the token of a stop. */
afterEach(endEstopRigs);

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
    const { orders, rig, exchange } = await startEstopRig();
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
    const { orders, exchange } = await startEstopRig();
    const inner = press(BROKEN);
    const outer = lines(...head(inner), HOST, AUTH, '');
    await exchange(outer, inner, 'GET / HTTP/7.7\r\n\r\n');
    await exchange(outer + inner, 'GET / HTTP/7.7\r\n\r\n');
    await exchange(outer + inner.slice(0, 90), inner.slice(90), 'GET / HTTP/7.7\r\n\r\n');
    expect(orders).toEqual([]);
  });

  it('within a head that comes behind chunks', async () => {
    const { orders, exchange } = await startEstopRig();
    const chunked = lines('POST /v1/runs HTTP/1.1', HOST, AUTH, 'Transfer-Encoding: chunked', '');
    await exchange(chunked, '0\r\n\r\nGET / HTTP/1.1\r\nX-Pad: ', press(BROKEN));
    expect(orders).toEqual([]);
  });

  it.each([
    ['its token', lines('POST /v1/estop HTTP/1.1', HOST) + AUTH],
    ['the name of its host', lines('POST /v1/estop HTTP/1.1', AUTH) + HOST],
  ])('that ends within %s', async (_what, request) => {
    const { orders, open } = await startEstopRig();
    const socket = await open();
    const text = whole(socket);
    socket.end(request);
    expect(codesOf(await text)).toEqual([403]);
    expect(orders).toEqual([]);
  });

  it('of a page, of which the end is not seen, where no token is asked for', async () => {
    const { orders, exchange } = await startEstopRig({ auth: { kind: 'none' } });
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
  const started = (config: Partial<HttpConfig> = {}) =>
    startEstopRig({ socketPath: socketPath(), ...config });

  it.each([
    ['a broken head without a host', lines('POST /v1/estop HTTP/1.1', AUTH, BROKEN, ''), 200],
    ['no host', lines('POST /v1/estop HTTP/1.1', AUTH, 'Connection: close', ''), 200],
    ['a broken head of any origin', press('Origin: http://evil.example', BROKEN), 200],
    ['a broken head and no token', lines('POST /v1/estop HTTP/1.1', BROKEN, ''), 401],
  ])('%s is judged as there', async (_what, request, code) => {
    const { orders, exchange } = await started();
    expect(codesOf(await exchange(request))).toEqual([code]);
    expect(orders).toHaveLength(code === 200 ? 1 : 0);
  });

  it('a path that breaks off engages nothing', async () => {
    const { orders, open } = await started({ auth: { kind: 'none' } });
    const socket = await open();
    const text = whole(socket);
    // It may be the path of a release.
    socket.end('POST /v1/estop');
    expect(codesOf(await text)).toEqual([400]);
    expect(orders).toEqual([]);
  });

  it('a head whose end is not seen engages where no token is asked for', async () => {
    const { orders, exchange } = await started({ auth: { kind: 'none' } });
    expect(codesOf(await exchange(lines('POST /v1/estop HTTP/1.1', BROKEN)))).toEqual([200]);
    expect(orders).toHaveLength(1);
  });
});

describe('other connections', () => {
  it('are answered as before where they are broken', async () => {
    const { exchange } = await startEstopRig();
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
    const { orders, rig, open, exchange } = await startEstopRig();
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
