import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import { ActionGoals } from '../../adapters/ros/action-goal.ts';
import {
  type AppliedAction,
  type CellContext,
  type GoalResult,
  METHODS,
  type MessageValue,
  type MotionResult,
  type RosApi,
  type RosGoalView,
  type Sample,
  type ServedGoal,
} from '../../contract/index.ts';
import { recordedApi } from '../../daemon/compose/nav2.ts';
import type { RobotIo } from '../../daemon/compose/robot-parts.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { holdLease } from '../../daemon/execution/door/index.ts';
import { serveRos } from '../../daemon/execution/ros-requests.ts';
import { ExecutedGoals } from '../../daemon/execution/story/index.ts';
import { appliedAction } from '../../daemon/memory/applied-action.ts';
import { logged } from '../conformance/lake.ts';
import { stepSegment } from '../conformance/lake-segments.ts';
import { MemoryRos } from '../fakes/memory-ros.ts';
import { disk, endRigs, Rig } from '../support/safety-rig.ts';
import { uuid } from '../support/tiny-log.ts';

const NAVIGATE = 'nav2_msgs/action/NavigateToPose';
const FOLLOW = 'control_msgs/action/FollowJointTrajectory';
const turns = async (count = 20) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
};
const to = (x: number): MessageValue => ({
  pose: { header: { frame_id: 'map' }, pose: { position: { x, y: 2, z: 0 }, orientation: { z: 0, w: 1 } } },
});
const DONE: MotionResult = {
  ...{ outcome: 'reached', pose: undefined, distance: 0, durationMs: 0, time: 0n, message: '' },
};

/** Action servers of the robot that count what they receive, and the cell that sends goals to them. */
function robot() {
  const rig = new Rig(disk());
  const { clock } = rig;
  const ros = new MemoryRos(clock);
  const received: string[] = [];
  const serve = (
    name: string,
    type: string,
    execute: (goal: ServedGoal) => Promise<GoalResult>,
    accepts = true,
  ) =>
    ros.actions.serve(name, type, {
      accept: () => {
        received.push(name);
        return accepts;
      },
      execute,
    });
  const published: Sample[] = [];
  const goals = new ExecutedGoals({ publish: (sample) => published.push(sample), now: () => clock.now() });
  const api = { ...ros, graph: ros.graph, services: ros.services, actions: ros.actions } as unknown as RosApi;
  const io = { rosApi: api } as RobotIo;
  /** A motion of a run, or of a principal at the API, as the adapters of Nav2 and arms carry it out. */
  const move = (mover: 'base' | 'arm', name: string, type: string, goal: MessageValue, told: object) => {
    const { rosApi } = recordedApi(io, goals, () => rig.actuation, mover);
    const sender = new ActionGoals(rosApi!, clock);
    return rig.actuation.move(
      uuid(received.length + 1),
      'runtime',
      async (signal) => {
        await sender.run({ name, type, goal }, signal);
        return DONE;
      },
      { motion: mover === 'base' ? 'navigate' : 'follow', ...told },
    );
  };
  serveRos({ clock, bus: rig.bus, report: () => {} } as unknown as CellContext, {
    ...{ api, qosEvents: () => [], calls: rig.desk.calls, wanted: () => {} },
    bus: new SampleBus({ clock, ledger: new Ledger() }),
    hold: (from) => holdLease(rig.actuation, 'goal', from, 'ros-goals'),
    record: (actions, origin) => goals.over(actions, () => origin),
  });
  const sendGoal = async (action: string, type: string, goal: MessageValue, by: string) => {
    const order = { action, type, goal, timeoutMs: 100, by };
    const sent = rig.ask<RosGoalView>(METHODS.execution.rosGoalSend, order);
    sent.catch(() => {});
    for (let i = 0; i < 10; i++) {
      await turns(3);
      await clock.advance(20);
    }
    return sent;
  };
  return { rig, clock, ros, received, serve, published, goals, move, sendGoal };
}

const stepOf = ({ type, bytes }: Sample): AppliedAction => appliedAction(type, bytes)!;

describe('goals that nodes of the robot carry out', () => {
  let dataDir: string;
  let lake: DuckLakeLake;
  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'goals-'));
    lake = await DuckLakeLake.open({ dataDir, extensionDirectories: [], clock: new SystemClock() });
  });
  afterEach(async () => {
    await lake.close();
    await rm(dataDir, { recursive: true, force: true });
    endRigs();
  });

  /** Each list is what one segment holds. */
  async function read(...segments: (readonly Sample[])[]): Promise<void> {
    const sealed = segments.flatMap((samples, i) => stepSegment('hall', i + 1, samples.length));
    await lake.project('execution', await logged('execution', sealed));
    for (const samples of segments) {
      const [segment] = await lake.unreadSegments('/auraison/actions/', 1);
      const steps = samples.map(stepOf);
      await lake.addSteps(segment!, { from: 0, steps, end: { fault: '', unreadable: 0 } });
    }
  }
  const rows = async (sql: string) => (await lake.query(sql, { limit: 100, timeoutMs: 20_000 })).rows;

  it('are in the actions as often as their servers received them, with provenance and result', async () => {
    const { rig, clock, ros, received, serve, published, move, sendGoal } = robot();
    const ends: ((result: GoalResult) => void)[] = [];
    const later = () => new Promise<GoalResult>((resolve) => ends.push(resolve));
    await serve('/navigate_to_pose', NAVIGATE, later);
    await serve('/jtc', FOLLOW, async () => ({ status: 'aborted', result: { error_code: -4 } }));
    await serve('/refuses', NAVIGATE, later, false);
    await serve('/vanishes', NAVIGATE, later);

    const driving = move('base', '/navigate_to_pose', NAVIGATE, to(3), { run: 'run-1' });
    await turns();
    const before = [...published];
    await clock.advance(2_000);
    ends.shift()!({ status: 'succeeded', result: { error_code: 0 } });
    await driving;

    const point = (at: number) => ({
      positions: Float64Array.of(at, 1),
      time_from_start: { sec: 1, nanosec: 0 },
    });
    const trajectory = { joint_names: ['shoulder', 'elbow'], points: [point(0), point(0.5)] };
    await move('arm', '/jtc', FOLLOW, { trajectory }, { by: 'vera' });

    await sendGoal('/refuses', NAVIGATE, to(4), 'mallory');
    await sendGoal('/vanishes', NAVIGATE, to(5), 'vera');
    ros.vanish('/vanishes');
    await turns();
    // No server: nothing was received, and nothing is an action.
    const nowhere = sendGoal('/nowhere', NAVIGATE, to(6), 'vera');
    await expect(nowhere).rejects.toMatchObject({ code: 'ros.not_found' });

    // A goal whose end is in the next segment is still one action.
    await read(before, published.slice(before.length));
    const found = await rows(
      `SELECT goal->>'$.action', names, action, verdict, asked_by, run_id, motion_id IS NOT NULL, lease > 0, goal_state,
         result, epoch_ms(ended_at) - epoch_ms(stamp) FROM actions WHERE kind = 'goal' ORDER BY stamp, 1`,
    );
    expect(received).toEqual(found.map(([action]) => action));
    const place = ['x_m', 'y_m', 'yaw', 'via', 'x_min_m', 'x_max_m', 'y_min_m', 'y_max_m'];
    const at = (x: number) => [x, 2, 0, 0, x, x, 2, 2];
    expect(found).toEqual([
      [
        ...['/navigate_to_pose', place, at(3), 'passed', null, 'run-1', true, true],
        ...['succeeded', '{"error_code":0}', 2_000],
      ],
      [
        ...['/jtc', ['shoulder', 'elbow'], [0.5, 1], 'passed', 'vera', null, true, true],
        ...['aborted', '{"error_code":-4}', expect.any(Number)],
      ],
      [
        '/refuses',
        place,
        at(4),
        'refused',
        'mallory',
        null,
        false,
        true,
        'rejected',
        '{}',
        expect.any(Number),
      ],
      ['/vanishes', place, at(5), 'passed', 'vera', null, false, true, 'lost', null, expect.any(Number)],
    ]);
    expect(
      await rows(`SELECT goal->'$.value.pose.pose.position.x' FROM actions WHERE asked_by = 'mallory'`),
    ).toEqual([['4']]);
    expect(rig.reports).toEqual([]);
  });

  it('belong to the motion that ended the one before', async () => {
    const { clock, serve, published, move } = robot();
    await serve(
      '/navigate_to_pose',
      NAVIGATE,
      ({ canceled }) =>
        new Promise((resolve) =>
          canceled.addEventListener('abort', () => resolve({ status: 'canceled', result: {} })),
        ),
    );
    void move('base', '/navigate_to_pose', NAVIGATE, to(1), { run: 'first' });
    await turns();
    void move('base', '/navigate_to_pose', NAVIGATE, to(2), { run: 'second' });
    await turns();
    await clock.advance(10);
    expect(published.map(stepOf).map(({ run_id, applied }) => [run_id, applied[0]])).toEqual([
      ['first', 1],
      ['second', 2],
    ]);
  });

  it('are recorded when the server gave no answer, and large ones are cut', async () => {
    const { published, goals, clock } = robot();
    const silent = {
      send: async () => {
        await clock.advance(1);
        throw Object.assign(new Error('late'), { code: 'x' });
      },
      serve: async () => ({ close: async () => {} }),
    };
    const points = Array.from({ length: 10_000 }, (_, i) => ({ positions: [i, i], velocities: [1n] }));
    const trajectory = { joint_names: ['a', 'b'], points };
    const origin = { by: 'vera', lease: 0, motionId: '' };
    const sending = goals.over(silent, () => origin).send('/jtc', FOLLOW, { trajectory }, { timeoutMs: 5 });
    await expect(sending).rejects.toThrow('late');
    const [sample] = published;
    expect(sample!.bytes.length).toBeLessThan(20_000);
    const { goal, applied } = stepOf(sample!);
    expect(applied).toEqual([9_999, 9_999]);
    expect(goal).toMatchObject({ state: 'unknown', goal_id: '', by: 'vera' });
    expect(JSON.parse(goal!.value)).toMatchObject({ cut: true, bytes: expect.any(Number) });
    expect(goals.unreadable).toBe(0);
  });
});
