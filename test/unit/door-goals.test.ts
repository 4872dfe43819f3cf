import { afterEach, describe, expect, it } from 'vitest';
import { type CellContext, METHODS, type RosApi } from '../../contract/core.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { holdLease } from '../../daemon/execution/door/index.ts';
import { serveRos } from '../../daemon/execution/ros-requests.ts';
import type { JointGateSpec } from '../../daemon/execution/safety/index.ts';
import { encodeJointState } from '../../formats/cdr/index.ts';
import { disk, endRigs, Rig } from '../support/safety-rig.ts';

const { execution } = METHODS;
const turn = () => new Promise((resolve) => setImmediate(resolve));
afterEach(endRigs);

const joint = (name: string) => ({
  ...{ name, lower: -2, upper: 2, velocity: 1, acceleration: 10, jerk: 100, effort: Infinity },
});
const SPEC: JointGateSpec = {
  joints: [joint('joint_1'), joint('joint_2')],
  ...{ frame: 'base_link', mode: 'clamp', rateMax: 500, gapSeconds: 1 },
};

describe('goals and calls of the ROS API', () => {
  const POINT = { positions: [0.5], time_from_start: { sec: 2, nanosec: 0 } };
  const follow = (point: object, names = ['joint_1']) => ({
    ...{ action: '/jtc/follow_joint_trajectory', type: 'control_msgs/action/FollowJointTrajectory' },
    goal: { trajectory: { joint_names: names, points: [point] } },
    timeoutMs: 1_000,
  });
  const simple = (type: string, action: string, goal: object = {}) => ({
    action,
    type,
    goal,
    timeoutMs: 1_000,
  });
  const to = (x: number) => ({ pose: { header: {}, pose: { position: { x, y: 0, z: 0 } } } });

  function desk(more: ConstructorParameters<typeof Rig>[1] = {}) {
    const rig = new Rig(disk(), {
      ...{
        commands: ['/jtc/follow_joint_trajectory'],
        harmless: ['/count', '/ui/**', '/jtc/**'],
        spec: SPEC,
      },
      jointStates: '/joint_states',
      ...more,
    });
    const sent: string[] = [];
    const cancelled: string[] = [];
    const ends: (() => void)[] = [];
    const actions = {
      send: async (name: string) => {
        sent.push(name);
        const result = new Promise((resolve) =>
          ends.push(() => resolve({ status: 'succeeded', result: {} })),
        );
        const cancel = async () => cancelled.push(name) > 0;
        return { goalId: `${sent.length}`.repeat(32), result, cancel };
      },
    };
    const services = { call: async (name: string) => ({ said: sent.push(name) }) };
    const goals = serveRos({ clock: rig.clock, bus: rig.bus, report: () => {} } as unknown as CellContext, {
      api: { actions, services } as unknown as RosApi,
      qosEvents: () => [],
      wanted: () => {},
      bus: new SampleBus({ clock: rig.clock, ledger: new Ledger() }),
      ...{ admit: rig.desk.admit, calls: rig.desk.calls },
      hold: (from) => holdLease(rig.actuation, `goal ${sent.length}`, from, 'ros-goals'),
    });
    const goal = async (request: object) => {
      const answer = rig.ask<{ state: string }>(execution.rosGoalSend, request);
      answer.catch(() => {});
      for (let i = 0; i < 6; i++) await turn();
      await rig.clock.advance(1);
      return answer;
    };
    return { rig, goals, goal, sent, cancelled, end: () => ends.shift()?.() };
  }
  const measured = (rig: Rig): void => {
    const stamp = rig.clock.now();
    const none = new Float64Array(0);
    const bytes = encodeJointState({
      header: { stamp, frame_id: '' },
      ...{ name: ['joint_1', 'joint_2'], position: Float64Array.of(0, 0), velocity: none, effort: none },
    });
    rig.desk.observe({
      topic: '/joint_states',
      type: 'sensor_msgs/msg/JointState',
      stamp,
      received: stamp,
      bytes,
    });
  };

  it('that move hold the lease for as long as they run', async () => {
    const { rig, goal, sent, end } = desk();
    expect(await goal(simple('nav2_msgs/action/NavigateToPose', '/navigate_to_pose', to(2)))).toMatchObject({
      state: 'running',
    });
    expect(rig.actuation.lease.view()).toMatchObject({ holder: 'ros-goals', role: 'agent' });
    // Another goal of the same API goes beside it; a motion of a run does not.
    await goal(simple('nav2_msgs/action/Spin', '/spin', { target_yaw: 1 }));
    await expect(rig.move()).rejects.toMatchObject({ code: 'lease.held' });
    expect(sent).toEqual(['/navigate_to_pose', '/spin']);
    end();
    end();
    for (let i = 0; i < 6; i++) await turn();
    expect(rig.actuation.lease.state).toBe('free');
  });

  it('that move are refused while a person has the lease, and while the emergency stop is engaged', async () => {
    const { rig, goal, sent } = desk();
    await rig.ask(execution.leaseTake, { role: 'teleoperation', holder: 'vera' });
    const spin = simple('nav2_msgs/action/Spin', '/spin', { target_yaw: 1 });
    await expect(goal(spin)).rejects.toMatchObject({ code: 'lease.held' });
    await rig.ask(execution.estopEngage, { source: 'api', by: 'vera' });
    await expect(goal(spin)).rejects.toMatchObject({ code: 'estop.engaged' });
    expect(sent).toEqual([]);
  });

  it.each([
    ['1000 rad', follow({ ...POINT, positions: [1_000] }), 'joint_1'],
    ['a speed of 1000 rad/s', follow({ ...POINT, velocities: [1_000] }), 'velocity of joint_1'],
    ['a joint without limits', follow(POINT, ['elbow']), 'elbow'],
    ['a joint without a position', follow({ ...POINT, positions: [] }), 'joint_1'],
    [
      'a place at the other end of the world',
      simple('nav2_msgs/action/NavigateToPose', '/n', to(1e9)),
      'x 1000000000',
    ],
    ['a long way back', simple('nav2_msgs/action/BackUp', '/b', { target: { x: -60 }, speed: 0.1 }), 'x -60'],
    [
      'a gripper of a metre and a half',
      simple('control_msgs/action/GripperCommand', '/g', { command: { position: 1.5 } }),
      'position 1.5',
    ],
    [
      'an action that no gate can judge',
      simple('moveit_msgs/action/MoveGroup', '/move_action'),
      'robot.harmless',
    ],
    [
      'one called harmless by a pattern that moves',
      simple('moveit_msgs/action/MoveGroup', '/ui/move'),
      'robot.harmless',
    ],
    ['an action that nobody knows', simple('my_msgs/action/Dance', '/dance'), 'robot.harmless = ["/dance"]'],
  ])('for %s are refused, and reach nobody', async (_, request, words) => {
    const { rig, goal, sent } = desk();
    measured(rig);
    const refused = await goal(request).catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'command.refused' });
    const { message, hint } = refused as { message: string; hint: string };
    expect(`${message} ${hint}`).toContain(words);
    expect(sent).toEqual([]);
    expect(rig.actuation.lease.state).toBe('free');
  });

  it('for a trajectory within the limits go, from where the joints are measured', async () => {
    const { rig, goal, sent } = desk();
    await expect(goal(follow(POINT))).rejects.toMatchObject({
      message: expect.stringContaining('is unknown: no joint states'),
    });
    measured(rig);
    await goal(follow(POINT));
    expect(sent).toEqual(['/jtc/follow_joint_trajectory']);
  });

  it('for a trajectory are refused where nobody gave limits, whatever is called harmless', async () => {
    const { goal, sent } = desk({ spec: undefined });
    await expect(goal(follow(POINT))).rejects.toMatchObject({
      code: 'command.refused',
      hint: expect.stringContaining('gate.urdf'),
    });
    expect(sent).toEqual([]);
  });

  it('that waited in a frozen process are dropped', async () => {
    const { rig, goal, sent } = desk();
    rig.bus.lateMs = 1_500;
    const spin = simple('nav2_msgs/action/Spin', '/spin', { target_yaw: 1 });
    await expect(goal(spin)).rejects.toMatchObject({ code: 'command.expired' });
    expect(sent).toEqual([]);
  });

  it('that are harmless need no lease, and end with every stop all the same', async () => {
    const { rig, goals, goal, sent, cancelled } = desk();
    await goal(simple('example_interfaces/action/Fibonacci', '/count', { order: 5 }));
    await goal(simple('my_msgs/action/Show', '/ui/show'));
    expect(rig.actuation.lease.state).toBe('free');
    await goals!.stop();
    expect(cancelled).toEqual(sent);
  });

  it('to a service only go where it reports, or is called harmless', async () => {
    const { rig, sent } = desk();
    const call = (service: string, type: string) =>
      rig.ask(execution.rosCall, { service, type, request: {}, timeoutMs: 100 });
    await call('/map_server/get_state', 'lifecycle_msgs/srv/GetState');
    await call('/ui/clear', 'std_srvs/srv/Trigger');
    for (const [service, type] of [
      ['/go_home', 'std_srvs/srv/Trigger'],
      // A goal by the back door.
      ['/spin/_action/send_goal', 'nav2_msgs/action/Spin_SendGoal'],
    ] as const)
      await expect(call(service, type)).rejects.toMatchObject({
        code: 'command.refused',
        hint: expect.stringContaining(`robot.harmless = ["${service}"]`),
      });
    expect(sent).toEqual(['/map_server/get_state', '/ui/clear']);
  });
});
