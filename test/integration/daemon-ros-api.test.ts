import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { auraison, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/** The ROS graph as a user meets it: the API and the command line of a whole daemon, with rclpy on the other side. */
let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, 15 * 60_000);

let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  directory = freshDir('daemon-ros-api');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

function peer(...args: string[]): PythonPeer {
  const opened = new PythonPeer(env, 'ros_api.py', args);
  closing.push(() => opened.close());
  return opened;
}

type Goal = { goal_id: string; state: string; feedback_seq: number; feedback: unknown[]; result?: unknown };

it('calls, goals, parameters, states and frames, and what discovery records', async () => {
  const node = peer('serve');
  peer('publish', '/found/words', 'std_msgs/msg/String', '--node', 'words', '--latched', '--count', '7');
  const config = join(directory.path, 'robot.toml');
  writeFileSync(config, '[robot]\nharmless = ["/peer/**", "/absent"]\n[ros]\ndiscover = ["/found/**"]\n');
  const daemon: TestDaemon = await testDaemon(join(directory.path, 'data'), {
    ...env,
    AURAISON_CONFIG: config,
    AURAISON_ROBOT_SOURCE: 'ros',
  });
  closing.push(() => daemon.stop());
  const { api } = daemon;
  await node.line((line: { ready?: boolean }) => line.ready === true, 60_000);
  const cli = (...args: string[]) => {
    const once = () => auraison(args, { AURAISON_DAEMON_DATA_DIR: daemon.dataDir });
    let said = once();
    // A host that held the daemon up for a moment makes it refuse what may be old, and ask for it again.
    for (let i = 0; i < 20 && said.stderr.includes('stood still a moment ago'); i++) said = once();
    return { status: said.status, stderr: said.stderr, text: said.stdout };
  };

  const call = { service: '/peer/add', type: 'example_interfaces/srv/AddTwoInts' };
  const sum = await until(
    async () =>
      api.post('/v1/ros/services/call', {
        ...call,
        request: { a: '4611686018427387904', b: 1 },
        timeout_ms: 10_000,
      }),
    'the service answers',
    90_000,
  );
  expect(sum).toEqual({ response: { sum: '4611686018427387905' } });
  await expect(api.post('/v1/ros/services/call', { ...call, request: { c: 1 } })).rejects.toMatchObject({
    code: 'schema.invalid',
  });
  const absent = { service: '/absent', type: 'std_srvs/srv/Trigger', timeout_ms: 300 };
  await expect(api.post('/v1/ros/services/call', absent)).rejects.toMatchObject({ code: 'ros.not_found' });
  // Without the token nobody moves anything.
  const refused = await fetch(new URL('/v1/ros/services/call', api.url), { method: 'POST', body: '{}' });
  expect(refused.status).toBe(401);

  const added = cli('ros', 'call', '/peer/add', call.type, '{"a": 20, "b": 22}', '--json');
  expect([added.status, JSON.parse(added.text)]).toEqual([0, { sum: '42' }]);
  const fibonacci = ['/peer/count', 'example_interfaces/action/Fibonacci'];
  const counted = cli('ros', 'send-goal', ...fibonacci, '{"order": 6}', '--feedback', '--json');
  expect(counted.status, counted.stderr).toBe(0);
  expect(JSON.parse(counted.text)).toMatchObject({
    state: 'succeeded',
    result: { sequence: [0, 1, 1, 2, 3, 5, 8] },
  });
  expect(counted.stderr).toContain('{"sequence":[0,1,1');
  expect(cli('ros', 'send-goal', ...fibonacci, '{"order": -1}').status).toBe(1);

  // A goal that runs is cancelled by its endpoint, and by a stop of the robot.
  const order = { action: fibonacci[0], type: fibonacci[1], goal: { order: 2_000 } };
  const ended = async (goal: Goal) =>
    until(async () => {
      const now = await api.get<Goal>(`/v1/ros/actions/goals/${goal.goal_id}`);
      return now.state !== 'running' && now.state;
    }, 'the goal has ended');
  const first = await api.post<Goal>('/v1/ros/actions/goals', order);
  expect(first.state).toBe('running');
  expect(await api.post(`/v1/ros/actions/goals/${first.goal_id}/cancel`)).toEqual({ cancelled: true });
  expect(await ended(first)).toBe('canceled');
  const second = await api.post<Goal>('/v1/ros/actions/goals', order);
  // There is no base here that could confirm it: the goal ends all the same.
  await api.post('/v1/robot/stop', { reason: 'somebody is in the way' }).catch(() => {});
  expect(await ended(second)).toBe('canceled');

  expect(cli('ros', 'param', 'set', '/peer', 'speed', '0.7').status).toBe(0);
  expect(cli('ros', 'param', 'set', '/peer', 'speed', '3.5')).toMatchObject({
    status: 1,
    text: 'refused: too fast\n',
  });
  expect(cli('ros', 'param', 'get', '/peer', 'speed', 'ids', '--json').text).toContain(
    '"speed":{"kind":"double","value":0.7}',
  );
  expect(cli('ros', 'param', 'list', '/peer').text).toContain('speed');
  expect(cli('ros', 'lifecycle', 'set', '/managed', 'configure').text).toBe('inactive\n');
  expect(cli('ros', 'lifecycle', 'get', '/managed').text).toBe('inactive\n');

  expect(cli('ros', 'nodes').text).toContain('/auraison_edge');
  expect(cli('ros', 'actions').text).toContain('/peer/count');
  expect(cli('ros', 'topics', '--all').text).toMatch(
    /\/found\/words +offers +\/words +reliable, transient_local/,
  );
  const none = cli('ros', 'tf', 'map', 'base_link');
  expect([none.status, none.stderr]).toEqual([
    1,
    expect.stringContaining('unknown frame map: it has not been published'),
  ]);

  await until(async () => {
    const { recorder } = await daemon.status();
    const { ledger } = recorder as unknown as { ledger: { topic: string; written: number }[] };
    return ledger.some(({ topic, written }) => topic === '/found/words' && written === 7);
  }, 'what was discovered is recorded');
});
