import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Task } from '@a2a-js/sdk';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { endpointOf } from '../../daemon/client/api-client.ts';
import { a2aClient, send } from '../support/a2a-robot.ts';
import { freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/** A whole daemon, the official JavaScript client, and a receiver that answers as the test says. */
const folder = freshDir('auraison-a2a-push');
const posted: { state: string; task: string; token: unknown; answered: number }[] = [];
let answers = 200;
const receiver = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += String(piece);
  const { task } = JSON.parse(body) as { task: { id: string; status: { state: string } } };
  const token = request.headers['x-a2a-notification-token'];
  posted.push({ state: task.status.state, task: task.id, token, answered: answers });
  response.writeHead(answers).end();
});
let daemon: TestDaemon;

beforeAll(async () => {
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const toml = `[sim]\nwidth = 3\nheight = 3\nseed = 3\n[a2a]\nserve = true\npush_to = ["http://127.0.0.1:${port}"]\n`;
  writeFileSync(join(folder.path, 'robot.toml'), toml);
  daemon = await testDaemon(join(folder.path, 'data'), { AURAISON_CONFIG: join(folder.path, 'robot.toml') });
}, 120_000);
afterAll(async () => {
  await daemon?.stop();
  receiver.closeAllConnections();
  receiver.close();
  folder.remove();
});

it('the last state reaches a client whose receiver was down, also when the cell is killed meanwhile', async () => {
  const { url, token } = endpointOf(daemon.settings, '/');
  const client = await a2aClient(url.origin, false, false, token);
  const { port } = receiver.address() as AddressInfo;
  const taskPushNotificationConfig = {
    ...{ tenant: '', id: '', taskId: '', url: `http://127.0.0.1:${port}/hook`, token: 'mine' },
    authentication: undefined,
  };
  const configuration = {
    ...{ acceptedOutputModes: [], returnImmediately: true, historyLength: undefined },
    taskPushNotificationConfig,
  };
  const part = { $case: 'data' as const, value: { skill: 'maze/find_exit' } };
  const { id } = (await client.sendMessage({ ...send([part]), configuration })) as Task;
  await until(() => posted.some(({ state }) => state === 'TASK_STATE_WORKING'), 'it hears that it works');
  answers = 503;
  await client.cancelTask({ tenant: '', id, metadata: undefined });
  const last = () => posted.filter(({ state }) => state === 'TASK_STATE_CANCELED');
  await until(() => last().length > 0, 'the last state was tried');
  process.kill(await daemon.pidOf('runtime'), 'SIGKILL');
  answers = 200;
  await until(() => last().some(({ answered }) => answered === 200), 'the last state was taken');
  for (const one of posted) expect(one).toMatchObject({ task: id, token: 'mine' });
  await until(async () => {
    const { a2a_push } = (await daemon.status()) as { a2a_push?: { configs: number; delivered: number } };
    return a2a_push?.configs === 0 && a2a_push.delivered > 0;
  }, 'it is counted');
}, 120_000);
