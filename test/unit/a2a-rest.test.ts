import { type StreamResponse, type Task, TaskState } from '@a2a-js/sdk';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Connections } from '../../daemon/http/connections.ts';
import { a2aClient, a2aRobot, send, skill } from '../support/a2a-robot.ts';
import { type Rig, RUN_ID, startRig, type TinyRuntime, TOKEN } from '../support/http-rig.ts';

let rig: Rig | undefined;
afterEach(() => rig?.stop());
afterEach(() => void vi.restoreAllMocks());

async function robot(): Promise<TinyRuntime> {
  const { tiny, endpoint } = a2aRobot();
  rig = await startRig({}, { a2a: endpoint });
  return tiny;
}

describe('the HTTP+JSON binding, by the official client', () => {
  it('opens one run, follows it, finds it, lists it and cancels it', async () => {
    const runtime = await robot();
    const one = await a2aClient(rig!.url, false, true);
    const states: (TaskState | undefined)[] = [];
    for await (const { payload } of one.sendMessageStream(send([skill]))) {
      const { value } = payload as StreamResponse['payload'] & { value: Task };
      states.push(value.status?.state);
      runtime.status_ = 'succeeded';
    }
    expect(states).toEqual([TaskState.TASK_STATE_WORKING, TaskState.TASK_STATE_COMPLETED]);
    const sent = (await one.sendMessage(send([skill]))) as Task;
    expect([sent.id, sent.status?.state]).toEqual([RUN_ID, TaskState.TASK_STATE_COMPLETED]);
    expect(runtime.calls[0]).toMatchObject({
      request: { type: 'maze/find_exit', params: { patience: 2 } },
      context: { principal: 'operator', origin: 'a2a' },
    });
    expect((await one.getTask({ tenant: '', id: RUN_ID })).id).toBe(RUN_ID);
    expect((await one.cancelTask({ tenant: '', id: RUN_ID, metadata: undefined })).id).toBe(RUN_ID);
    expect(runtime.calls).toContainEqual(expect.objectContaining({ cancel: RUN_ID }));
    const listed = await rig!.get('/a2a/http/tasks?pageSize=5');
    expect([listed.status, await listed.json()]).toMatchObject([200, { tasks: expect.any(Array) }]);
    await expect(
      one.sendMessage(send([{ $case: 'data', value: { skill: 'maze/find_exit', speed: 9 } }])),
    ).rejects.toThrow('data.speed');
  });

  it('refuses in its own form, and cancels with any body, although others hold all places', async () => {
    const runtime = await robot();
    const post = (path: string, body: string, headers: Record<string, string> = {}) =>
      fetch(`${rig!.url}/a2a/http${path}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${TOKEN}`, ...headers },
        body,
      });
    const gone = await rig!.get('/a2a/http/tasks/00000000-0000-0000-0000-000000000000');
    expect([gone.status, await gone.json()]).toMatchObject([
      404,
      { error: { code: 404, status: 'NOT_FOUND', details: [{ reason: 'TASK_NOT_FOUND' }] } },
    ]);
    const old = await rig!.get(`/a2a/http/tasks/${RUN_ID}`, { 'a2a-version': '9.0' });
    expect([old.status, await old.json()]).toMatchObject([400, { error: { status: 'FAILED_PRECONDITION' } }]);
    const empty = await post('/message:send', '{}', { 'content-type': 'application/a2a+json' });
    expect([empty.status, await empty.json()]).toMatchObject([
      400,
      { error: { status: 'INVALID_ARGUMENT' } },
    ]);
    expect((await fetch(`${rig!.url}/a2a/http/message:send`, { method: 'POST' })).status).toBe(401);
    vi.spyOn(Connections.prototype, 'known').mockReturnValue(false);
    const cancelled = await post(`/tasks/${RUN_ID}:cancel`, '{{ no JSON', { 'content-type': 'text/strange' });
    expect([cancelled.status, await cancelled.json()]).toMatchObject([200, { id: RUN_ID }]);
    expect(runtime.calls).toEqual([expect.objectContaining({ cancel: RUN_ID })]);
    expect((await post('/message:send', '{}', { 'content-type': 'application/json' })).status).toBe(503);
  });
});
