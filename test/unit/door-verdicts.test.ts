import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { NewEvent, Sample } from '../../contract/core.ts';
import { payloadFits } from '../../contract/fits.ts';
import {
  type AskerKind,
  type Door,
  DoorGate,
  Permit,
  RobotSink,
  TopicClasses,
} from '../../daemon/execution/door/index.ts';
import { LEASE_PRIORITIES } from '../../daemon/execution/lease.ts';
import type { JointGateSpec } from '../../daemon/execution/safety/index.ts';
import {
  decodeJointTrajectory,
  decodeTwist,
  encodeFloat64MultiArray,
  encodeTwist,
  FLOAT64_MULTI_ARRAY,
  JOINT_TRAJECTORY,
  TWIST,
} from '../../formats/cdr/index.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { doorOf } from '../support/door-rig.ts';
import { NotingSink } from '../support/route-rig.ts';
import { encodeTrajectory } from '../support/trajectory.ts';

/** By hand, so that the tables of the door are checked against something: each topic and type, and what it is. */
const CLASSES: readonly (readonly [
  topic: string,
  type: string,
  found: 'command' | 'harmless' | 'unknown',
])[] = [
  ['/cmd_vel', TWIST, 'command'],
  // What the robot obeys is a command, whatever type a stranger claims, and whatever the configuration says.
  ['/cmd_vel', 'sensor_msgs/msg/LaserScan', 'command'],
  ['/forward/commands', FLOAT64_MULTI_ARRAY, 'command'],
  ['/forward/commands', 'std_msgs/msg/String', 'command'],
  ['/jtc/joint_trajectory', JOINT_TRAJECTORY, 'command'],
  // By type alone, under a name that nobody knows.
  ['/a/b', TWIST, 'command'],
  ['/a/b', 'geometry_msgs/msg/PoseStamped', 'command'],
  ['/a/b', 'sensor_msgs/msg/Joy', 'command'],
  ['/a/b', 'control_msgs/msg/JointJog', 'command'],
  ['/a/b', 'control_msgs/msg/GripperCommand', 'command'],
  ['/a/b', 'trajectory_msgs/msg/MultiDOFJointTrajectory', 'command'],
  ['/a/b', 'actuator_msgs/msg/Actuators', 'command'],
  // A pattern does not make a command harmless, a name in full does.
  ['/ui/stick', TWIST, 'command'],
  ['/turtle1/cmd_vel', TWIST, 'harmless'],
  ['/ui/words', 'std_msgs/msg/String', 'harmless'],
  ['/scan', 'sensor_msgs/msg/LaserScan', 'harmless'],
  ['/odom', 'nav_msgs/msg/Odometry', 'harmless'],
  ['/r7/joint_states', 'sensor_msgs/msg/JointState', 'harmless'],
  // A state that is a command under another name.
  ['/joint_command', 'sensor_msgs/msg/JointState', 'unknown'],
  ['/chatter', 'std_msgs/msg/String', 'unknown'],
  ['/values', FLOAT64_MULTI_ARRAY, 'unknown'],
  ['/initialpose', 'geometry_msgs/msg/PoseWithCovarianceStamped', 'unknown'],
  ['/a/b', 'my_msgs/msg/Thing', 'unknown'],
  // The graph of the robot knows better than the sender.
  ['/disguised', 'sensor_msgs/msg/Image', 'command'],
  ['/half_known', 'sensor_msgs/msg/Image', 'unknown'],
  // As keys of Zenoh these would reach other topics.
  ['/**', 'sensor_msgs/msg/Image', 'unknown'],
  ['/ui/0/cmd_vel/geometry_msgs::msg::dds_::Twist_/RIHS01_9c45', 'sensor_msgs/msg/Image', 'unknown'],
];
const GRAPH: Readonly<Record<string, readonly string[]>> = {
  '/disguised': ['geometry_msgs/msg/TwistStamped'],
  '/half_known': ['my_msgs/msg/Thing'],
};

const JOINTS: JointGateSpec = {
  joints: ['a', 'b'].map((name) => ({
    ...{ name, lower: -2, upper: 2, velocity: 1, acceleration: 10, jerk: 100, effort: Infinity },
  })),
  ...{ frame: 'base_link', mode: 'clamp', rateMax: 500, gapSeconds: 1 },
};
const SPEEDS = { linearMax: 0.5, angularMax: 1.5 };
const LEASES = {
  nobody: undefined,
  person: { id: 7, holder: 'vera', priority: LEASE_PRIORITIES.teleoperation, ttlMs: 3_000 },
  agent: { id: 8, holder: 'agent', priority: LEASE_PRIORITIES.agent, ttlMs: 3_000 },
  policy: { id: 9, holder: 'policy', priority: LEASE_PRIORITIES.policy, ttlMs: 3_000 },
} as const;

function rig(more: { stopped?: boolean; lease?: keyof typeof LEASES } = {}) {
  const clock = new ManualClock();
  const sink = new NotingSink();
  const events: NewEvent[] = [];
  const graphTypes = (topic: string) => GRAPH[topic] ?? [];
  const obeys = ['/cmd_vel', '/forward/commands', '/jtc/joint_trajectory'];
  const harmless = ['/ui/**', '/turtle1/cmd_vel', '/cmd_vel'];
  const measured = { position: 0, velocity: 0, effort: 0 };
  const door: Door = doorOf({
    clock,
    latch: { engaged: more.stopped === true },
    lease: () => ({ current: LEASES[more.lease ?? 'nobody'] }),
    topics: new TopicClasses({ obeys, harmless, graphTypes }),
    gate: new DoorGate({
      ...{ speeds: SPEEDS, base: ['/cmd_vel'], joints: JOINTS },
      measured: () => ({ a: measured, b: measured }),
    }),
    note: (event) => void events.push(event),
  });
  return { clock, sink, robot: new RobotSink(sink), door, events };
}

const twist = (x: number, z: number): Uint8Array =>
  encodeTwist({ linear: { x, y: 0, z: 0 }, angular: { x: 0, y: 0, z } });
const isZero = (bytes: Uint8Array): boolean => {
  const { linear, angular } = decodeTwist(bytes);
  return [...Object.values(linear), ...Object.values(angular)].every((value) => value === 0);
};
const sampleOf = (topic: string, type: string, bytes: Uint8Array): Sample => ({
  ...{ topic, type, stamp: 1n, received: 1n, bytes },
});

describe('what a topic is', () => {
  it.each(CLASSES)('%s of %s is %s', (topic, type, found) => {
    expect(rig().door.topics.classify({ topic, type })).toBe(found);
  });

  it('is asked again when the graph has changed', () => {
    let types: readonly string[] = [];
    const topics = new TopicClasses({ graphTypes: () => types });
    const spec = { topic: '/a', type: 'sensor_msgs/msg/Image' };
    expect(topics.classify(spec)).toBe('harmless');
    types = [TWIST];
    topics.forget();
    expect(topics.classify(spec)).toBe('command');
  });
});

describe('the door', () => {
  const askers: readonly AskerKind[] = ['drive', 'arm', 'controller', 'teleoperation', 'route', 'play'];
  const odd = fc.constantFrom(0, 0.1, -0.2, 0.49, 3, -40, 1_000, 1e30, Number.NaN, Infinity, -Infinity);
  const bytesOf = fc.oneof(
    fc.tuple(odd, odd).map(([x, z]) => twist(x, z)),
    fc.array(odd, { maxLength: 3 }).map((values) => encodeFloat64MultiArray(Float64Array.from(values))),
    fc
      .tuple(fc.constantFrom(['a', 'b'], ['a'], ['stranger'], []), odd, odd, fc.constantFrom(0, 1, 5))
      .map(([names, position, velocity, seconds]) =>
        encodeTrajectory(names, [
          { positions: names.map(() => position), velocities: names.map(() => velocity), seconds },
        ]),
      ),
    fc.uint8Array({ maxLength: 80 }),
  );
  const asked = fc.record({
    spec: fc.constantFrom(...CLASSES),
    bytes: bytesOf,
    kind: fc.constantFrom(...askers),
    held: fc.constantFrom<keyof typeof LEASES>('nobody', 'person', 'agent', 'policy'),
    shown: fc.constantFrom(undefined, 7, 8, 9, 99),
    stopped: fc.boolean(),
    ageMs: fc.constantFrom(undefined, 0, 299, 301, 60_000),
  });

  it('lets nothing out that may not go, for any caller and any lease (property)', async () => {
    await fc.assert(
      fc.asyncProperty(asked, async ({ spec, bytes, kind, held, shown, stopped, ageMs }) => {
        const [topic, type, found] = spec;
        const { clock, sink, robot, door } = rig({ stopped, lease: held });
        const expiresAtMs = clock.monotonicMs() + 300;
        await clock.advance(ageMs ?? 0);
        const path = door.path(robot, { kind, name: 'x' });
        const times = ageMs === undefined ? {} : { expiresAtMs };
        const receipt = path.send({ ...sampleOf(topic, type, bytes), ...times }, { lease: shown });
        // What left is what the receipt says, and nothing that was refused left.
        expect(sink.samples).toEqual('sample' in receipt ? [receipt.sample] : []);
        const [left] = sink.samples;
        if (found === 'harmless') expect(left?.bytes).toBe(bytes);
        if (found === 'unknown') expect(receipt).toMatchObject({ verdict: 'refused', by: 'class' });
        if (found !== 'command' || !left) return;
        const stands = type === TWIST && isZero(left.bytes);
        if (stopped || (ageMs ?? 0) > 300) expect(stands).toBe(true);
        const ours = kind !== 'route' && kind !== 'play';
        if (!ours) expect(LEASES[held]?.id).toBe(shown);
        if (!ours) expect(type).toBe(TWIST);
        // A person has the robot: what a policy decides does not pass, and without any lease the base only slows.
        if (held === 'person') expect(kind === 'controller' && !stands).toBe(false);
        if (held === 'policy' && ours) expect(kind === 'controller' || stands).toBe(true);
        if (held === 'nobody' && kind === 'drive') expect(stands).toBe(true);
        if (type === TWIST) {
          const { linear, angular } = decodeTwist(left.bytes);
          expect(Math.abs(linear.x)).toBeLessThanOrEqual(SPEEDS.linearMax);
          expect(Math.abs(angular.z)).toBeLessThanOrEqual(SPEEDS.angularMax);
        }
        if (type === JOINT_TRAJECTORY) {
          const { joints, points } = decodeJointTrajectory(left.bytes);
          for (const { positions } of points)
            for (const name of joints) expect(Math.abs(positions[name]!)).toBeLessThanOrEqual(2 + 1e-6);
        }
      }),
      { numRuns: 3_000 },
    );
  });

  const moves = (kind: AskerKind, lease: keyof typeof LEASES, terms: object = {}) => {
    const { robot, door, sink } = rig({ lease });
    const { verdict } = door
      .path(robot, { kind, name: 'x' })
      .send(sampleOf('/cmd_vel', TWIST, twist(0.3, 0)), terms);
    expect(sink.samples).toHaveLength(verdict === 'sent' ? 1 : 0);
    return verdict;
  };

  it.each([
    // A loop of ours, by the role of the holder.
    ['drive', 'agent', 'sent'],
    ['drive', 'person', 'sent'],
    ['drive', 'policy', 'refused'],
    ['drive', 'nobody', 'refused'],
    ['controller', 'policy', 'sent'],
    ['controller', 'agent', 'refused'],
    ['controller', 'person', 'refused'],
    ['teleoperation', 'person', 'sent'],
    ['teleoperation', 'agent', 'refused'],
    ['arm', 'agent', 'sent'],
    ['arm', 'policy', 'refused'],
    // What others have said: never without the lease itself.
    ['route', 'nobody', 'refused'],
    ['route', 'person', 'refused'],
    ['route', 'agent', 'refused'],
    ['play', 'nobody', 'refused'],
    ['play', 'person', 'refused'],
  ] as const)('a command of %s, the lease with %s: %s', (kind, lease, verdict) => {
    expect(moves(kind, lease)).toBe(verdict);
  });

  it('lets a play under its own lease through, and no longer when it is another one', () => {
    expect(moves('play', 'agent', { lease: 8 })).toBe('sent');
    expect(moves('play', 'agent', { lease: 7 })).toBe('refused');
  });

  it('cuts a velocity that is too fast, and says what was asked and what was applied', () => {
    const { robot, door, sink, events } = rig({ lease: 'agent' });
    const receipt = door
      .path(robot, { kind: 'play', name: '' }, { lease: 8 })
      .send(sampleOf('/cmd_vel', TWIST, twist(1e30, -9)));
    expect(receipt).toMatchObject({
      verdict: 'limited',
      asked: [1e30, 0, 0, 0, 0, -9],
      applied: [0.5, 0, 0, 0, 0, -1.5],
    });
    expect(decodeTwist(sink.samples[0]!.bytes)).toMatchObject({ linear: { x: 0.5 }, angular: { z: -1.5 } });
    expect(events.map(({ kind }) => kind)).toEqual(['gate.limited']);
    expect(payloadFits('gate.limited', events[0]!.payload)).toBe(true);
  });

  it('lets a base come to rest that nobody holds any more, and never go faster', () => {
    const lease: { current: (typeof LEASES)['agent'] | undefined } = { current: LEASES.agent };
    const { clock, sink, robot } = rig();
    const path = doorOf({ clock, lease: () => lease }).path(robot, { kind: 'drive', name: '' });
    const send = (x: number) => path.send(sampleOf('/cmd_vel', TWIST, twist(x, 0))).verdict;
    expect(send(0.4)).toBe('sent');
    lease.current = undefined;
    expect([send(0.5), send(0.3), send(0.35), send(0.1), send(0), send(0.1)]).toEqual([
      ...['refused', 'sent', 'refused', 'sent', 'sent', 'refused'],
    ]);
    expect(sink.samples).toHaveLength(4);
  });

  it('lets a base brake whoever has the lease, and never turn round', () => {
    const lease: { current: (typeof LEASES)[keyof typeof LEASES] } = { current: LEASES.agent };
    const { clock, robot } = rig();
    const path = doorOf({ clock, lease: () => lease }).path(robot, { kind: 'drive', name: '' });
    const send = (x: number) => path.send(sampleOf('/cmd_vel', TWIST, twist(x, 0))).verdict;
    expect(send(0.4)).toBe('sent');
    lease.current = LEASES.policy;
    expect([send(0.5), send(-0.4), send(0.3), send(-0.1), send(0.1), send(0)]).toEqual([
      ...['refused', 'refused', 'sent', 'refused', 'sent', 'sent'],
    ]);
    expect(send(0.1)).toBe('refused');
  });

  it('reports a refusal that is repeated once in a while, and how many there were', async () => {
    const { clock, robot, door, events } = rig({ lease: 'person' });
    const path = door.path(robot, { kind: 'route', name: 'in' });
    for (let i = 0; i < 1_000; i++) path.send(sampleOf('/cmd_vel', TWIST, twist(0.3, 0)));
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({
      kind: 'command.refused',
      payload: {
        source: 'route/in',
        error: { message: expect.stringContaining('vera holds the actuation lease') },
      },
    });
    await clock.advance(10_001);
    path.send(sampleOf('/cmd_vel', TWIST, twist(0.3, 0)));
    expect(events[1]).toMatchObject({
      payload: { error: { message: expect.stringContaining('999 more since the last report') } },
    });
    // Names come from strangers: they do not fill the log.
    for (let i = 0; i < 2_000; i++) path.send(sampleOf(`/x${i}`, TWIST, twist(0.3, 0)));
    expect(events.length).toBeLessThan(300);
    for (const event of events) expect(payloadFits(event.kind, event.payload)).toBe(true);
  });

  it('makes permits, and nothing else does', () => {
    const { robot, sink } = rig();
    const sample = sampleOf('/cmd_vel', TWIST, twist(1, 0));
    expect(() => new Permit(Symbol('door') as never, sample)).toThrow(TypeError);
    expect(() => robot.offer({ sample } as never)).toThrow(TypeError);
    expect(() => robot.offer(Object.create(Permit.prototype))).toThrow(TypeError);
    expect(sink.samples).toEqual([]);
  });
});
