import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { AgentEvent, RunDetails } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { allEvents, freshDir, testDaemon, until } from '../support/daemon.ts';

/** A real rclpy action client asks a whole daemon for something by our own interface package. */
let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, 15 * 60_000);

let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  directory = freshDir('daemon-intents-ros');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

type Ended = { status: string; run: string; run_id: string; reason: string; error_code: string };

it('a goal is a run: its end, its key, its refusal, its cancellation, and a client that dies', async () => {
  const config = join(directory.path, 'robot.toml');
  writeFileSync(
    config,
    '[robot]\nsource = "ros"\n[ros]\nnamespace = "/r1"\n[intents]\nros_client_gone = "cancel"\n',
  );
  const daemon = await testDaemon(join(directory.path, 'data'), { ...env, AURAISON_CONFIG: config });
  closing.push(() => daemon.stop());
  const client = new PythonPeer(env, 'ros_intent.py', ['/r1/run_intent', 'maze/find_exit']);
  closing.push(() => client.close());
  const said = async <T>(field: string): Promise<T> =>
    (await client.line((line: Record<string, unknown>) => field in line, 120_000)) as T;

  expect(await said('default_priority')).toMatchObject({ default_priority: 5 });
  const first = await said<{ ended: Ended; heard: string[] }>('ended');
  expect(first.ended).toMatchObject({ status: 'aborted', run: 'failed' });
  expect(first.heard).toContain('running');
  const { again } = await said<{ again: Ended }>('again');
  expect(again.run_id).toBe(first.ended.run_id);
  const { refused } = await said<{ refused: Ended }>('refused');
  expect(refused).toMatchObject({
    status: 'aborted',
    run: 'refused',
    run_id: '',
    error_code: 'schema.invalid',
  });
  expect(refused.reason).toMatch(/floor/);
  const { canceled, canceling } = await said<{ canceled: Ended; canceling: number }>('canceled');
  expect([canceling, canceled.status, canceled.run]).toEqual([1, 'canceled', 'cancelled']);

  // A client that leaves while its goal runs.
  client.child.stdin!.write('go\n');
  await said('sent');
  const runs = async () =>
    ((await allEvents(daemon.api, '&kind=intent.accepted')) as AgentEvent<'intent.accepted'>[]).map(
      ({ run_id, payload }) => ({ runId: run_id!, ...payload.intent }),
    );
  const last = await until(async () => {
    const found = await runs();
    return found.length === 3 && found.at(-1);
  }, 'three runs were opened');
  expect(last.policy_ctx).toEqual({
    tenant: 'local',
    principal: 'ros/graph',
    roles: ['operator'],
    origin: 'ros',
  });
  expect(last.idempotency_key).toMatch(/^goal\/[0-9a-f]{32}$/);
  client.child.stdin!.write('quit\n');
  const { reason } = await until(
    async () => {
      const details = await daemon.api.get<RunDetails>(`/v1/runs/${last.runId}`);
      return details.run.status === 'cancelled' && details;
    },
    'the run of the dead client is cancelled',
    90_000,
  );
  expect(reason).toMatch(/its ROS client left the graph/);
}, 400_000);
