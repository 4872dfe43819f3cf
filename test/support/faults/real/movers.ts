import {
  isFinished,
  type LeaseView,
  LIMITS,
  type RunDetails,
  type Submitted,
} from '../../../../contract/index.ts';
import { until } from '../../daemon.ts';
import { simHostPid } from '../../processes.ts';
import type { Trial } from '../trial.ts';
import { pythonProgram } from './python-program.ts';
import { type Mover, type RealStage, ROBOT_NAME, TURN, wait } from './real-stage.ts';

const INTENT = 'maze/find_exit';
/** A caller that goes on asking does so this often, milliseconds. */
const AGAIN_MS = 1_000;

/** What moves the robot in this trial, from now on. */
export function moverOf(stage: RealStage, { motion }: Trial): Promise<Mover> {
  switch (motion) {
    case 'teleop':
      return steering(stage);
    case 'mission':
      return onMission(stage);
    case 'zenoh':
      return overZenoh(stage);
    case 'ordered':
      return overRos(stage);
    case 'prompted':
      return prompted(stage);
    case 'python':
      return pythonProgram(stage, 'asks');
    case 'python-hand':
      return pythonProgram(stage, 'steers');
    case 'trajectory':
      return reaching(stage);
    default:
      return spinning(stage);
  }
}

type Brief = RunDetails['run'];

async function openRuns({ daemon }: RealStage): Promise<readonly Brief[]> {
  const { runs } = await daemon.api.get<{ runs: readonly RunDetails[] }>('/v1/runs');
  return runs.map(({ run }) => run).filter(({ status }) => !isFinished(status));
}

/** No run of this trial goes on. */
export async function endRuns(stage: RealStage): Promise<void> {
  await until(async () => {
    const open = await openRuns(stage);
    for (const { run_id } of open)
      await stage.daemon.api
        .post(`/v1/runs/${run_id}/cancel`, { reason: 'the trial is over' })
        .catch(() => {});
    return open.length === 0;
  }, 'no run is left');
}

/** The robot back at the entrance of its maze. */
async function newWorld({ daemon }: RealStage): Promise<void> {
  const before = simHostPid(daemon.child.pid);
  if (before !== undefined) process.kill(before, 'SIGKILL');
  await until(async () => {
    const now = simHostPid(daemon.child.pid);
    const { robot } = await daemon.status();
    return now !== undefined && now !== before && robot.available && robot.connected;
  }, 'the simulator is back');
}

async function spinning({ daemon }: RealStage): Promise<Mover> {
  const order = { kind: 'spin', angle_rad: 20 };
  daemon.api.post('/v1/robot/maneuver', order).catch(() => {});
  return { end: () => {} };
}

async function onMission(stage: RealStage): Promise<Mover> {
  await newWorld(stage);
  await stage.daemon.api.post<Submitted>('/v1/intents', { type: INTENT });
  return { end: () => {} };
}

/** Asks for the mission again and again, by `ask`, until `end`. */
async function asking(stage: RealStage, ask: () => Promise<unknown>): Promise<Mover> {
  await newWorld(stage);
  let goes = true;
  const again = async () => {
    while (goes) {
      await ask().catch(() => {});
      await wait(AGAIN_MS);
    }
  };
  void again();
  return {
    end: () => {
      goes = false;
    },
  };
}

async function overZenoh(stage: RealStage): Promise<Mover> {
  const keys = await stage.keys!();
  const payload = new TextEncoder().encode(JSON.stringify({ type: INTENT }));
  const order = { payload, encoding: 'application/json', timeoutMs: 10_000 };
  return asking(stage, () => keys.query(`${ROBOT_NAME}/intent`, order));
}

async function overRos({ peer }: RealStage): Promise<Mover> {
  const orders = peer!('ros_orders.py', '/run_intent', TURN);
  return { end: () => void orders.child.stdin?.end() };
}

/** One run after the other: its model never ends a run, a stop does. */
async function prompted(stage: RealStage): Promise<Mover> {
  return asking(stage, async () => {
    if ((await openRuns(stage)).length === 0) await stage.daemon.api.post('/v1/intents', { type: INTENT });
  });
}

async function reaching({ daemon }: RealStage): Promise<Mover> {
  const far = (joint_1: number) => ({
    positions: { joint_1, joint_4: -joint_1 / 2 },
    time_from_start_ms: 4_000,
  });
  const turn = sign * 0.9;
  sign = -sign;
  daemon.api.post('/v1/arm/trajectory', { points: [far(turn)] }).catch(() => {});
  return { end: () => {} };
}
let sign = 1;

/** A person with a lease of 1.5 s, who turns to the left and renews it while the hand is there. */
async function steering({ daemon, facts }: RealStage): Promise<Mover> {
  const { api } = daemon;
  const hasJoints = facts.commands === 'positions';
  // The stop before this trial does not take a key that stayed down. Joints have no zero: for them only a pause counts.
  if (hasJoints) await wait(LIMITS.NEW_PRESS_MS + 100);
  const lease = await api.post<LeaseView>('/v1/lease', { ttl_ms: 1_500 });
  let goes = true;
  const again = async (path: string, body: () => object, ms: number) => {
    while (goes) {
      // Not waited for: a hand does not stop for an answer.
      api.post(path, body()).catch(() => {});
      await wait(ms);
    }
  };
  const id = { lease_id: lease.lease_id };
  if (!hasJoints) await api.post('/v1/teleop', { ...id, twist: { linear: 0, angular: 0 } });
  const wants = () =>
    hasJoints
      ? { joints: { joint_1: 0.6 * Math.sin(performance.now() / 700), joint_4: 0.4 } }
      : { twist: { linear: 0, angular: 0.6 } };
  void again('/v1/teleop', () => ({ ...id, ...wants() }), 60);
  void again('/v1/lease/renew', () => id, 400);
  return {
    end: () => {
      goes = false;
    },
    lease: () => lease,
  };
}
