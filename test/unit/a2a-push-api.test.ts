import type { TaskPushNotificationConfig } from '@a2a-js/sdk';
import { afterEach, describe, expect, it } from 'vitest';
import { A2A_PUSH } from '../../contract/index.ts';
import { a2aClient, a2aRobot, pushRig, RECEIVER, send, skill } from '../support/a2a-robot.ts';
import { type Rig, RUN_ID, startRig, type TinyRuntime, TOKEN } from '../support/http-rig.ts';

let rig: Rig | undefined;
afterEach(() => rig?.stop());

const PRINCIPALS = [
  { token: 'token-of-guest', who: { principal: 'eve', tenant: 'plant', roles: ['operator'] } },
  { token: 'token-of-colleague', who: { principal: 'bob', tenant: 'local', roles: ['operator'] } },
];

/** The API with an A2A agent that posts to receivers, or posts nothing. */
async function robot(posts = true) {
  let tiny: TinyRuntime | undefined;
  const push = pushRig((id) => tiny?.run(id));
  const made = a2aRobot({}, undefined, posts ? push.desk : undefined);
  tiny = made.tiny;
  const a2a = Object.assign(made.endpoint, posts ? { push: () => push.desk.stats() } : {});
  rig = await startRig({ auth: { kind: 'token', token: TOKEN, principals: PRINCIPALS } }, { a2a });
  return { runtime: tiny, push };
}

const config = (more: Partial<TaskPushNotificationConfig> = {}): TaskPushNotificationConfig => ({
  ...{ tenant: '', id: 'c1', taskId: RUN_ID, url: `${RECEIVER}/hook`, token: 'mine' },
  authentication: { scheme: 'Bearer', credentials: 'secret' },
  ...more,
});

async function rpc(method: string, params: object, token = TOKEN, version = '0.3') {
  const response = await fetch(`${rig!.url}/a2a`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'a2a-version': version },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  return (await response.json()) as { result?: unknown; error?: { code: number; message: string } };
}

describe('a client of push notifications', () => {
  it.each([
    ['JSON-RPC, version 1.0', false, false],
    ['JSON-RPC, version 0.3', true, false],
    ['HTTP+JSON', false, true],
  ])('sets, reads, lists and deletes its configs: %s', async (_, legacy, rest) => {
    const { push } = await robot();
    const one = await a2aClient(rig!.url, legacy, rest);
    const set = await one.createTaskPushNotificationConfig(config());
    expect(set).toMatchObject({ id: 'c1', taskId: RUN_ID, url: `${RECEIVER}/hook`, token: 'mine' });
    const of = { tenant: '', taskId: RUN_ID };
    const got = await one.getTaskPushNotificationConfig({ ...of, id: 'c1' });
    expect([got.url, got.authentication?.scheme]).toEqual([`${RECEIVER}/hook`, 'Bearer']);
    expect(JSON.stringify(got)).not.toContain('secret');
    await one.createTaskPushNotificationConfig(config({ id: '' }));
    const page = { ...of, pageSize: 0, pageToken: '' };
    const listed = await one.listTaskPushNotificationConfig(page);
    expect(listed.configs.map(({ id }) => id)).toEqual(['c1', RUN_ID]);
    await one.deleteTaskPushNotificationConfig({ ...of, id: 'c1' });
    expect((await one.listTaskPushNotificationConfig(page)).configs).toHaveLength(1);
    await expect(one.getTaskPushNotificationConfig({ ...of, id: 'c1' })).rejects.toThrow('of this id');
    expect(push.kept.text).toContain('secret');
  });

  it('gives one with its message, and the states come in the version it speaks', async () => {
    const { runtime, push } = await robot();
    const one = await a2aClient(rig!.url);
    const configuration = {
      ...{ acceptedOutputModes: [], returnImmediately: true, historyLength: undefined },
      taskPushNotificationConfig: config({ id: '', taskId: '' }),
    };
    await one.sendMessage({ ...send([skill]), configuration });
    const message = {
      ...{ kind: 'message', messageId: 'm2', role: 'user' },
      parts: [{ kind: 'data', data: { skill: 'maze/find_exit' } }],
    };
    const old = { blocking: false, pushNotificationConfig: { id: 'old', url: `${RECEIVER}/old` } };
    await rpc('message/send', { message, configuration: old });
    runtime.status_ = 'succeeded';
    await push.clock.advance(A2A_PUSH.LOOK_MS);
    const bodies = push.sent.map(({ url, body }) => [new URL(url).pathname, JSON.parse(body) as object]);
    expect(bodies).toMatchObject([
      ['/hook', { task: { id: RUN_ID, status: { state: 'TASK_STATE_COMPLETED' } } }],
      ['/old', { kind: 'task', id: RUN_ID, status: { state: 'completed' } }],
    ]);
    const { a2a_push } = (await (await rig!.get('/v1/status')).json()) as { a2a_push: object };
    expect(a2a_push).toMatchObject({ configs: 0, delivered: 2, expired: 0 });
    const metrics = await (await rig!.get('/metrics')).text();
    expect(metrics).toContain('auraison_a2a_push_states_total{outcome="delivered"} 2');
  });

  it('opens no run with a config that is refused', async () => {
    const { runtime } = await robot();
    const one = await a2aClient(rig!.url);
    const configuration = {
      ...{ acceptedOutputModes: [], returnImmediately: true, historyLength: undefined },
      taskPushNotificationConfig: config({ taskId: '', url: 'http://169.254.169.254/latest' }),
    };
    await expect(one.sendMessage({ ...send([skill]), configuration })).rejects.toThrow('policy.denied');
    expect(runtime.calls).toEqual([]);
    const { error } = await rpc('tasks/pushNotificationConfig/set', {
      ...{ taskId: RUN_ID, pushNotificationConfig: { url: 7 } },
    });
    expect(error).toMatchObject({ message: expect.stringContaining('url: a text expected') });
    const empty = await rpc('tasks/pushNotificationConfig/set', { taskId: RUN_ID });
    expect(empty.error?.message).toContain('an object with url expected');
  });

  it('hears that there is no place for another config', async () => {
    await robot();
    const set = (id: string) =>
      rpc('tasks/pushNotificationConfig/set', {
        taskId: RUN_ID,
        pushNotificationConfig: { id, url: `${RECEIVER}/hook` },
      });
    for (let nth = 0; nth < A2A_PUSH.OF_TASK_MAX; nth++) expect((await set(`c${nth}`)).error).toBeUndefined();
    expect((await set('more')).error?.message).toContain('quota.exceeded: no place for another config');
  });

  it('has nothing to say about tasks that another one opened', async () => {
    const { push } = await robot();
    await (await a2aClient(rig!.url)).createTaskPushNotificationConfig(config());
    const pushNotificationConfig = { id: 'c1', url: `${RECEIVER}/theirs` };
    const id = { id: RUN_ID, pushNotificationConfigId: 'c1' };
    for (const [method, params] of [
      ['set', { taskId: RUN_ID, pushNotificationConfig }],
      ['get', id],
      ['list', { id: RUN_ID }],
      ['delete', id],
    ] as const) {
      const path = `tasks/pushNotificationConfig/${method}`;
      expect((await rpc(path, params, 'token-of-guest')).error).toMatchObject({ code: -32001 });
      expect((await rpc(path, params, 'token-of-colleague')).error?.message).toContain('policy.denied');
    }
    expect(push.desk.list(RUN_ID).map(({ url }) => url)).toEqual([`${RECEIVER}/hook`]);
  });
});

it('the card says what the configuration allows, and without it each request is refused', async () => {
  const says = async () => {
    const response = await rig!.get('/.well-known/agent-card.json', { 'a2a-version': '1.0' });
    const card = (await response.json()) as { capabilities: { pushNotifications?: boolean } };
    return card.capabilities.pushNotifications ?? false;
  };
  await robot();
  expect(await says()).toBe(true);
  await rig!.stop();
  const { runtime } = await robot(false);
  expect(await says()).toBe(false);
  const set = { taskId: RUN_ID, pushNotificationConfig: { url: `${RECEIVER}/hook` } };
  expect((await rpc('tasks/pushNotificationConfig/set', set)).error).toMatchObject({ code: -32003 });
  const message = {
    ...{ kind: 'message', messageId: 'm', role: 'user' },
    parts: [{ kind: 'data', data: { skill: 'maze/find_exit' } }],
  };
  const configuration = { pushNotificationConfig: { url: `${RECEIVER}/hook` } };
  expect((await rpc('message/send', { message, configuration })).error).toMatchObject({ code: -32003 });
  expect(runtime.calls).toEqual([]);
});
