import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { LedgerLine, RouteStatus } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { BadLink } from '../support/bad-link.ts';
import { freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { FarProcess } from '../support/far-process.ts';
import { percentile } from '../support/percentile.ts';
import type { FarKeys } from '../support/route-far-main.ts';
import { isBalanced } from '../support/route-rig.ts';
import { say } from '../support/say.ts';
import { freePort, zenohPeers } from '../support/zenoh.ts';
import { ZenohProgram } from '../support/zenoh-program.ts';

/**
 * Faults of routers and networks as a robot has them: rclpy publishes, the whole daemon carries it through its
 * routes, somebody behind a real zenohd reads. Nobody restarts anything but the router.
 */
const JOINTS = {
  topic: '/joint_states',
  type: 'sensor_msgs/msg/JointState',
  bytes: 512,
  hz: 20,
  depth: 1_000,
};
const CAMERA = { topic: '/camera', type: 'sensor_msgs/msg/Image', bytes: 100_000, hz: 1, depth: 100 };
const TOPICS = [JOINTS, CAMERA];
/** Where the network is not what limits, an image comes soon after each return. */
const FASTER = [JOINTS, { ...CAMERA, hz: 5 }];

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
  Object.assign(process.env, env);
}, 15 * 60_000);

let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  directory = freshDir('routes-faults');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

async function robot(endpoint: string): Promise<TestDaemon> {
  const config = join(directory.path, 'robot.toml');
  const heard = TOPICS.map(({ topic, type }) => `[[ros.topics]]\ntopic = "${topic}"\ntype = "${type}"\n`);
  const route = (name: string, topic: string, priority: string) =>
    `[[routes]]\nname = "${name}"\nfrom = "ros:${topic}"\nto = "zenoh:net/{topic}"\ndepth = 2000\npriority = "${priority}"\n`;
  const routes =
    route('small', JOINTS.topic, 'interactive_high') + route('large', CAMERA.topic, 'background');
  writeFileSync(config, `${heard.join('')}${routes}`);
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...env,
    AURAISON_CONFIG: config,
    AURAISON_ROBOT_SOURCE: 'ros',
    AURAISON_ZENOH_ENABLED: 'true',
    AURAISON_ZENOH_MODE: 'client',
    AURAISON_ZENOH_CONNECT: endpoint,
    AURAISON_ZENOH_SHARED_MEMORY: '0 B',
    AURAISON_ZENOH_BULK_CONNECTION: 'true',
  });
  closing.push(() => daemon.stop());
  return daemon;
}

async function published(seconds: number, topics = TOPICS): Promise<PythonPeer> {
  const peer = new PythonPeer(env, 'ros_load.py', [JSON.stringify({ seconds, topics })]);
  closing.push(() => peer.close());
  await peer.line((line: { ready?: boolean }) => line.ready === true, 90_000);
  return peer;
}

const told = (daemon: TestDaemon) =>
  daemon.api.get<{ routes: RouteStatus[]; ledger: LedgerLine[] }>('/v1/routes');
const ofRoutes = (ledger: readonly LedgerLine[]) => ledger.filter(({ hop }) => hop?.startsWith('route:'));

it('100 ms ± 30 ms delay, 5 % loss, 2 Mbit/s: small topics below a second beside large ones, all resumes after a cut', async () => {
  const figures = { delayMs: 100, jitterMs: 30, loss: 0.05, bitPerSecond: 2_000_000 };
  const link = await BadLink.open(figures, [await freePort(), await freePort()]);
  closing.push(() => link.close());
  const command = [zenohPeers().zenohd, '-l', link.routerListens, '--no-multicast-scouting'];
  const zenohd = spawn(...link.onFarSide(...command), { stdio: 'ignore' });
  closing.push(async () => zenohd.kill('SIGKILL'));
  const far = new FarProcess('route-far-main.ts', [link.farEndpoint, 'net/**'], (...line) =>
    link.onFarSide(...line),
  );
  closing.push(() => far.close());
  await far.line();
  const seen = () => far.report() as Promise<FarKeys>;
  const count = async (topic: string) => (await seen())[`net${topic}`]?.count ?? 0;

  const daemon = await robot(link.endpoint);
  const peer = await published(15);
  // What comes before the session is open is dropped, and counted: over this line it opens late.
  await until(async () => {
    const { zenoh } = await daemon.status();
    return zenoh.available && zenoh.connected;
  }, 'the session is open');
  peer.child.stdin!.write('go\n');
  const { sent } = await peer.line<{ sent: Record<string, number> }>((line) => 'sent' in line, 180_000);
  await until(async () => (await count(JOINTS.topic)) === sent[JOINTS.topic], 'all joint states came');
  await until(async () => (await count(CAMERA.topic)) === sent[CAMERA.topic], 'all images came');
  const { ledger } = await told(daemon);
  expect(isBalanced(ofRoutes(ledger))).toBe(true);
  for (const [topic, number] of Object.entries(sent))
    expect(ofRoutes(ledger).find((line) => line.topic === topic)).toMatchObject({
      received: number,
      forwarded: number,
      dropped: {},
    });
  const { latenciesMs } = (await seen())[`net${JOINTS.topic}`]!;
  say(
    `routes over a bad network (${link.kind}): joint states p50 ${Math.round(percentile(latenciesMs, 0.5))}, ` +
      `p95 ${Math.round(percentile(latenciesMs, 0.95))}, max ${Math.round(percentile(latenciesMs, 1))} ms\n`,
  );
  // One in ten may wait for the second timeout of TCP: a packet that was lost twice in a row.
  expect(percentile(latenciesMs, 0.9)).toBeLessThan(1_000);
  await peer.close();

  const again = await published(600);
  again.child.stdin!.write('go\n');
  const flows = async (what: string) => {
    for (const { topic } of TOPICS) {
      const before = await count(topic);
      await until(async () => (await count(topic)) > before + 2, `${topic} flows ${what}`, 90_000);
    }
  };
  await flows('before the cut');
  await link.tell('cut');
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  await link.tell('heal');
  await flows('after the cut');
  await until(
    async () => (await told(daemon)).routes.every(({ state }) => state === 'up'),
    'every route says that it is up',
  );
  // What is on its way at the moment of a look is not counted as forwarded yet.
  await until(async () => isBalanced(ofRoutes((await told(daemon)).ledger)), 'every sample is accounted for');
}, 600_000);

it('a router killed 20 times: every route resumes alone, none is silently dead', async () => {
  const port = await freePort();
  const endpoint = `tcp/127.0.0.1:${port}`;
  const zenohd = await ZenohProgram.zenohd(port);
  closing.push(() => zenohd.kill());
  const far = new FarProcess('route-far-main.ts', [endpoint, 'net/**'], (command, ...args) => [
    command!,
    args,
  ]);
  closing.push(() => far.close());
  await far.line();
  const count = async (topic: string) => ((await far.report()) as FarKeys)[`net${topic}`]?.count ?? 0;
  const daemon = await robot(endpoint);
  const execution = await daemon.pidOf('execution');
  const peer = await published(900, FASTER);
  peer.child.stdin!.write('go\n');
  for (const { topic } of TOPICS) await until(async () => (await count(topic)) > 0, `${topic} flows`);
  const recoveries: number[] = [];
  for (let round = 1; round <= 20; round++) {
    await zenohd.kill('SIGKILL');
    const before = new Map(
      await Promise.all(TOPICS.map(async (t) => [t.topic, await count(t.topic)] as const)),
    );
    await zenohd.start();
    const start = performance.now();
    for (const { topic } of TOPICS) {
      await until(
        async () => (await count(topic)) > before.get(topic)!,
        `round ${round}: ${topic} flows again`,
      );
      if (topic === JOINTS.topic) recoveries.push(performance.now() - start);
    }
  }
  say(
    `router killed 20 times under a daemon: joint states back after p50 ${Math.round(percentile(recoveries, 0.5))}, ` +
      `max ${Math.round(percentile(recoveries, 1))} ms\n`,
  );
  await until(
    async () => (await told(daemon)).routes.every(({ state }) => state === 'up'),
    'every route says that it is up',
  );
  // What is on its way at the moment of a look is not counted as forwarded yet.
  await until(async () => isBalanced(ofRoutes((await told(daemon)).ledger)), 'every sample is accounted for');
  expect(await daemon.pidOf('execution')).toBe(execution);
}, 600_000);
