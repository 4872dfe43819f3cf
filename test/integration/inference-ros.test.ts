import { afterAll, beforeAll, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost } from '../../adapters/ros/index.ts';
import { serveRosInference } from '../../daemon/execution/serving/ros-inference.ts';
import { HashPolicy } from '../fakes/hash-policy.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { deskOf, specOf } from '../support/desk.ts';
import { system2Door } from '../support/inference-doors.ts';

/** A real rclpy node asks policies, models and plans by the services of auraison_interfaces. */
const clock = new SystemClock();
let env: RosEnv;
let host: RosHost;
let peer: PythonPeer | undefined;
beforeAll(async () => {
  env = rosEnvironment();
  host = new RosHost({ env, node: 'edge' }, clock);
  await host.start(host);
}, 15 * 60_000);
afterAll(async () => {
  await peer?.close();
  await host?.release(host);
});

it('answers an rclpy node with the very actions of the policy, and with words where it refuses', {
  timeout: 240_000,
}, async () => {
  const { door: policies } = await deskOf(clock, [specOf('hash', () => new HashPolicy())]);
  const made = { plan: { goal: 'go', steps: [] }, run_id: 'r', model: 'm', model_id: 'm', dropped: [] };
  const system2 = system2Door(
    clock,
    () => ({ text: 'hello there' }),
    async () => made,
  );
  await serveRosInference({
    services: host.api.services,
    base: '/robot/inference',
    clock,
    policies,
    system2,
  });
  peer = new PythonPeer(env, 'ros_infer.py', ['/robot/inference']);
  await peer.line(
    (line: { done?: boolean; missing?: string; timeout?: string }) => line.done === true,
    200_000,
  );
  const lines = peer.lines as Record<string, unknown>[];
  const direct = (first: number) =>
    new HashPolicy().infer({
      tensors: {
        scan: { shape: [1, 36], data: Float32Array.from({ length: 36 }, (_, i) => first + i / 8) },
        state: { shape: [4], data: Float32Array.of(1, 2, 3, 4) },
      },
      stamp: 7_000_000_009n,
    });
  for (const [i, first] of [0.5, 1.5].entries()) {
    const { actions } = await direct(first);
    expect(lines[i]).toEqual({
      ok: true,
      error: '',
      shape: [8, 2],
      actions: Array.from(actions.data),
      step_ms: 50,
      stamp: [7, 9],
      hash: 'f'.repeat(64),
    });
  }
  expect(lines.slice(2, 6).map((line) => line['refused'])).toEqual([
    'model.bad_observation',
    'model.bad_observation',
    'model.not_found',
    'model.bad_observation',
  ]);
  expect(lines[6]).toMatchObject({ chat: 'hello there', whole: { object: 'chat.completion' } });
  expect(lines[7]).toEqual({ chat_refused: 'schema.invalid' });
  expect(lines[8]).toMatchObject({ plan: made });
});
