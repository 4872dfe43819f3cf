import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openEventReader } from '../../adapters/event-log/index.ts';
import { type EStopState, type LedgerLine, LIMITS, type Submitted } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { allEvents, auraison, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { descendants, isAlive, isRosHost, sharedMemoryOf } from '../support/processes.ts';
import { foreignDecoded, foreignView, readersPython } from '../support/readers.ts';
import { accountOf, bagsOf } from '../support/recordings.ts';
import { RECORDED_MESSAGES, syntheticDb3 } from '../support/synthetic-recording.ts';

/** The whole daemon on a real ROS 2: recorded, driven, killed, stopped, and without any ROS. */
const INSTALL_MS = 15 * 60_000;
const SHARED_MEMORY = '/dev/shm';

type Sent = Record<string, { type: string; count: number; sha256: string }>;
type Command = { t: number; linear: number; angular: number };

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
  readersPython();
}, INSTALL_MS);

let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  directory = freshDir('daemon-ros');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

/** `toml` is what an operator would write; the environment is that of a shell with ROS sourced. */
async function rosDaemon(toml: string, more: Readonly<Record<string, string>> = {}): Promise<TestDaemon> {
  const config = join(directory.path, 'robot.toml');
  writeFileSync(config, toml);
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...env,
    AURAISON_CONFIG: config,
    AURAISON_ROBOT_SOURCE: 'ros',
    ...more,
  });
  closing.push(() => daemon.stop());
  return daemon;
}

function peer(script: string, ...args: string[]): PythonPeer {
  const opened = new PythonPeer(env, script, args);
  closing.push(() => opened.close());
  return opened;
}

const connected = (daemon: TestDaemon) =>
  until(
    async () => {
      const { robot } = await daemon.status();
      return robot.available && robot.source.connected;
    },
    'the robot is connected',
    90_000,
  );

async function ledgerOf(daemon: TestDaemon): Promise<readonly LedgerLine[]> {
  const { recorder } = await daemon.status();
  return (recorder as unknown as { ledger: readonly LedgerLine[] }).ledger;
}

/** Processes of the ROS client below the daemon. */
const hosts = (daemon: TestDaemon) => descendants(daemon.child.pid).filter(isRosHost);

const topic = (name: string, type: string, qos = '') =>
  `[[ros.topics]]\ntopic = "${name}"\ntype = "${type}"\n${qos}\n`;

describe('the recording published by rclpy over Fast DDS', () => {
  /** As it was made; its commands are those of another driver, so ours go elsewhere. */
  const TOML = [
    '[ros]\ncmd_vel = "/commands"\n',
    topic('/scan', 'sensor_msgs/msg/LaserScan', 'reliability = "reliable"'),
    topic('/odom', 'nav_msgs/msg/Odometry', 'reliability = "best_effort"\ndepth = 200'),
    topic('/tf', 'tf2_msgs/msg/TFMessage'),
    topic('/tf_static', 'tf2_msgs/msg/TFMessage', 'durability = "transient_local"\ndepth = 100'),
    topic('/cmd_vel', 'geometry_msgs/msg/Twist'),
    topic('/robot_description', 'std_msgs/msg/String', 'durability = "transient_local"\ndepth = 1'),
  ].join('\n');

  it('is in the segments, complete and byte by byte', async () => {
    const daemon = await rosDaemon(TOML);
    await connected(daemon);
    const publisher = peer('ros_publish.py', syntheticDb3(), '--speed', '10', '--reliability', 'reliable');
    const sent = await publisher.line<Sent>(() => true, 120_000);
    expect(Object.values(sent).reduce((sum, { count }) => sum + count, 0)).toBe(RECORDED_MESSAGES);
    await until(
      async () => {
        const lines = (await ledgerOf(daemon)).filter((line) => line.topic in sent);
        return lines.reduce((sum, { written }) => sum + written, 0) === RECORDED_MESSAGES;
      },
      'everything is written',
      30_000,
    );
    expect(await daemon.stop()).toBe(0);
    const [bag] = bagsOf(daemon.dataDir);
    const { topics } = await foreignView('mcap', bag!);
    for (const [name, { count, sha256 }] of Object.entries(sent))
      expect({ name, ...topics[name] }).toEqual({ name, count, sha256 });
    // The definitions beside them are those of the installation, and whoever reads them can decode all.
    const decoded = Object.values(await foreignDecoded(bag!)).reduce((sum, count) => sum + count, 0);
    expect(decoded).toBe(Object.values(topics).reduce((sum, { count }) => sum + count, 0));
    const own = Object.entries(topics).filter(([name]) => !(name in sent));
    const ours = own.reduce((sum, [, { count }]) => sum + count, 0);
    const isOwn = /^\/(commands|auraison\/(log|events|actions\/drive))$/;
    expect(own.map(([name]) => name).filter((name) => !isOwn.test(name))).toEqual([]);
    const reader = openEventReader(daemon.dataDir, 'execution');
    const account = accountOf(reader.read(0, 10_000));
    reader.close();
    expect(account).toEqual({
      received: RECORDED_MESSAGES + ours,
      written: RECORDED_MESSAGES + ours,
      dropped: {},
    });
  });

  it('is counted in the ledger where a best-effort topic loses', async () => {
    const daemon = await rosDaemon(TOML);
    await connected(daemon);
    const publisher = peer('ros_publish.py', syntheticDb3(), '--speed', '1000');
    const sent = await publisher.line<Sent>(() => true, 120_000);
    const odometry = sent['/odom']!.count;
    let seen: unknown;
    const line = await until(async () => {
      const found = (await ledgerOf(daemon)).find((one) => one.topic === '/odom');
      seen = found;
      return found && found.received >= odometry ? found : undefined;
    }, `all ${odometry} of odometry are in the ledger, lost or not`).catch((error: Error) => {
      throw new Error(`${error.message}; at last ${JSON.stringify(seen)}`);
    });
    expect(line.received).toBe(odometry);
    await daemon.api.post('/v1/recorder/seal');
    // What was received is written by now.
    const sealed = (await ledgerOf(daemon)).find((one) => one.topic === '/odom')!;
    const { received, written, dropped } = accountOf(await allEvents(daemon.api));
    process.stderr.write(`ros: ${sealed.written} of ${odometry} odometry messages written\n`);
    expect(received).toBe(written + (dropped['middleware'] ?? 0));
    expect(sealed.received - sealed.written).toBe(dropped['middleware'] ?? 0);
  });
});

describe('a robot that is driven', () => {
  const commands = (base: PythonPeer) =>
    base.lines.filter((line): line is Command => typeof line === 'object' && line !== null && 't' in line);
  const moves = ({ linear, angular }: Command) => linear !== 0 || angular !== 0;
  const rests = (command: Command) => 't' in command && !moves(command);

  /** A new run has brought the robot on its way. */
  async function onTheWay(daemon: TestDaemon): Promise<string> {
    const far = async () => {
      const { robot } = await daemon.status();
      return robot.available ? (robot.distance ?? 0) : 0;
    };
    const before = await far();
    const { run } = await daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
    await until(async () => (await far()) > before + 0.3, 'the robot is on its way');
    return run.run_id;
  }

  /** A robot of `namespace` on its way by a run. */
  async function driving(namespace: string) {
    const base = peer('ros_robot.py', namespace);
    await base.line<{ ready: boolean }>((line) => line.ready, 60_000);
    const daemon = await rosDaemon(`[ros]\nnamespace = "${namespace}"\n`);
    await connected(daemon);
    const runId = await onTheWay(daemon);
    return { base, daemon, runId };
  }

  it('obeys in its namespace, and stands before a stop and a cancellation are answered', async () => {
    const { base, daemon, runId } = await driving('robot7');
    expect(commands(base).some(moves)).toBe(true);
    // Both clocks are the kernel's monotonic one: what the base had heard when the answer came is known.
    const standsWhenAnswered = async (order: string) => {
      await daemon.api.post(order, { reason: 'somebody is in the way' });
      const answered = Number(process.hrtime.bigint()) / 1e9;
      // It stays so: nothing drives a robot whose run has ended.
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      const before = commands(base).filter(({ t }) => t <= answered);
      expect(moves(before.at(-1)!)).toBe(false);
      expect(commands(base).slice(before.length).filter(moves)).toEqual([]);
    };
    await standsWhenAnswered('/v1/robot/stop');
    const next = await onTheWay(daemon);
    expect(next).not.toBe(runId);
    await standsWhenAnswered(`/v1/runs/${next}/cancel`);
    const kinds = (await allEvents(daemon.api)).map(({ kind }) => kind);
    expect(kinds).toContain('safety.stopped');
    expect(kinds).toContain('lease.granted');
    // A node of the robot presses the emergency stop: it stands, and is told nothing but to stand until a release.
    await onTheWay(daemon);
    await peer('ros_estop.py', '/robot7/emergency_stop').line<{ said: boolean }>((line) => line.said, 60_000);
    const engaged = await until(async () => {
      const state = await daemon.api.get<EStopState>('/v1/estop');
      return state.engaged && state;
    }, 'the emergency stop is engaged');
    expect(engaged).toMatchObject({ source: 'ros', by: '/robot7/emergency_stop' });
    await until(() => !moves(commands(base).at(-1)!), 'the base was told to stand');
    const stood = commands(base).length;
    const order = { kind: 'drive', distance_m: 1 };
    await expect(daemon.api.post('/v1/robot/maneuver', order)).rejects.toMatchObject({
      code: 'estop.engaged',
    });
    const goal = { action: '/spin', type: 'nav2_msgs/action/Spin', goal: {}, timeout_ms: 1_000 };
    await expect(daemon.api.post('/v1/ros/actions/goals', goal)).rejects.toMatchObject({
      code: 'estop.engaged',
    });
    expect(commands(base).slice(stood).filter(moves)).toEqual([]);
    // Not within a second of the press: a button that is held says it again and again.
    const release = () => daemon.api.post<EStopState>('/v1/estop/release', {});
    await until(async () => !(await release()).engaged, 'it is released');
    await onTheWay(daemon);
  });

  it('is stopped when the ROS host is killed; the daemon says so, comes back and drives on', async () => {
    const { base, daemon, runId } = await driving('');
    const cell = await daemon.pidOf('execution');
    // All of them, the standby as well: what is left is to start anew.
    const doomed = hosts(daemon).map(({ pid }) => pid);
    expect(doomed.length).toBeGreaterThan(0);
    const from = base.lines.length;
    for (const pid of doomed) process.kill(pid, 'SIGKILL');
    await until(async () => {
      const { robot } = await daemon.status();
      return robot.available && !robot.source.connected && robot.degraded.some((line) => /^ros: /.test(line));
    }, 'the status says that ROS is gone');
    await base.line<Command>(rests, 20_000, from);
    await connected(daemon);
    const back = base.lines.length;
    await base.line<Command>((line) => 't' in line && moves(line), 60_000, back);
    expect(await daemon.pidOf('execution')).toBe(cell);
    const events = await allEvents(daemon.api);
    expect(events.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['cell.degraded', 'cell.recovered']),
    );
    const { run } = await daemon.api.get<{ run: { status: string } }>(`/v1/runs/${runId}`);
    expect(run.status).toBe('running');
  });

  it('stands when the daemon has ended on SIGTERM, in time, and nothing is left behind', async () => {
    const before = new Set(readdirSync(SHARED_MEMORY));
    const { base, daemon } = await driving('');
    const family = descendants(daemon.child.pid).map(({ pid }) => pid);
    const segments = family.flatMap(sharedMemoryOf);
    // There is something that can be left behind.
    expect(segments.some((name) => /fast(rtps|dds)/.test(name))).toBe(true);
    expect(hosts(daemon).length).toBeGreaterThan(0);
    const begin = performance.now();
    expect(await daemon.stop()).toBe(0);
    const tookMs = performance.now() - begin;
    process.stderr.write(`ros: daemon stopped in ${tookMs.toFixed(0)} ms, ${family.length} processes\n`);
    expect(tookMs).toBeLessThan(LIMITS.SHUTDOWN_MS + 2_000);
    expect(family.filter(isAlive)).toEqual([]);
    expect(moves(commands(base).at(-1)!)).toBe(false);
    await base.close();
    // Neither segments of Fast DDS nor the intake of the recorder. Others share ports with it, and have their own.
    const intake = `auraison-${createHash('sha256').update(daemon.dataDir).digest('hex').slice(0, 16)}`;
    const used = new Set(readdirSync('/proc').flatMap((name) => sharedMemoryOf(Number(name))));
    const left = readdirSync(SHARED_MEMORY).filter((name) => !used.has(name));
    const ofRos = segments.filter((name) => /fast(rtps|dds)/.test(name) && !before.has(name));
    expect(left.filter((name) => name === intake || ofRos.includes(name))).toEqual([]);
  });
});

describe('without any ROS', () => {
  it('the daemon is up, says what is missing, and does the rest', async () => {
    const daemon = await testDaemon(join(directory.path, 'data'), {
      AURAISON_ROBOT_SOURCE: 'ros',
      AMENT_PREFIX_PATH: '',
    });
    closing.push(() => daemon.stop());
    const status = await until(async () => {
      const found = await daemon.status();
      return found.cells.every(({ state }) => state === 'up') && found;
    }, 'all cells are up');
    expect(status.robot).toMatchObject({
      available: true,
      connected: false,
      source: { kind: 'ros', connected: false },
      degraded: [expect.stringContaining('no ROS 2 installation is sourced')],
    });
    const { status: code, stdout } = auraison(['status', '--data-dir', daemon.dataDir]);
    expect(code).toBe(0);
    expect(stdout).toContain('no ROS 2 installation is sourced');
    // A host that starves degrades other parts too.
    const degraded = (await allEvents(daemon.api)).flatMap((event) =>
      event.kind === 'cell.degraded' && event.payload.error?.code === 'ros.unavailable'
        ? [event.payload.error]
        : [],
    );
    expect(degraded).toMatchObject([{ hint: expect.stringContaining('setup.bash') }]);
    expect(await daemon.stop()).toBe(0);
  });
});
