import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import type { LedgerLine, RouteStatus } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { allEvents, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { isBalanced } from '../support/route-rig.ts';
import { freePort } from '../support/zenoh.ts';

/**
 * The whole daemon under a robot's load at a scale that two busy cores carry: rclpy over Fast DDS, the ROS host, bus,
 * recorder, a route, Zenoh over TCP, and a reader that counts. Nothing is compared with a clock: what was sent is
 * compared with what came, however long it took.
 */
const INSTALL_MS = 15 * 60_000;
const TOPICS = [
  { topic: '/joint_states', type: 'sensor_msgs/msg/JointState', bytes: 512, hz: 200, depth: 3_000 },
  { topic: '/scan', type: 'sensor_msgs/msg/LaserScan', bytes: 6_000, hz: 20, depth: 300 },
  { topic: '/camera/front', type: 'sensor_msgs/msg/Image', bytes: 921_600, hz: 3, depth: 60 },
  { topic: '/camera/rear', type: 'sensor_msgs/msg/Image', bytes: 921_600, hz: 3, depth: 60 },
  { topic: '/points', type: 'sensor_msgs/msg/PointCloud2', bytes: 1_000_000, hz: 2, depth: 40 },
  { topic: '/points/dense', type: 'sensor_msgs/msg/PointCloud2', bytes: 5_000_000, hz: 0.5, depth: 10 },
];
type Told = { sent: Record<string, number>; seconds: number; acked: boolean; late_ms: number };
type Answer = { routes: RouteStatus[]; ledger: LedgerLine[] };

const clock = new SystemClock();
let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
  Object.assign(process.env, env);
}, INSTALL_MS);

let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  directory = freshDir('routes-load');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

/** A daemon with one route out, and somebody in Zenoh who counts what comes. */
async function started() {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const config = join(directory.path, 'robot.toml');
  const heard = TOPICS.map(({ topic, type }) => `[[ros.topics]]\ntopic = "${topic}"\ntype = "${type}"\n`);
  const route = '[[routes]]\nname = "load"\nfrom = "ros:/**"\nto = "zenoh:load/{topic}"\ndepth = 4000\n';
  writeFileSync(config, `${heard.join('')}${route}`);
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...env,
    AURAISON_CONFIG: config,
    AURAISON_ROBOT_SOURCE: 'ros',
    AURAISON_ZENOH_ENABLED: 'true',
    AURAISON_ZENOH_MODE: 'router',
    AURAISON_ZENOH_LISTEN: endpoint,
  });
  closing.push(() => daemon.stop());
  const seen = new Map<string, number>();
  const reader = await NativeKeySpace.open(
    { mode: 'client', connect: [endpoint], config: { 'transport/shared_memory/enabled': false } },
    { clock },
  );
  closing.push(() => reader.close());
  await reader.subscribe(
    'load/**',
    (values) => {
      for (const { key } of values) seen.set(key.slice(4), (seen.get(key.slice(4)) ?? 0) + 1);
    },
    { depth: 20_000 },
  );
  await up(daemon);
  return { daemon, seen };
}

const answer = (daemon: TestDaemon) => daemon.api.get<Answer>('/v1/routes');

const up = (daemon: TestDaemon) =>
  until(
    async () => (await answer(daemon)).routes.every(({ state }) => state === 'up' || state === 'idle'),
    'the route is up',
    90_000,
  );

async function generator(topics: readonly object[], seconds: number): Promise<PythonPeer> {
  const peer = new PythonPeer(env, 'ros_load.py', [JSON.stringify({ seconds, topics })]);
  closing.push(() => peer.close());
  await peer.line((line: { ready?: boolean }) => line.ready === true, 90_000);
  return peer;
}

const lineOf = (ledger: readonly LedgerLine[], topic: string) =>
  ledger.find((line) => line.hop === 'route:load' && line.topic === topic);

it('carries five kinds of topics side by side, each sample of them, and its ledger is exact', async () => {
  const { daemon, seen } = await started();
  const peer = await generator(TOPICS, 15);
  peer.child.stdin!.write('go\n');
  const told = await peer.line<Told>((line) => 'sent' in line, 180_000);
  const total = Object.values(told.sent).reduce((sum, count) => sum + count, 0);
  expect(Object.keys(told.sent)).toHaveLength(TOPICS.length);
  await until(() => [...seen.values()].reduce((sum, n) => sum + n, 0) >= total, 'all came', 60_000).catch(
    () => {}, // What did not come is said below, by topic.
  );
  expect(Object.fromEntries(seen)).toEqual(told.sent);
  const { ledger } = await answer(daemon);
  for (const [topic, sent] of Object.entries(told.sent))
    expect(lineOf(ledger, topic)).toMatchObject({ received: sent, forwarded: sent, dropped: {} });
  expect(isBalanced(ledger.filter(({ hop }) => hop === 'route:load'))).toBe(true);
}, 400_000);

it('resumes after kill -9 of the execution cell, and its ledger is honest about what it knew', async () => {
  const { daemon, seen } = await started();
  const topics = TOPICS.slice(0, 3);
  const peer = await generator(topics, 60);
  peer.child.stdin!.write('go\n');
  const received = async () => lineOf((await answer(daemon)).ledger, '/joint_states')?.received ?? 0;
  await until(async () => (await received()) > 400, 'samples flow', 60_000);
  const known = await received();
  // The same process that answers this has noted its ledger many times since.
  await until(async () => (await received()) > known + 200, 'samples flow on', 60_000);
  const pid = await daemon.pidOf('execution');
  process.kill(pid, 'SIGKILL');
  const before = new Map(seen);
  await until(async () => (await daemon.pidOf('execution')) !== pid, 'another cell is up', 60_000);
  await up(daemon);
  for (const { topic } of topics)
    await until(() => (seen.get(topic) ?? 0) > (before.get(topic) ?? 0) + 3, `${topic} flows again`, 60_000);
  await peer.close();

  // Both lives of the cell, as the log tells them.
  const told = async () =>
    (await allEvents(daemon.api, '&kind=losses.recorded')).flatMap((event) =>
      event.kind === 'losses.recorded' && event.payload.hop === 'route:load' ? event.payload.topics : [],
    );
  const sum = (lines: readonly { topic: string; received: number }[]) =>
    lines.filter(({ topic }) => topic === '/joint_states').reduce((all, line) => all + line.received, 0);
  await until(async () => sum(await told()) >= known + (await received()), 'both lives are told', 60_000);
  const lines = await told();
  expect(isBalanced(lines as LedgerLine[])).toBe(true);
  const reasons = new Set(lines.flatMap(({ dropped }) => Object.keys(dropped)));
  // The second life may hear the robot before its key space is open: that is counted too.
  const honest = ['crash', 'middleware', 'not_connected'];
  expect([...reasons].filter((reason) => !honest.includes(reason))).toEqual([]);
  for (const { topic } of topics) {
    const crash = lines.reduce(
      (all, line) => all + (line.topic === topic ? (line.dropped['crash'] ?? 0) : 0),
      0,
    );
    // What was in flight when it was killed, and no more than a transport holds of a topic and its queue.
    expect(crash).toBeLessThanOrEqual(4_064);
  }
}, 400_000);
