import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { allEvents, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { foreignDecoded, foreignView, readersPython } from '../support/readers.ts';
import { accountOf, bagsOf } from '../support/recordings.ts';
import { freePort, zenohPeers } from '../support/zenoh.ts';
import { ZenohRosPeer } from '../support/zenoh-ros-peer.ts';

/** The whole daemon and ROS nodes that are not ours (Python, zenoh-ros2-sdk): no ROS is installed anywhere here. */
const DOMAIN = 17;
const closing: (() => Promise<unknown>)[] = [];
let directory: ReturnType<typeof freshDir>;
beforeEach(() => {
  directory = freshDir('daemon-ros-zenoh');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

type Rig = { readonly daemon: TestDaemon; readonly robot: ZenohRosPeer };

/** By a router of its own, as on a robot, or by the daemon's. */
async function start(router: 'ours' | 'own' = 'ours'): Promise<Rig> {
  const port = await freePort();
  const endpoint = `tcp/127.0.0.1:${port}`;
  if (router === 'own') {
    const zenohd = spawn(zenohPeers().zenohd, ['--no-multicast-scouting', '-l', endpoint], {
      stdio: 'ignore',
    });
    closing.push(async () => void zenohd.kill('SIGKILL'));
  }
  const where = router === 'own' ? 'mode = "client"\nconnect' : 'mode = "router"\nlisten';
  const config = join(directory.path, 'robot.toml');
  writeFileSync(
    config,
    `[robot]
source = "ros_zenoh"
harmless = ["/add_two_ints"]

[zenoh]
${where} = ["${endpoint}"]

[ros]
domain_id = ${DOMAIN}
discover = ["/**"]
deny = ["/cmd_vel"]
`,
  );
  const daemon = await testDaemon(join(directory.path, 'data'), {
    AURAISON_CONFIG: config,
    AURAISON_ZENOH_ENABLED: 'true',
  });
  closing.push(() => daemon.stop());
  const robot = new ZenohRosPeer('robot', port, DOMAIN);
  closing.push(() => robot.kill());
  await robot.until((line) => 'ready' in line);
  await until(
    async () => {
      const { robot: seen } = await daemon.status();
      return seen.available && seen.source.connected;
    },
    'the robot is connected',
    90_000,
  );
  return { daemon, robot };
}

const turns = (robot: ZenohRosPeer) =>
  robot.lines.flatMap(({ cmd_vel }) => (cmd_vel ? [(cmd_vel as [number, number])[1]] : []));

describe('a robot on rmw_zenoh', () => {
  it('is recorded, configured and discovered topics alike, with an exact ledger and definitions for foreign readers', async () => {
    readersPython();
    const { daemon } = await start();
    const recorded = async () =>
      (await daemon.status()).recorder as unknown as { ledger: { topic: string; written: number }[] };
    await until(async () => {
      const { ledger } = await recorded();
      return ['/scan', '/odom', '/chatter'].every(
        (name) => (ledger.find(({ topic }) => topic === name)?.written ?? 0) > 50,
      );
    }, 'fifty messages of each topic');
    const called = await daemon.api.post('/v1/ros/services/call', {
      service: '/add_two_ints',
      type: 'example_interfaces/srv/AddTwoInts',
      request: { a: 40, b: 2 },
    });
    expect(JSON.stringify(called)).toMatch(/"sum":"?42/);
    expect(await daemon.stop()).toBe(0);
    const [bag] = bagsOf(daemon.dataDir);
    const { topics } = await foreignView('mcap', bag!);
    expect(Object.keys(topics)).toEqual(expect.arrayContaining(['/scan', '/odom', '/chatter']));
    const decoded = Object.values(await foreignDecoded(bag!)).reduce((sum, count) => sum + count, 0);
    expect(decoded).toBe(Object.values(topics).reduce((sum, { count }) => sum + count, 0));
  }, 180_000);

  it('obeys, and is stopped when the cell that drives it is killed', async () => {
    const { daemon, robot } = await start();
    const turn = daemon.api.post('/v1/robot/maneuver', { kind: 'spin', angle_rad: 3 }).catch(() => {});
    await until(() => turns(robot).some((speed) => speed > 0), 'the robot turns');
    process.kill(await daemon.pidOf('execution'), 'SIGKILL');
    await turn;
    await until(() => turns(robot).at(-1) === 0, 'the stop');
    await until(async () => (await daemon.status()).robot.available, 'the cell is back');
    const events = await allEvents(daemon.api);
    const account = accountOf(events);
    expect(account.received).toBeGreaterThanOrEqual(account.written);
  }, 180_000);

  // An abort is what the end of a thread within native code does to its process.
  it.each(['SIGKILL', 'SIGABRT', 'SIGSTOP'] as const)(
    'is stopped by the standby when the cell that drives it gets %s, before the supervisor starts another one',
    async (signal) => {
      const { daemon, robot } = await start('own');
      const cell = await daemon.pidOf('execution');
      const turn = daemon.api
        .post('/v1/robot/maneuver', { kind: 'spin', angle_rad: 6 })
        .catch((error: unknown) => error);
      await until(() => turns(robot).filter((speed) => speed > 0).length > 5, 'the robot turns');
      const from = robot.lines.length;
      const began = performance.now();
      // The supervisor finds a frozen cell within 2 s, which on a busy host may be before the robot has heard the zeros.
      if (signal === 'SIGSTOP') process.kill(daemon.child.pid, 'SIGSTOP');
      process.kill(cell, signal);
      const heard = () => robot.lines.slice(from).filter(({ cmd_vel }) => cmd_vel !== undefined).length;
      await until(() => heard() > 0 && turns(robot).at(-1) === 0, 'the stop', 5_000);
      const stoppedMs = performance.now() - began;
      // Nobody else could have: the cell is dead or frozen still, and no other has begun.
      if (signal === 'SIGSTOP') for (const pid of [cell, daemon.child.pid]) process.kill(pid, 'SIGCONT');
      console.info(`${signal}: zeros after ${stoppedMs.toFixed(0)} ms`);
      await turn;
      await until(async () => (await daemon.status()).robot.available, 'the cell is back', 60_000);
      expect(turns(robot).at(-1)).toBe(0);
    },
    180_000,
  );
});
