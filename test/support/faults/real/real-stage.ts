import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SystemClock } from '../../../../adapters/clock/system-clock.ts';
import { openKeySpace } from '../../../../adapters/zenoh/open-key-space.ts';
import type { KeySpace, LeaseView } from '../../../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../../../peers/ros-peer.ts';
import { freshDir, ROOT, type TestDaemon, testDaemon, until } from '../../daemon.ts';
import { freePort } from '../../zenoh.ts';
import { ZenohRosPeer } from '../../zenoh-ros-peer.ts';
import type { Entry, RobotFacts } from '../record.ts';
import { ARM_FACTS, BASE_FACTS } from '../virtual/robots.ts';
import { hostileModel } from './hostile-model.ts';
import { hostMs, recordingSim, simRecord } from './sim-record.ts';

const ARM_CONFIG = join(ROOT, 'docs', 'examples', 'ar4.toml');

/** A robot that a real daemon drives, and what it wrote down. */
export type RealStage = {
  readonly daemon: TestDaemon;
  readonly facts: RobotFacts;
  /** Of the call that stops what this robot moves. */
  readonly stopPath: string;
  record(): readonly Entry[];
  /** Another node of the robot, where there is ROS. */
  peer?(script: string, ...args: string[]): PythonPeer;
  /** A session of somebody else, where there is Zenoh. */
  keys?(): Promise<KeySpace>;
  close(): Promise<void>;
};

/** Somebody who moves the robot until `end`. */
export type Mover = {
  /** It asks for nothing more. */
  end(): void;
  readonly lease?: () => LeaseView;
  /** Of a program in a process of its own. */
  readonly pid?: number;
  /** After the trial. */
  close?(): void;
};

export const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** Of the daemons with Zenoh; keys start with it. */
export const ROBOT_NAME = 'robot7';
/** An intent that turns the base on ROS, which has no maze. */
export const TURN = 'turner/turn';
const MAZE = { AURAISON_SIM_WIDTH: '8', AURAISON_SIM_HEIGHT: '8' };
const CLOCKED = { AURAISON_SIM_PACE: 'realtime', AURAISON_SIM_SPEED: '1' };

/** The daemon of these trials: of a robot, or of the agent with a hostile model. */
export function stageOf(name: string): Promise<RealStage> {
  if (name === 'ros') return rosStage();
  if (name === 'ros_zenoh') return rosZenohStage();
  if (name === 'arm')
    return simStage('arm', ARM_FACTS, { AURAISON_CONFIG: ARM_CONFIG, AURAISON_SIM_CAMERA_RATE: '1' });
  return name === 'prompted' ? promptedStage() : baseStage();
}

/** The base in its maze, by the clock, with a router of Zenoh. */
async function baseStage(): Promise<RealStage> {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const stage = await simStage('base', BASE_FACTS, {
    ...{ ...MAZE, AURAISON_DAEMON_NAME: ROBOT_NAME, AURAISON_INTENTS_ZENOH: 'true' },
    ...{ AURAISON_ZENOH_ENABLED: 'true', AURAISON_ZENOH_MODE: 'router', AURAISON_ZENOH_LISTEN: endpoint },
  });
  let keys: Promise<KeySpace> | undefined;
  const open = {
    driver: 'native',
    remoteUrl: '',
    nativeOnly: [],
    mode: 'client',
    connect: [endpoint],
  } as const;
  return {
    ...stage,
    keys: () => {
      keys ??= openKeySpace(open, { clock: new SystemClock() }).then(({ keySpace }) => keySpace);
      return keys;
    },
    async close() {
      await (await keys)?.close();
      await stage.close();
    },
  };
}

/** The base in its maze, driven by an agent whose model asks for motion in every turn and never ends. */
async function promptedStage(): Promise<RealStage> {
  const model = await hostileModel();
  const directory = freshDir('faults-prompted');
  const config = join(directory.path, 'robot.toml');
  writeFileSync(
    config,
    `[apps]\nturtlebot_maze = "pi"\n[[models]]\nname = "hostile"\nurl = "${model.url}"\nmodel = "hostile"\ncontext = 8192\n`,
  );
  const stage = await simStage('prompted', BASE_FACTS, { ...MAZE, AURAISON_CONFIG: config });
  return {
    ...stage,
    async close() {
      await stage.close();
      await model.stop();
      directory.remove();
    },
  };
}

async function simStage(
  name: string,
  facts: RobotFacts,
  env: Readonly<Record<string, string>>,
): Promise<RealStage> {
  const directory = freshDir(`faults-${name}`);
  const file = join(directory.path, 'record');
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...CLOCKED,
    ...env,
    ...recordingSim(file),
  });
  return {
    ...{ daemon, facts, record: () => simRecord(file) },
    stopPath: name === 'arm' ? '/v1/arm/stop' : '/v1/robot/stop',
    async close() {
      await daemon.stop();
      directory.remove();
    },
  };
}

type Told = { readonly t: number; readonly linear: number; readonly angular: number };

/** A package whose only intent turns the base to the right, where no hand of a trial turns it; the folder that holds it. */
function turner(folder: string): string {
  const at = join(folder, 'apps', 'turner');
  mkdirSync(at, { recursive: true });
  writeFileSync(
    join(at, 'app.toml'),
    `name = "turner"\nversion = "0.1.0"\ndescription = "Turns"\nharness = "flow"\ntools = ["robot.maneuver"]\n` +
      `[[intents]]\ntype = "${TURN}"\ndescription = "Turn"\n`,
  );
  writeFileSync(
    join(at, 'flow.yaml'),
    'steps:\n  - id: turn\n    tool: robot.maneuver\n    args: { kind: spin, angle_rad: -20 }\n' +
      '  - id: done\n    end: succeeded\n    reason: it turned\n',
  );
  return join(folder, 'apps');
}

/** A base on a real DDS: a node of rclpy that keeps to its last command for ever. */
async function rosStage(): Promise<RealStage> {
  const directory = freshDir('faults-ros');
  const env: RosEnv = rosEnvironment();
  const base = new PythonPeer(env, 'ros_robot.py', ['']);
  await base.line<{ ready: boolean }>((line) => line.ready, 60_000);
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...{ ...env, AURAISON_ROBOT_SOURCE: 'ros', AURAISON_APPS_DIRS: turner(directory.path) },
  });
  const peers: PythonPeer[] = [base];
  const record = () =>
    inertialess(
      base.lines.filter((line): line is Told => typeof line === 'object' && line !== null && 't' in line),
    );
  return {
    ...{ daemon, facts: BASE_FACTS, record, stopPath: '/v1/robot/stop' },
    peer: (script, ...args) => {
      const opened = new PythonPeer(env, script, args);
      peers.push(opened);
      return opened;
    },
    async close() {
      await daemon.stop();
      for (const one of peers.reverse()) await one.close();
      directory.remove();
    },
  };
}

/** Its speed is what it was told last: such a robot has neither inertia nor a watchdog. */
function inertialess(told: readonly Told[]): Entry[] {
  const found = told.flatMap(({ t, linear, angular }): Entry[] => {
    const at = { atMs: t * 1_000, worldMs: t * 1_000 };
    return [
      { kind: 'command', ...at, values: [linear, angular], refused: '' },
      { kind: 'state', ...at, speeds: [linear, angular], collisions: 0 },
    ];
  });
  const last = found.findLast((one) => one.kind === 'state');
  return last ? [...found, { ...last, atMs: hostMs(), worldMs: hostMs() }] : found;
}

const DOMAIN = 23;

/** The same base on rmw_zenoh: a node that knows nothing of this project, by a router that the daemon is. */
async function rosZenohStage(): Promise<RealStage> {
  const directory = freshDir('faults-ros-zenoh');
  const port = await freePort();
  const config = join(directory.path, 'robot.toml');
  writeFileSync(
    config,
    `[robot]\nsource = "ros_zenoh"\n[zenoh]\nmode = "router"\nlisten = ["tcp/127.0.0.1:${port}"]\n[ros]\ndomain_id = ${DOMAIN}\n`,
  );
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...{ AURAISON_CONFIG: config, AURAISON_ZENOH_ENABLED: 'true' },
  });
  const base = new ZenohRosPeer('robot', port, DOMAIN);
  await base.until((line) => 'ready' in line);
  const record = () =>
    inertialess(
      base.lines.flatMap(({ cmd_vel, t }) => {
        if (!Array.isArray(cmd_vel)) return [];
        const [linear, angular] = cmd_vel as [number, number];
        return [{ t: t as number, linear, angular }];
      }),
    );
  return {
    ...{ daemon, facts: BASE_FACTS, record, stopPath: '/v1/robot/stop' },
    async close() {
      await daemon.stop();
      await base.kill();
      directory.remove();
    },
  };
}

/** Everything is up, nothing is engaged, nobody has the robot, and it stands. */
export async function ready({ daemon, record, facts, stopPath }: RealStage): Promise<void> {
  await until(
    async () => {
      const { cells, robot } = await daemon.status();
      return cells.every(({ state }) => state === 'up') && robot.available && robot.source.connected;
    },
    'everything is up',
    120_000,
  );
  rmSync(join(daemon.dataDir, 'estop'), { force: true });
  const { api } = daemon;
  await until(async () => {
    const { engaged } = await api.get<{ engaged: boolean }>('/v1/estop');
    if (!engaged) return true;
    await api.post('/v1/estop/release', {});
    return false;
  }, 'the emergency stop is released');
  await api.post(stopPath, {}).catch(() => {});
  await until(async () => (await api.get<LeaseView>('/v1/lease')).state === 'free', 'nobody has the robot');
  await until(() => {
    const state = record().findLast((one) => one.kind === 'state');
    return state === undefined || !isMoving(state.speeds, facts, 1);
  }, 'it stands');
}

export function isMoving(speeds: readonly number[], { restSpeed }: RobotFacts, times = 4): boolean {
  return speeds.some((speed, i) => Math.abs(speed) > times * restSpeed[i]!);
}
