import { once } from 'node:events';
import { connect } from 'node:net';
import { type StreamResponse, type Task, TaskState } from '@a2a-js/sdk';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { A2aEndpoint } from '../../adapters/a2a/server/index.ts';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type AskApi, EdgeError, LIMITS, type RuntimeApi } from '../../contract/index.ts';
import { Connections } from '../../daemon/http/connections.ts';
import { APPS, a2aClient, a2aRobot, send, skill } from '../support/a2a-robot.ts';
import { type Rig, RUN_ID, startRig, TinyRuntime, TOKEN } from '../support/http-rig.ts';

let rig: Rig | undefined;
afterEach(() => rig?.stop());
afterEach(() => void vi.restoreAllMocks());

/** The API with an A2A agent over this runtime; every request of the rig shows the token. */
async function robot(runtime: Partial<RuntimeApi> = {}, ask?: AskApi): Promise<TinyRuntime> {
  const { tiny, endpoint } = a2aRobot(runtime, ask);
  rig = await startRig({}, { a2a: endpoint });
  return tiny;
}

const rpc = async (body: string | object, headers: Record<string, string> = {}) => {
  const response = await fetch(`${rig!.url}/a2a`, {
    method: 'POST',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return (await response.json()) as { result?: Record<string, unknown>; error?: Record<string, unknown> };
};

describe('the agent card', () => {
  it('shows the intents of applications as skills to who has a token, and no skill to others', async () => {
    await robot();
    const open = await fetch(`${rig!.url}/.well-known/agent-card.json`, {
      headers: { 'a2a-version': '1.0' },
    });
    expect([open.status, await open.json()]).toMatchObject([
      200,
      { name: 'r1', capabilities: { streaming: true, extendedAgentCard: true } },
    ]);
    const wrong = await fetch(`${rig!.url}/.well-known/agent-card.json`, {
      headers: { authorization: 'Bearer other' },
    });
    expect(wrong.status).toBe(401);
    const whole = (await (
      await rig!.get('/.well-known/agent-card.json', { 'a2a-version': '1.0' })
    ).json()) as Record<string, unknown>;
    expect(whole['skills']).toMatchObject([
      { id: 'maze/find_exit', tags: ['maze'], description: expect.stringContaining('patience') },
    ]);
    expect(whole['supportedInterfaces']).toMatchObject([
      { url: `${rig!.url}/a2a`, protocolVersion: '1.0' },
      { protocolVersion: '0.3' },
      { url: `${rig!.url}/a2a/http`, protocolBinding: 'HTTP+JSON' },
    ]);
    const legacy = (await (await rig!.get('/.well-known/agent-card.json')).json()) as Record<string, unknown>;
    expect(legacy).toMatchObject({
      protocolVersion: '0.3.0',
      url: `${rig!.url}/a2a`,
      preferredTransport: 'JSONRPC',
    });
  });
});

describe('an agent that calls this robot', () => {
  it('sends a message that names a skill: it opens one run, in the name of the token', async () => {
    const runtime = await robot();
    runtime.status_ = 'succeeded';
    const task = (await (await a2aClient(rig!.url)).sendMessage(send([skill], { contextId: 'c-7' }))) as Task;
    expect([task.id, task.status?.state]).toEqual([RUN_ID, TaskState.TASK_STATE_COMPLETED]);
    expect(runtime.calls[0]).toMatchObject({
      request: {
        type: 'maze/find_exit',
        params: { patience: 2 },
        idempotency_key: expect.stringMatching(/^a2a\|c-7\|[0-9a-f]{40}$/),
      },
      context: { principal: 'operator', origin: 'a2a' },
    });
    await (await a2aClient(rig!.url)).sendMessage(send([skill], { contextId: 'c-7' }));
    const keys = runtime.calls.map(
      (call) => (call as { request: { idempotency_key: string } }).request.idempotency_key,
    );
    expect(new Set(keys).size).toBe(1);
  });

  it('may say it as text, and as metadata', async () => {
    const runtime = await robot();
    runtime.status_ = 'succeeded';
    const one = await a2aClient(rig!.url);
    await one.sendMessage(send([{ $case: 'text', value: 'maze/find_exit' }]));
    await one.sendMessage(send([{ $case: 'text', value: '{"skill": "maze/find_exit", "params": {}}' }]));
    await one.sendMessage(send([], { metadata: { skill: 'maze/find_exit' } }));
    expect(runtime.calls).toHaveLength(3);
    await expect(
      one.sendMessage(send([{ $case: 'data', value: { skill: 'maze/find_exit', speed: 9 } }])),
    ).rejects.toThrow('data.speed');
  });

  it('follows a run to its end', async () => {
    const runtime = await robot();
    const states: (TaskState | undefined)[] = [];
    for await (const { payload } of (await a2aClient(rig!.url)).sendMessageStream(send([skill]))) {
      const { value } = payload as StreamResponse['payload'] & { value: Task };
      states.push(value.status?.state);
      runtime.status_ = 'succeeded';
    }
    expect(states).toEqual([TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]);
  });

  it('of version 0.3 is understood as well', async () => {
    const runtime = await robot();
    runtime.status_ = 'succeeded';
    const message = {
      ...{ kind: 'message', messageId: 'm1', role: 'user' },
      parts: [{ kind: 'data', data: { skill: 'maze/find_exit' } }],
    };
    const sent = await rpc({ jsonrpc: '2.0', id: 1, method: 'message/send', params: { message } });
    expect(sent.result).toMatchObject({ kind: 'task', id: RUN_ID, status: { state: 'completed' } });
    const got = await rpc({ jsonrpc: '2.0', id: 2, method: 'tasks/get', params: { id: RUN_ID } });
    expect(got.result).toMatchObject({ kind: 'task', id: RUN_ID });
    const old = await (await a2aClient(rig!.url, true)).getTask({ tenant: '', id: RUN_ID });
    expect(old.id).toBe(RUN_ID);
  });

  it('hears why it is refused', async () => {
    await robot({
      submit: async () => {
        throw new EdgeError('policy.denied', {
          operation: 'submit',
          subject: 'intent',
          message: 'not at night',
        });
      },
    });
    await expect((await a2aClient(rig!.url)).sendMessage(send([skill]))).rejects.toThrow(
      'policy.denied: not at night',
    );
    expect((await rpc({ nothing: true }, { 'a2a-version': '1.0' })).error).toMatchObject({ code: -32602 });
    expect((await rpc('{{', { 'a2a-version': '1.0' })).error).toBeDefined();
    expect(
      (await rpc({ jsonrpc: '2.0', id: 1, method: 'GetTask', params: {} }, { 'a2a-version': '9.0' })).error,
    ).toBeDefined();
  });

  it('needs a token', async () => {
    await robot();
    const response = await fetch(`${rig!.url}/a2a`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
  });

  it('says words: nothing moves before it confirms what would be done', async () => {
    const asked: string[] = [];
    const ask: AskApi = {
      plan: async (words) => ({
        ...{ ask_id: 'a1', words, kind: 'intent', app: 'maze', about: 'Find the exit', reason: 'it fits' },
        ...{ intent: { type: 'maze/find_exit', params: {} }, model: 'm', expires_ts: '0' },
      }),
      confirm: async (id) => {
        asked.push(id);
        return (await new TinyRuntime().submit({ type: 'maze/find_exit' }, {})) as never;
      },
    };
    const runtime = await robot({}, ask);
    runtime.status_ = 'succeeded';
    const one = await a2aClient(rig!.url);
    const answer = await one.sendMessage(send([{ $case: 'text', value: 'get out of here' }]));
    expect(JSON.stringify(answer)).toContain('Find the exit');
    expect([runtime.calls, asked]).toEqual([[], []]);
    const task = (await one.sendMessage(send([{ $case: 'data', value: { ask_id: 'a1' } }]))) as Task;
    expect([task.id, asked]).toEqual([RUN_ID, ['a1']]);
  });
});

it('an order inside of a JSON text is no order: the guard against late orders would not see it', async () => {
  const runtime = await robot();
  const message = { messageId: 'm', role: 'ROLE_USER', parts: [{ data: skill.value }] };
  const order = { jsonrpc: '2.0', id: 1, method: 'SendMessage', params: { message } };
  const { error } = await rpc(JSON.stringify(JSON.stringify(order)), { 'a2a-version': '1.0' });
  expect(error).toBeDefined();
  expect(runtime.calls).toEqual([]);
});

describe('the cancel of a task', () => {
  it.each<[string, string | object, Record<string, string>]>([
    ['as version 1.0 has it', { jsonrpc: '2.0', id: 1, method: 'CancelTask', params: { id: RUN_ID } }, {}],
    ['as version 0.3 has it', { jsonrpc: '2.0', id: 1, method: 'tasks/cancel', params: { id: RUN_ID } }, {}],
    ['without an envelope', { method: 'tasks/cancel', params: { id: RUN_ID, junk: [1] }, more: 1 }, {}],
    [
      'of another version',
      { method: 'CancelTask', params: { id: `tasks/${RUN_ID}` } },
      { 'a2a-version': '7' },
    ],
    [
      'of another type',
      { method: 'CancelTask', params: { taskId: RUN_ID } },
      { 'content-type': 'text/strange' },
    ],
    [
      'that broke off',
      `{"jsonrpc":"2.0","method":"tasks/cancel","params":{"id":"${RUN_ID}","metadata":{`,
      {},
    ],
    [
      'that broke off, after a request id that is a UUID',
      `{"jsonrpc":"2.0","id":"11111111-2222-4333-8444-555555555555","method":"CancelTask","params":{"id":"${RUN_ID}",`,
      {},
    ],
  ])('stops the run: %s', async (_, body, headers) => {
    const runtime = await robot();
    const { result } = await rpc(body, headers);
    expect(result).toMatchObject({ id: RUN_ID });
    expect(runtime.calls).toContainEqual(expect.objectContaining({ cancel: RUN_ID }));
  });

  it.each([
    [
      'longer than the limit',
      `{"method":"CancelTask","params":{"id":"${RUN_ID}","metadata":{"reason":"`,
      `"}}}`,
    ],
    [
      'longer, and its task stands at the end',
      `{"method":"tasks/cancel","params":{"metadata":{"reason":"`,
      `"},"id":"${RUN_ID}"}}`,
    ],
  ])('stops the run with a body that is %s', async (_, head, end) => {
    const runtime = await robot();
    const { result } = await rpc(`${head}${'x'.repeat(LIMITS.API_BODY_BYTES_MAX + 1)}${end}`);
    expect(result).toMatchObject({ id: RUN_ID });
    expect(runtime.calls).toContainEqual(expect.objectContaining({ cancel: RUN_ID }));
  });

  it('stops the run although the rest of the body never comes, also where the client has gone', async () => {
    const body = `{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{"id":"${RUN_ID}"`;
    const head = `POST /a2a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n`;
    for (const leaves of [false, true]) {
      const runtime = await robot();
      const cancelled = new Promise((resolve) => {
        const cancel = runtime.cancel.bind(runtime);
        runtime.cancel = async (...of) => {
          resolve(of[0]);
          return await cancel(...of);
        };
      });
      const socket = connect(Number(new URL(rig!.url).port), '127.0.0.1');
      socket.write(`${head}Content-Length: 5000\r\n\r\n${body}`);
      if (leaves) socket.end();
      expect(await cancelled).toBe(RUN_ID);
      if (!leaves) expect(String((await once(socket, 'data'))[0])).toContain('HTTP/1.1 200');
      socket.destroy();
      await rig!.stop();
    }
  });

  it('is carried out although other clients hold all places; what is no cancel is not', async () => {
    const runtime = await robot();
    vi.spyOn(Connections.prototype, 'known').mockReturnValue(false);
    const { result } = await rpc({ method: 'tasks/cancel', params: { id: RUN_ID } });
    expect(result).toMatchObject({ id: RUN_ID });
    const other = await rig!.post('/a2a', {
      jsonrpc: '2.0',
      id: 1,
      method: 'tasks/get',
      params: { id: RUN_ID },
    });
    expect(other.status).toBe(503);
    expect(runtime.calls).toHaveLength(1);
  });

  it('is the only request that may be longer than the limit', async () => {
    const runtime = await robot();
    const order = {
      jsonrpc: '2.0',
      id: 1,
      method: 'message/send',
      params: { pad: 'x'.repeat(LIMITS.API_BODY_BYTES_MAX) },
    };
    expect((await rig!.post('/a2a', order)).status).toBe(413);
    expect(runtime.calls).toEqual([]);
  });

  it('of an unknown task is an error', async () => {
    const runtime = await robot();
    const { error } = await rpc({ jsonrpc: '2.0', id: 1, method: 'CancelTask', params: { id: 'x' } });
    expect(error).toMatchObject({ code: -32001 });
    expect(runtime.calls).toEqual([]);
  });
});

describe('a guest of another tenant', () => {
  it('finds no task of others, and cancels none', async () => {
    const runtime = new TinyRuntime();
    const endpoint = new A2aEndpoint({
      ...{
        robot: 'r1',
        version: '1',
        clock: new SystemClock(),
        apps: () => APPS,
        newId: () => 'id',
        runtime,
      },
      message: async () => {},
    });
    const auth = {
      kind: 'token',
      token: TOKEN,
      principals: [
        { token: 'token-of-guest', who: { principal: 'eve', tenant: 'plant', roles: ['operator'] } },
      ],
    } as const;
    rig = await startRig({ auth }, { a2a: endpoint });
    for (const method of ['GetTask', 'CancelTask']) {
      const { error } = await rpc(
        { jsonrpc: '2.0', id: 1, method, params: { id: RUN_ID } },
        { authorization: 'Bearer token-of-guest', 'a2a-version': '1.0' },
      );
      expect([method, error]).toMatchObject([method, { code: -32001 }]);
    }
    expect(runtime.calls).toEqual([]);
  });
});
