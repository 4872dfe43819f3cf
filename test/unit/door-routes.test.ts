import { afterEach, describe, expect, it } from 'vitest';
import { METHODS, type Sample } from '../../contract/core.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { RobotSink } from '../../daemon/execution/door/index.ts';
import { Routes } from '../../daemon/execution/routes/index.ts';
import {
  encodeFloat64MultiArray,
  encodeTwist,
  FLOAT64_MULTI_ARRAY,
  JOINT_TRAJECTORY,
  TWIST,
} from '../../formats/cdr/index.ts';
import { ARM_COMMAND, ARM_TRAJECTORY, TASK_RESET } from '../../sim/arm/arm-topics.ts';
import { HostedArm } from '../../sim/arm/hosted-arm.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { isBalanced, RouteRig, routesOf, turns } from '../support/route-rig.ts';
import { disk, endRigs, Rig } from '../support/safety-rig.ts';
import { encodeTrajectory } from '../support/trajectory.ts';

const { execution } = METHODS;
afterEach(endRigs);

const twist = (x: number): Uint8Array => {
  const zero = { x: 0, y: 0, z: 0 };
  return encodeTwist({ linear: { ...zero, x }, angular: zero });
};
const FAR = encodeTrajectory(['joint_1'], [{ positions: [1_000], seconds: 1 }]);
const NEAR = encodeTrajectory(['joint_1'], [{ positions: [0.5], seconds: 2 }]);

describe('a route into a robot', () => {
  const CASES: readonly (readonly [key: string, type: string, bytes: Uint8Array])[] = [
    ['cmd_vel', TWIST, twist(0.3)],
    ['a/b', TWIST, twist(0)],
    ['jtc/joint_trajectory', JOINT_TRAJECTORY, FAR],
    ['goal_pose', 'geometry_msgs/msg/PoseStamped', new Uint8Array([0, 1, 0, 0, 1, 0, 0, 0])],
    ['joy', 'sensor_msgs/msg/Joy', new Uint8Array([0, 1, 0, 0, 1, 0, 0, 0])],
    ['arm/positions', FLOAT64_MULTI_ARRAY, encodeFloat64MultiArray(Float64Array.of(1_000))],
    ['chatter', 'std_msgs/msg/String', new Uint8Array([0, 1, 0, 0, 1, 0, 0, 0, 0])],
    ['mine', 'my_msgs/msg/Thing', new Uint8Array([0, 1, 0, 0])],
  ];

  it.each(CASES)(
    'from Zenoh carries no %s of %s, advertises nothing, and counts it',
    async (key, type, bytes) => {
      const fabric = new MemoryFabric();
      const rig = new RouteRig('[[routes]]\nname = "in"\nfrom = "zenoh:**"\nto = "ros:/**"', {}, undefined, {
        harmless: [],
      });
      await rig.start(new MemoryKeySpace(rig.clock, fabric));
      await new MemoryKeySpace(rig.clock, fabric).put(key, bytes, { encoding: `application/cdr;${type}` });
      await turns();
      await rig.clock.advance(600);
      expect(rig.sink.samples).toEqual([]);
      expect(rig.sink.advertised).toEqual([]);
      expect(rig.line(`/${key}`)).toMatchObject({ received: 1, forwarded: 0, dropped: { denied: 1 } });
      expect(isBalanced(rig.routes.lines())).toBe(true);
      expect(rig.events).toContainEqual(
        expect.objectContaining({
          kind: 'command.refused',
          payload: expect.objectContaining({ source: 'route/in' }) as object,
        }),
      );
    },
  );

  it.each(CASES)('from the bus carries no %s of %s either', async (key, type, bytes) => {
    const rig = new RouteRig('[[routes]]\nname = "in"\nfrom = "bus:/**"\nto = "ros:/**"', {}, undefined, {
      harmless: [],
    });
    await rig.start();
    rig.bus.publish({ topic: `/${key}`, type, stamp: 1n, received: 1n, bytes });
    await rig.clock.advance(600);
    expect(rig.sink.samples).toEqual([]);
    expect(rig.line(`/${key}`)).toMatchObject({ dropped: { denied: 1 } });
  });

  it('carries what only reports, and what the configuration calls harmless; the refusal names the key', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig('[[routes]]\nname = "in"\nfrom = "zenoh:**"\nto = "ros:/**"', {}, undefined, {
      harmless: ['/ui/**'],
    });
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const peer = new MemoryKeySpace(rig.clock, fabric);
    const bytes = new Uint8Array([0, 1, 0, 0, 1, 0, 0, 0, 0]);
    await peer.put('scan', bytes, { encoding: 'application/cdr;sensor_msgs/msg/LaserScan' });
    await peer.put('ui/text', bytes, { encoding: 'application/cdr;std_msgs/msg/String' });
    await peer.put('text', bytes, { encoding: 'application/cdr;std_msgs/msg/String' });
    await turns();
    await rig.clock.advance(1_200);
    expect(rig.sink.samples.map(({ topic }) => topic).sort()).toEqual(['/scan', '/ui/text']);
    expect(rig.events).toContainEqual(
      expect.objectContaining({
        kind: 'command.refused',
        payload: {
          source: 'route/in',
          error: expect.objectContaining({
            hint: expect.stringContaining('robot.harmless = ["/text"]'),
          }) as object,
        },
      }),
    );
  });

  it.each([
    ['0/cmd_vel/geometry_msgs::msg::dds_::Twist_/RIHS01_9c45', TWIST, 0],
    // The key says what a robot on rmw_zenoh takes it for, whatever the note claims.
    ['0/cmd_vel/geometry_msgs::msg::dds_::Twist_/RIHS01_9c45', 'sensor_msgs/msg/LaserScan', 0],
    ['0/chatter/std_msgs::msg::dds_::String_/TypeHashNotSupported', 'std_msgs/msg/String', 0],
    ['0/scan/sensor_msgs::msg::dds_::LaserScan_/RIHS01_64c1', 'sensor_msgs/msg/LaserScan', 1],
    // As zenoh-bridge-ros2dds names the topics of the robot.
    ['cmd_vel', TWIST, 0],
    // The bridge of another robot may have any prefix.
    ['fleet/r1/cmd_vel', TWIST, 0],
    ['fleet/r1/other', TWIST, 0],
    ['fleet/r1/cmd_vel', 'my_msgs/msg/Thing', 0],
    ['jtc/joint_trajectory', JOINT_TRAJECTORY, 0],
    ['named/cmd_vel', TWIST, 1],
    ['patterned/cmd_vel', TWIST, 0],
    ['fleet/r1/chatter', 'std_msgs/msg/String', 1],
    ['fleet/r1/here', 'my_msgs/msg/Thing', 1],
  ])('over Zenoh by the key %s: %s goes %i times', async (to, type, count) => {
    const fabric = new MemoryFabric();
    const toml = `[[routes]]\nname = "out"\nfrom = "bus:/here"\nto = "zenoh:${to}"`;
    const rig = new RouteRig(toml, {}, undefined, {
      harmless: ['/named/cmd_vel', '/patterned/**', '/cmd_vel'],
    });
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const heard: string[] = [];
    await new MemoryKeySpace(rig.clock, fabric).subscribe('**', (values) => {
      heard.push(...values.map(({ key }) => key).filter((key) => key === to));
    });
    rig.bus.publish({ topic: '/here', type, stamp: 1n, received: 1n, bytes: twist(1) });
    await turns();
    expect(heard).toHaveLength(count);
    expect(rig.line('/here')).toMatchObject({ received: 1, forwarded: count });
    const named = rig.events
      .filter(({ kind }) => kind === 'command.refused')
      .map((event) => JSON.stringify(event));
    if (count === 0) expect(named[0]).toContain(to);
    if (to === 'fleet/r1/cmd_vel') expect(named[0]).toContain('robot.harmless = [\\"/fleet/r1/cmd_vel\\"]');
  });

  it.each(['a person has the lease', 'nobody has it'])(
    'does not move the simulated arm while %s; a command under a lease does',
    async (how) => {
      const arm = await HostedArm.create({ seed: 1, cameraHz: 0 });
      const rig = new Rig(disk(), {
        commands: [ARM_COMMAND, ARM_TRAJECTORY, TASK_RESET].map(({ topic }) => topic),
      });
      const left: Sample[] = [];
      const robot = new RobotSink({
        advertise: async () => {},
        offer: (sample) => {
          left.push(sample);
          return arm.obey(sample) === undefined;
        },
        close: async () => {},
      });
      const routes = new Routes({
        ...{ clock: rig.clock, robot: 'r1', prefix: '', door: rig.desk.door, report: () => {} },
        specs: routesOf('[[routes]]\nname = "in"\nfrom = "zenoh:**"\nto = "ros:/**"'),
        bus: new SampleBus({ clock: rig.clock, ledger: new Ledger() }),
        robotPath: (name) => rig.desk.door.path(robot, { kind: 'route', name }),
        emit: async () => {},
      });
      routes.start({ isRobotConnected: () => true, onSessionLost: () => {} });
      const fabric = new MemoryFabric();
      await routes.attach(new MemoryKeySpace(rig.clock, fabric));
      const person = { role: 'teleoperation', holder: 'vera' };
      if (how.startsWith('a person')) await rig.ask(execution.leaseTake, person);
      const before = [...arm.simulation.positions];
      const peer = new MemoryKeySpace(rig.clock, fabric);
      const put = (topic: string, type: string, bytes: Uint8Array) =>
        peer.put(topic.slice(1), bytes, { encoding: `application/cdr;${type}` });
      for (let i = 0; i < 3; i++) {
        await put(ARM_TRAJECTORY.topic, ARM_TRAJECTORY.type, i === 0 ? FAR : NEAR);
        await put(
          ARM_COMMAND.topic,
          ARM_COMMAND.type,
          encodeFloat64MultiArray(new Float64Array(7).fill(0.4)),
        );
        await turns();
        await rig.clock.advance(600);
        for (let window = 0; window < 50; window++) arm.window();
      }
      expect(left).toEqual([]);
      const moved = arm.simulation.positions.map((at, i) => Math.abs(at - before[i]!));
      expect(Math.max(...moved)).toBeLessThan(1e-3);
      expect(routes.lines().reduce((sum, { dropped }) => sum + (dropped.denied ?? 0), 0)).toBe(6);
      // The same arm, asked by a motion of ours: the test would see it move.
      const path = rig.desk.door.path(robot, { kind: 'arm', name: '' });
      const { topic, type } = ARM_COMMAND;
      const bytes = encodeFloat64MultiArray(Float64Array.from([before[0]! + 0.3, ...before.slice(1)]));
      expect(path.offer({ topic, type, stamp: 1n, received: 1n, bytes })).toBe(true);
      for (let window = 0; window < 100; window++) arm.window();
      expect(Math.abs(arm.simulation.positions[0]! - before[0]!)).toBeGreaterThan(0.1);
      await routes.close();
      arm.close();
    },
  );
});
