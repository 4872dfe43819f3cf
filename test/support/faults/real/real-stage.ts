import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { LeaseView, Submitted } from '../../../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../../../peers/ros-peer.ts';
import { freshDir, type TestDaemon, testDaemon, until } from '../../daemon.ts';
import { simHostPid } from '../../processes.ts';
import type { Entry, RobotFacts } from '../record.ts';
import { hostMs, recordingSim, simRecord } from './sim-record.ts';

/** A robot that a real daemon drives, and what it wrote down. */
export type RealStage = {
  readonly daemon: TestDaemon;
  readonly facts: RobotFacts;
  record(): readonly Entry[];
  /** Another node of the robot, where there is ROS. */
  peer?(script: string, ...args: string[]): PythonPeer;
  close(): Promise<void>;
};

export const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const FACTS: RobotFacts = { commands: 'speeds', speedMax: [0.46, 1.9], restSpeed: [0.01, 0.04] };

/** The base in its maze, by the clock. */
export async function baseStage(): Promise<RealStage> {
  const directory = freshDir('faults-base');
  const file = join(directory.path, 'record');
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...{ AURAISON_SIM_PACE: 'realtime', AURAISON_SIM_SPEED: '1' },
    ...{ AURAISON_SIM_WIDTH: '8', AURAISON_SIM_HEIGHT: '8' },
    ...recordingSim(file),
  });
  return {
    ...{ daemon, facts: FACTS, record: () => simRecord(file) },
    async close() {
      await daemon.stop();
      directory.remove();
    },
  };
}

type Told = { readonly t: number; readonly linear: number; readonly angular: number };

/** A base on a real DDS: a node of rclpy that keeps to its last command for ever. */
export async function rosStage(): Promise<RealStage> {
  const directory = freshDir('faults-ros');
  const env: RosEnv = rosEnvironment();
  const base = new PythonPeer(env, 'ros_robot.py', ['']);
  await base.line<{ ready: boolean }>((line) => line.ready, 60_000);
  const daemon = await testDaemon(join(directory.path, 'data'), { ...env, AURAISON_ROBOT_SOURCE: 'ros' });
  const peers: PythonPeer[] = [base];
  /** Its speed is what it was told last: it has neither inertia nor a watchdog. */
  const record = (): Entry[] => {
    const told = base.lines.filter(
      (line): line is Told => typeof line === 'object' && line !== null && 't' in line,
    );
    const found = told.flatMap(({ t, linear, angular }): Entry[] => {
      const at = { atMs: t * 1_000, worldMs: t * 1_000 };
      return [
        { kind: 'command', ...at, values: [linear, angular], refused: '' },
        { kind: 'state', ...at, speeds: [linear, angular], collisions: 0 },
      ];
    });
    const last = found.findLast((one) => one.kind === 'state');
    return last ? [...found, { ...last, atMs: hostMs(), worldMs: hostMs() }] : found;
  };
  return {
    ...{ daemon, facts: FACTS, record },
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

/** Everything is up, nothing is engaged, nobody has the robot, and it stands. */
export async function ready({ daemon, record, facts }: RealStage): Promise<void> {
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
  await api.post('/v1/robot/stop', {}).catch(() => {});
  await until(async () => (await api.get<LeaseView>('/v1/lease')).state === 'free', 'nobody has the robot');
  await until(() => {
    const state = record().findLast((one) => one.kind === 'state');
    return state === undefined || !isMoving(state.speeds, facts, 1);
  }, 'it stands');
}

export function isMoving(speeds: readonly number[], { restSpeed }: RobotFacts, times = 4): boolean {
  return speeds.some((speed, i) => Math.abs(speed) > times * restSpeed[i]!);
}

/** The robot back at the entrance of its maze. */
export async function newWorld({ daemon }: RealStage): Promise<void> {
  const before = simHostPid(daemon.child.pid);
  if (before !== undefined) process.kill(before, 'SIGKILL');
  await until(async () => {
    const now = simHostPid(daemon.child.pid);
    const { robot } = await daemon.status();
    return now !== undefined && now !== before && robot.available && robot.connected;
  }, 'the simulator is back');
}

/** Somebody who moves the robot until `end`. */
export type Mover = { end(): void; readonly runId?: string; readonly lease?: () => LeaseView };

export async function spinning({ daemon }: RealStage): Promise<Mover> {
  const order = { kind: 'spin', angle_rad: 20 };
  daemon.api.post('/v1/robot/maneuver', order).catch(() => {});
  return { end: () => {} };
}

export async function onMission(stage: RealStage): Promise<Mover> {
  await newWorld(stage);
  const { run } = await stage.daemon.api.post<Submitted>('/v1/intents', { type: 'maze/find_exit' });
  return { end: () => {}, runId: run.run_id };
}

/** A person with a lease of 1.5 s, who turns to the left and renews it while the hand is there. */
export async function steering({ daemon }: RealStage): Promise<Mover> {
  const { api } = daemon;
  const lease = await api.post<LeaseView>('/v1/lease', { ttl_ms: 1_500 });
  let goes = true;
  const again = async (path: string, body: object, ms: number) => {
    while (goes) {
      // Not waited for: a hand does not stop for an answer.
      api.post(path, body).catch(() => {});
      await wait(ms);
    }
  };
  const id = { lease_id: lease.lease_id };
  void again('/v1/teleop', { ...id, twist: { linear: 0, angular: 0.6 } }, 60);
  void again('/v1/lease/renew', id, 400);
  return {
    end: () => {
      goes = false;
    },
    lease: () => lease,
  };
}
