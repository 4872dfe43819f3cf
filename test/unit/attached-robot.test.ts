import { describe, expect, it } from 'vitest';
import { DEFAULT_QOS, EdgeError, LATCHED_QOS, LIMITS, type Sample } from '../../contract/index.ts';
import { SampleFeed } from '../../daemon/execution/attached/sample-feed.ts';
import { Ledger, SampleBus } from '../../daemon/execution/bus/index.ts';
import { encodeTwist } from '../../formats/cdr/index.ts';
import { AttachedRobot } from '../../io/attached/attached-robot.ts';
import type { FromServers, ToServers } from '../../io/attached/messages.ts';
import { RobotDoor } from '../../io/attached/robot-door.ts';
import { SendQueue } from '../../io/attached/send-queue.ts';
import { Steering } from '../../io/attached/steering.ts';
import { Thaw } from '../../io/attached/thaw.ts';
import { ManualClock } from '../fakes/manual-clock.ts';

const STRING = 'std_msgs/msg/String';
const bytes = (size: number) => new Uint8Array(size);

function feedOf(
  more: { knows?: (type: string) => boolean; publish?: (sample: Sample) => Promise<void> } = {},
) {
  const clock = new ManualClock();
  const bus = new SampleBus({ clock, ledger: new Ledger() });
  const posted: ToServers[] = [];
  const graphs: boolean[] = [];
  const feed = new SampleFeed({
    ...{ bus, clock, post: (message) => posted.push(structuredClone(message)) },
    schemaOf: (type) => ((more.knows ?? (() => true))(type) ? `schema of ${type}` : undefined),
    publish: more.publish ?? (async () => {}),
    now: () => clock.now(),
    watchGraph: (on) => graphs.push(on),
  });
  feed.start();
  const publish = (topic: string, data: Uint8Array, type = STRING) =>
    bus.publish({ topic, type, stamp: 1n, received: 2n, bytes: data }, 'robot');
  const samples = () => posted.filter((one) => one.kind === 'sample');
  const follow = (...topics: string[]) =>
    feed.receive({ kind: 'follow', added: topics, removed: [], graph: false });
  return { clock, bus, feed, posted, graphs, publish, samples, follow };
}

describe('samples for attached clients', () => {
  it('are copied only where a client follows the topic', () => {
    const { feed, publish, samples, follow, posted } = feedOf();
    feed.declare([{ topic: '/a', type: STRING, qos: DEFAULT_QOS }]);
    publish('/a', bytes(1));
    publish('/b', bytes(1));
    expect(posted).toMatchObject([
      { kind: 'topics', added: [{ topic: '/a', schema: `schema of ${STRING}`, latched: false }] },
      { kind: 'topics', added: [{ topic: '/b' }] },
    ]);
    follow('/b');
    publish('/a', bytes(1));
    publish('/b', bytes(2));
    expect(samples()).toMatchObject([{ sample: { topic: '/b', received: 2n, bytes: bytes(2) } }]);
  });

  it('do not share the buffer of the bus, which may be a part of a larger one', () => {
    const { publish, samples, follow } = feedOf();
    const pool = new Uint8Array(1_000_000).fill(7);
    follow('/a');
    publish('/a', pool.subarray(10, 14));
    const { sample } = samples()[0]!;
    expect(sample.bytes.buffer.byteLength).toBe(4);
    expect(pool[10]).toBe(7);
  });

  it('are dropped and counted where the thread of the servers does not take them', () => {
    const { feed, publish, samples, follow, posted } = feedOf();
    follow('/a');
    const half = LIMITS.ATTACH_IN_FLIGHT_BYTES_MAX / 2;
    for (let i = 0; i < 5; i++) publish('/a', bytes(half));
    expect(samples()).toHaveLength(2);
    feed.receive({ kind: 'taken', bytes: half });
    publish('/a', bytes(half));
    expect(posted.slice(-2)).toMatchObject([{ kind: 'missed', topic: '/a', count: 3 }, { kind: 'sample' }]);
  });

  it('of latched topics are kept for late subscribers; /tf_static keeps those of several nodes', () => {
    const { feed, publish, samples } = feedOf();
    feed.declare([{ topic: '/map', type: STRING, qos: LATCHED_QOS }]);
    for (const size of [1, 2]) publish('/map', bytes(size));
    for (const size of [3, 4]) publish('/tf_static', bytes(size));
    for (const topic of ['/map', '/tf_static', '/none']) feed.receive({ kind: 'latest', topic, ticket: 9 });
    expect(samples().map((one) => [one.ticket, one.sample.bytes.length])).toEqual([
      [9, 2],
      [9, 3],
      [9, 4],
    ]);
  });

  it('are offered as soon as the definition of their type is known, and again with another type', async () => {
    const known = new Set<string>();
    const { clock, publish, posted } = feedOf({ knows: (type) => known.has(type) });
    publish('/a', bytes(1));
    expect(posted).toEqual([]);
    known.add(STRING);
    await clock.advance(5_000);
    publish('/a', bytes(1));
    expect(posted).toMatchObject([{ added: [{ topic: '/a', type: STRING }] }]);
    known.add('std_msgs/msg/Bool');
    publish('/a', bytes(1), 'std_msgs/msg/Bool');
    expect(posted.slice(1)).toMatchObject([{ removed: ['/a'] }, { added: [{ type: 'std_msgs/msg/Bool' }] }]);
  });

  it('of clients go through the door, and the client hears what it said', async () => {
    const refusal = new EdgeError('command.refused', { operation: 'publish', subject: '/a', message: 'no' });
    const { feed, posted } = feedOf({
      publish: async ({ topic }) => {
        if (topic === '/a') throw refusal;
      },
    });
    const robot = new AttachedRobot((message: FromServers) => feed.receive(message));
    const told = [robot.publish('/a', STRING, bytes(1)), robot.publish('/b', STRING, bytes(1))].map((one) =>
      one.then(
        () => 'taken',
        (error: EdgeError) => error.message,
      ),
    );
    while (posted.length < 2) await Promise.resolve();
    for (const message of posted) robot.receive(message);
    expect(await Promise.all(told)).toEqual(['no', 'taken']);
  });
});

describe('the queue of one client', () => {
  const queueOf = (bytesMax: number) => {
    const sent: (Uint8Array | string)[] = [];
    const waiting: (() => void)[] = [];
    const dropped: Record<string, number> = {};
    const overruns: string[] = [];
    const queue = new SendQueue({
      bytesMax,
      send: (frame, done) => {
        sent.push(frame);
        waiting.push(done);
      },
      dropped: (topic, count) => {
        dropped[topic] = (dropped[topic] ?? 0) + count;
      },
      overrun: () => overruns.push('overrun'),
    });
    const free = () => {
      while (waiting.length > 0) waiting.shift()!();
    };
    return { queue, sent, dropped, overruns, free };
  };
  const fill = bytes(LIMITS.ATTACH_SOCKET_BYTES);

  it('sends answers before samples, and topics in turns', () => {
    const { queue, sent, free } = queueOf(1_000_000);
    queue.sample('/camera', { head: fill });
    for (let i = 0; i < 3; i++) queue.sample('/camera', { head: bytes(1_000) });
    queue.sample('/small', { head: bytes(1) });
    queue.answer({ head: 'answer' });
    free();
    expect(sent.slice(1).map((frame) => (typeof frame === 'string' ? frame : frame.length))).toEqual([
      ...['answer', 1_000, 1, 1_000, 1_000],
    ]);
    expect(queue.isIdle).toBe(true);
  });

  it('holds at most its bytes, whatever comes', () => {
    const { queue, dropped, sent } = queueOf(10_000);
    queue.sample('/camera', { head: fill.subarray(0, 10_000) });
    queue.answer({ head: fill });
    for (let i = 0; i < 1_000; i++) {
      queue.sample('/camera', { head: bytes(13), body: bytes(3_000) });
      queue.sample(`/small/${i % 20}`, { head: bytes(10) });
      expect(queue.bytes).toBeLessThanOrEqual(10_000);
    }
    expect(sent).toHaveLength(2);
    expect(dropped['/camera']).toBeGreaterThan(990);
    queue.sample('/cloud', { head: bytes(20_000) });
    expect(dropped['/cloud']).toBe(1);
  });

  it('ends where answers are not taken', () => {
    const { queue, overruns } = queueOf(1_000);
    queue.sample('/a', { head: fill.subarray(0, 900) });
    queue.answer({ head: fill });
    for (let i = 0; i < 20; i++) queue.answer({ head: 'x'.repeat(100) });
    expect(overruns).toEqual(['overrun']);
    expect(queue.bytes).toBe(0);
  });
});

/** The API as it is asked, with its answers in the order of the questions. */
function fakeApi(lease: { id: number | undefined } = { id: 7 }) {
  const asked: [string, unknown][] = [];
  const waiting: (() => void)[] = [];
  const hold = { isHeld: false };
  const refuse: { error: EdgeError | undefined } = { error: undefined };
  return {
    ...{ asked, waiting, hold, refuse },
    async get<T>(path: string): Promise<T> {
      asked.push([path, undefined]);
      return (lease.id === undefined ? { state: 'free' } : { lease_id: lease.id }) as T;
    },
    async post<T>(path: string, body: unknown): Promise<T> {
      asked.push([path, body]);
      if (hold.isHeld) await new Promise<void>((resolve) => waiting.push(resolve));
      if (refuse.error) throw refuse.error;
      return { lease_id: 8 } as T;
    },
  };
}

describe('a client that steers', () => {
  const velocity = (linear: number) => ({ linear, angular: 0 });
  const turn = async () => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
  };

  it('commands under the lease of its token, and keeps it while it steers', async () => {
    const [api, clock] = [fakeApi(), new ManualClock()];
    const steering = new Steering(api, clock);
    await steering.steer(velocity(0.1));
    await steering.steer(velocity(0.2));
    expect(api.asked).toEqual([
      ['/v1/lease', undefined],
      ['/v1/teleop', { lease_id: 7, twist: velocity(0.1) }],
      ['/v1/lease/renew', { lease_id: 7 }],
      ['/v1/teleop', { lease_id: 7, twist: velocity(0.2) }],
    ]);
  });

  it('without a lease commands nothing', async () => {
    const api = fakeApi({ id: undefined });
    await expect(new Steering(api, new ManualClock()).steer(velocity(1))).rejects.toMatchObject({
      code: 'lease.lost',
      hint: expect.stringContaining('take_lease'),
    });
    expect(api.asked).toEqual([['/v1/lease', undefined]]);
  });

  it('sends the newest velocity only, and none that is too old', async () => {
    const [api, clock] = [fakeApi(), new ManualClock()];
    const steering = new Steering(api, clock);
    api.hold.isHeld = true;
    const all = [1, 2, 3].map((speed) => steering.steer(velocity(speed)));
    await turn();
    clock.skip(LIMITS.COMMAND_EXPIRY_MS + 1);
    void steering.steer(velocity(4));
    api.hold.isHeld = false;
    for (const resolve of api.waiting) resolve();
    await Promise.all(all);
    const twists = api.asked.filter(([path]) => path === '/v1/teleop').map(([, body]) => body);
    expect(twists).toEqual([
      { lease_id: 7, twist: velocity(1) },
      { lease_id: 7, twist: velocity(4) },
    ]);
  });

  it('looks for its lease again after it was lost', async () => {
    const api = fakeApi();
    const steering = new Steering(api, new ManualClock());
    api.refuse.error = new EdgeError('lease.lost', { operation: 'teleoperate', subject: '7' });
    for (let i = 0; i < 2; i++) await expect(steering.steer(velocity(1))).rejects.toThrow();
    expect(api.asked.filter(([path]) => path === '/v1/lease')).toHaveLength(2);
  });

  it('gives back at its end what it took, and nothing of others', async () => {
    const api = fakeApi();
    const [own, other] = [new Steering(api, new ManualClock()), new Steering(api, new ManualClock())];
    await own.take();
    await other.steer(velocity(0));
    await other.close();
    expect(api.asked.map(([path]) => path)).not.toContain('/v1/lease/return');
    await own.close();
    expect(api.asked.at(-1)).toEqual(['/v1/lease/return', { lease_id: 8 }]);
  });
});

describe('what a client publishes', () => {
  const parts = () => {
    const [api, clock] = [fakeApi(), new ManualClock()];
    const published: string[] = [];
    const robot = {
      topic: () => undefined,
      publish: async (topic: string) => {
        published.push(topic);
      },
    };
    const command = { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist' };
    return { api, clock, robot, command, published };
  };
  const twist = (x: number, y = 0, z = 0) => ({ linear: { x, y, z: 0 }, angular: { x: 0, y: 0, z } });

  it('as a velocity is a command by hand; all else goes to the door of the robot', async () => {
    const all = parts();
    const door = new RobotDoor(all);
    await door.publishValue('/cmd_vel', 'geometry_msgs/msg/Twist', twist(0.1, 0, 0.2));
    await door.publishValue('/cmd_vel', 'geometry_msgs/msg/TwistStamped', { twist: twist(0.3) });
    await door.publishValue('/chatter', STRING, { data: 'a' });
    expect(all.api.asked.filter(([path]) => path === '/v1/teleop').map(([, body]) => body)).toEqual([
      { lease_id: 7, twist: { linear: 0.1, angular: 0.2 } },
      { lease_id: 7, twist: { linear: 0.3, angular: 0 } },
    ]);
    expect(all.published).toEqual(['/chatter']);
  });

  it.each<[string, () => Promise<void>, RegExp]>([
    ...([Number.NaN, Number.POSITIVE_INFINITY] as const).map(
      (speed): [string, () => Promise<void>, RegExp] => [
        `${speed} as CDR`,
        () =>
          new RobotDoor(parts()).publish('/cmd_vel', 'geometry_msgs/msg/Twist', encodeTwist(twist(speed))),
        /not finite/,
      ],
    ),
    [
      'infinity as JSON, which is written 1e999',
      () =>
        new RobotDoor(parts()).publishValue(
          '/cmd_vel',
          'geometry_msgs/msg/Twist',
          twist(Number.POSITIVE_INFINITY),
        ),
      /finite/,
    ],
    [
      'a sideways velocity',
      () => new RobotDoor(parts()).publishValue('/cmd_vel', 'geometry_msgs/msg/Twist', twist(0, 1)),
      /linear.x/,
    ],
    [
      'another type',
      () => new RobotDoor(parts()).publishValue('/cmd_vel', STRING, { data: '' }),
      /takes geometry_msgs/,
    ],
    [
      'bytes that are too short',
      () => new RobotDoor(parts()).publish('/cmd_vel', 'geometry_msgs/msg/Twist', bytes(5)),
      /./,
    ],
    [
      'a type that is not known',
      () => new RobotDoor(parts()).publishValue('/x', 'my_msgs/msg/Thing', {}),
      /no definition/,
    ],
    [
      'what lay in a socket while the process stood still',
      () =>
        new RobotDoor({ ...parts(), isThawing: () => true }).publishValue(
          '/cmd_vel',
          'geometry_msgs/msg/Twist',
          twist(0.1),
        ),
      /stood still/,
    ],
  ])('is refused: %s', async (_what, publish, words) => {
    await expect(publish()).rejects.toThrow(words);
  });

  it('goes to the door for those alone who may command by the API', async () => {
    const all = parts();
    const order = { operation: 'authorise', subject: 'lease' };
    all.api.refuse.error = new EdgeError('policy.denied', order);
    await expect(new RobotDoor(all).publish('/scan', STRING, bytes(4))).rejects.toThrow();
    expect(all.published).toEqual([]);
    const door = new RobotDoor(all);
    all.api.refuse.error = new EdgeError('cell.unavailable', order);
    await expect(door.publish('/scan', STRING, bytes(4))).rejects.toThrow();
    all.api.refuse.error = new EdgeError('schema.invalid', order);
    for (let i = 0; i < 3; i++) await door.publish('/scan', STRING, bytes(4));
    expect(all.published).toEqual(['/scan', '/scan', '/scan']);
  });

  it.each<[string, (door: RobotDoor) => Promise<unknown>]>([
    ['a goal', (door) => door.sendGoal('/spin', 'nav2_msgs/action/Spin', {})],
    ['a call', (door) => door.call('/arm/move', 'std_srvs/srv/Trigger', {}, 1_000)],
  ])('may be old: %s that lay in a socket while the process stood still', async (_what, order) => {
    const all = parts();
    await expect(order(new RobotDoor({ ...all, isThawing: () => true }))).rejects.toThrow(/stood still/);
    await new RobotDoor({ ...all, isThawing: () => true }).stop('now');
    expect(all.api.asked).toEqual([['/v1/estop', { reason: 'now' }]]);
  });

  it('may be old right after a freeze, for a moment', async () => {
    const clock = new ManualClock();
    const thaw = new Thaw(clock);
    thaw.start();
    await clock.advance(1_000);
    expect(thaw.isRecent()).toBe(false);
    clock.skip(LIMITS.COMMAND_EXPIRY_MS * 3);
    expect(thaw.isRecent()).toBe(true);
    await clock.advance(1_000);
    expect(thaw.isRecent()).toBe(false);
    thaw.close();
  });
});
