import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { guardedFetch } from '../../adapters/a2a/client/guarded-fetch.ts';
import { A2aEndpoint } from '../../adapters/a2a/server/index.ts';
import { A2A_LIMITS } from '../../contract/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { type Rig, RUN_ID, startRig, TinyRuntime, TOKEN } from '../support/http-rig.ts';

/** What one client of the Agent2Agent protocol may take and see. */
let rig: Rig | undefined;
const open: AbortController[] = [];
afterEach(async () => {
  for (const one of open.splice(0)) one.abort();
  await rig?.stop();
});

const intents = [{ type: 'maze/find_exit', description: 'Find the exit', params: {} }];
const PRINCIPALS = ['ada', 'bob', 'cy', 'guest'].map((principal) => {
  const tenant = principal === 'guest' ? 'plant' : 'local';
  return { token: `token-of-${principal}`, who: { principal, tenant, roles: [] } };
});

async function robot(): Promise<TinyRuntime> {
  const runtime = new TinyRuntime();
  const endpoint = new A2aEndpoint({
    ...{ robot: 'r1', version: '1', clock: new ManualClock(), runtime: runtime as never },
    apps: () => [{ name: 'maze', intents }] as never,
    newId: () => 'id',
    message: async () => {},
  });
  rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals: PRINCIPALS } }, { a2a: endpoint });
  return runtime;
}

async function rpc(token: string, method: string, params: object) {
  const gone = new AbortController();
  open.push(gone);
  const response = await fetch(`${rig!.url}/a2a`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'a2a-version': '1.0' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    signal: gone.signal,
  });
  const isStream = response.headers.get('content-type')?.includes('event-stream') === true;
  const answer = isStream
    ? {}
    : ((await response.json()) as { error?: { message: string }; result?: unknown });
  return { isStream, answer, leave: () => gone.abort() };
}

it('a client has a share of the streams, and operators have places that no other client takes', async () => {
  await robot();
  const follow = (who: string) =>
    rpc(who === '' ? TOKEN : `token-of-${who}`, 'SubscribeToTask', { id: RUN_ID });
  const first = await follow('ada');
  for (let n = 1; n < A2A_LIMITS.STREAMS_OF_ONE_MAX; n++) await follow('ada');
  expect((await follow('ada')).answer.error?.message).toContain('8 streams are open already');
  for (const who of ['bob', 'cy'])
    for (let n = 0; n < A2A_LIMITS.STREAMS_OF_ONE_MAX; n++) expect((await follow(who)).isStream).toBe(true);
  expect((await follow('')).isStream).toBe(true);
  first.leave();
  // The server learns by and by that it is gone.
  while (!(await follow('ada')).isStream) await new Promise((resolve) => setImmediate(resolve));
});

it('an order whose body broke off is not carried out, also where what came of it is whole', async () => {
  const runtime = await robot();
  const order = {
    jsonrpc: '2.0',
    id: 1,
    method: 'message/send',
    params: { message: { messageId: 'm', role: 'user', parts: [{ kind: 'text', text: 'maze/find_exit' }] } },
  };
  const socket = connect(Number(new URL(rig!.url).port), '127.0.0.1');
  const head = `POST /a2a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\n`;
  socket.end(`${head}Content-Length: 5000\r\n\r\n${JSON.stringify(order)}`);
  await once(socket.resume(), 'close');
  // The next request of another connection is read after this one.
  expect((await rpc(TOKEN, 'GetTask', { id: RUN_ID })).answer.result).toBeDefined();
  expect(runtime.calls).toEqual([]);
});

it('the number of tasks of a page is not negative', async () => {
  await robot();
  const { answer } = await rpc(TOKEN, 'ListTasks', { pageSize: -5 });
  expect(answer.error?.message).toContain('params.pageSize');
  expect((await rpc(TOKEN, 'ListTasks', { pageSize: 1 })).answer.result).toMatchObject({
    tasks: [{ id: RUN_ID }],
  });
});

it('a guest of another tenant sees nothing of what is installed', async () => {
  await robot();
  const skills = async (token: string) => {
    const headers = { authorization: `Bearer ${token}`, 'a2a-version': '1.0' };
    const card = await fetch(`${rig!.url}/.well-known/agent-card.json`, { headers });
    const { answer } = await rpc(token, 'GetExtendedAgentCard', {});
    return JSON.stringify([await card.json(), answer]).includes('find_exit');
  };
  expect([await skills('token-of-ada'), await skills('token-of-guest')]).toEqual([true, false]);
});

it.each(['\n', '\r\n'])(
  'a stream of an agent may go on for ever, event by event, with lines that end by %j',
  async (end) => {
    const event = new TextEncoder().encode(`data: ${'x'.repeat(1024 * 1024)}${end}${end}`);
    let sent = 0;
    // In pieces, so that an empty line is cut too.
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent++ > 20) return controller.close();
        controller.enqueue(event.subarray(0, -1));
        controller.enqueue(event.subarray(-1));
      },
    });
    const fetched = guardedFetch({
      ...{
        clock: new ManualClock(),
        origin: 'http://agent',
        token: undefined,
        signal: new AbortController().signal,
      },
      fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
    });
    const response = await fetched('http://agent/a2a');
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(A2A_LIMITS.ANSWER_BYTES_MAX * 2);
  },
);
