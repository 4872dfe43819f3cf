import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { LIMITS, METHODS } from '../../contract/index.ts';
import { answerAll } from '../support/http-answers.ts';
import { type Rig, startRig, TOKEN } from '../support/http-rig.ts';

/** A stop does not fail on what it says of itself. */
let rig: Rig;
afterEach(() => rig?.stop());

type Engaged = { readonly engaged?: boolean; readonly warnings?: readonly string[] };

async function start(): Promise<{ reason: string }[]> {
  rig = await startRig();
  answerAll(rig);
  const orders: { reason: string }[] = [];
  rig.answers.set(METHODS.execution.estopEngage, async (body) => {
    orders.push(body as { reason: string });
    return { engaged: true, since_ns: '1', ...(body as object) };
  });
  return orders;
}

async function engage(
  body: string | Uint8Array<ArrayBuffer> | undefined,
  headers: Record<string, string> = {},
) {
  const init = { method: 'POST', headers: { authorization: `Bearer ${TOKEN}`, ...headers } };
  const response = await fetch(`${rig.url}/v1/estop`, body === undefined ? init : { ...init, body });
  return { status: response.status, ...((await response.json()) as Engaged) };
}

const JSON_TYPE = { 'content-type': 'application/json' };
const most = LIMITS.STOP_REASON_CHARS_MAX;

describe('an emergency stop over HTTP', () => {
  it.each<
    [string, string | Uint8Array<ArrayBuffer> | undefined, Record<string, string>, string, RegExp | undefined]
  >([
    ['no body', undefined, {}, '', undefined],
    ['no body, but a type', undefined, JSON_TYPE, '', undefined],
    ['an empty body', '', JSON_TYPE, '', undefined],
    ['a reason', '{"reason":"smoke"}', JSON_TYPE, 'smoke', undefined],
    ['a reason of several lines', '{"reason":"smoke\\n\\u0007 fire"}', JSON_TYPE, 'smoke fire', undefined],
    [
      'a reason that is too long',
      JSON.stringify({ reason: 'x'.repeat(5_000) }),
      JSON_TYPE,
      'x'.repeat(most),
      /cut to/,
    ],
    ['half a character', '{"reason":"a\\ud800"}', JSON_TYPE, 'a\ufffd', undefined],
    ['unknown fields', '{"reason":"smoke","by":"lena","__proto__":{}}', JSON_TYPE, 'smoke', /"by"/],
    ['a reason that is no text', '{"reason":{"a":1}}', JSON_TYPE, '', /text expected/],
    [
      'a reason that is nested deeply',
      `{"reason":${'['.repeat(6_000)}${']'.repeat(6_000)}}`,
      JSON_TYPE,
      '',
      /text expected/,
    ],
    ['a list', '[1]', JSON_TYPE, '[1]', /object expected/],
    ['bad JSON', '{"reason":', JSON_TYPE, '{"reason":', /not JSON/],
    ['plain text', 'smoke!', { 'content-type': 'text/plain' }, 'smoke!', /not JSON/],
    ['a type that is none', '{"reason":"smoke"}', { 'content-type': 'what/is this;;' }, 'smoke', undefined],
    [
      'a form',
      'reason=smoke',
      { 'content-type': 'application/x-www-form-urlencoded' },
      'reason=smoke',
      /not JSON/,
    ],
    [
      'bytes',
      new Uint8Array([0xff, 0xfe, 0, 1]),
      { 'content-type': 'image/png' },
      '\ufffd\ufffd',
      /not JSON/,
    ],
    ['a broken grant', '{}', { ...JSON_TYPE, 'x-auraison-grant': '..%%..' }, '', undefined],
  ])('engages with %s', async (_what, body, headers, reason, warning) => {
    const orders = await start();
    const answer = await engage(body, headers);
    expect([answer.status, answer.engaged]).toEqual([200, true]);
    expect(orders.map((order) => order.reason)).toEqual([reason]);
    if (warning) {
      expect(answer.warnings?.join()).toMatch(warning);
      expect(rig.reports).toContainEqual(
        expect.objectContaining({ level: 'warn', facts: expect.anything() }),
      );
    } else expect(answer.warnings).toBeUndefined();
  });

  it('engages with a body that is far too large, and with one that nobody sends', async () => {
    const orders = await start();
    const large = await engage(
      JSON.stringify({ reason: 'y'.repeat(4 * LIMITS.API_BODY_BYTES_MAX) }),
      JSON_TYPE,
    );
    expect(large).toMatchObject({ status: 200, engaged: true, warnings: expect.anything() });
    const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
    const head = `Host: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
    socket.write(`POST /v1/estop HTTP/1.1\r\n${head}Content-Length: 1000\r\n\r\n{"reason":"sm`);
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('HTTP/1.1 200');
    expect(answer.toString()).toContain('did not come in time');
    // What comes late is said after the stop.
    const reasons = orders.map(({ reason }) => reason).filter((one) => one !== '');
    expect(reasons).toEqual([expect.stringMatching(/^\{"reason":"yyy/), '{"reason":"sm']);
    expect(orders[0]!.reason).toBe('');
    socket.destroy();
  });

  it('engages with a chunked body, and asks for a token as before', async () => {
    const orders = await start();
    const socket = connect(Number(new URL(rig.url).port), '127.0.0.1');
    const post = (token: string) =>
      `POST /v1/estop HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"r\r\n0\r\n\r\n`;
    socket.write(post(TOKEN));
    expect(String((await once(socket, 'data'))[0])).toContain('HTTP/1.1 200');
    socket.write(post('wrong'));
    expect(String((await once(socket, 'data'))[0])).toContain('HTTP/1.1 401');
    socket.destroy();
    expect(orders).toHaveLength(1);
  });

  it('says what the cell that stops the robot has to say', async () => {
    await start();
    const nothing = 'no robot is connected (robot.source = "none"): there was nothing to stop';
    const body = {
      engaged: true,
      since_ns: '1',
      source: 'api',
      by: 'operator',
      reason: '',
      warnings: [nothing],
    };
    rig.answers.set(METHODS.execution.estopEngage, async () => body);
    rig.answers.set(METHODS.execution.robotStop, async () => ({ warnings: [nothing] }));
    expect((await engage('[]', JSON_TYPE)).warnings).toEqual([expect.stringContaining('object'), nothing]);
    const stopped = await rig.post('/v1/robot/stop', {});
    expect(await stopped.json()).toEqual({ ok: true, result: { warnings: [nothing] } });
  });
});
