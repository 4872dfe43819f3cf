import { describe, expect, it } from 'vitest';
import type { KeyValue } from '../../contract/core.ts';
import {
  cdr,
  IN,
  isBalanced,
  MemoryFabric,
  MemoryKeySpace,
  numberIn,
  OUT,
  RouteRig,
  turns,
} from '../support/route-rig.ts';

async function listen(fabric: MemoryFabric, rig: RouteRig, keyExpr = 'fleet/**') {
  const heard: KeyValue[] = [];
  await new MemoryKeySpace(rig.clock, fabric).subscribe(keyExpr, (values) => void heard.push(...values));
  return heard;
}

describe('a route from ROS to Zenoh', () => {
  it('sends bytes as they are, with type, stamp, source and number beside them', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(OUT);
    const session = new MemoryKeySpace(rig.clock, fabric);
    await rig.start(session);
    const heard = await listen(fabric, rig);
    rig.say('/camera/image', cdr(1), 'sensor_msgs/msg/Image');
    rig.say('/camera/image', cdr(2), 'sensor_msgs/msg/Image');
    await turns();
    expect(heard.map(({ key, encoding }) => ({ key, encoding }))).toEqual(
      Array(2).fill({ key: 'fleet/r1/camera/image', encoding: 'application/cdr;sensor_msgs/msg/Image' }),
    );
    expect(heard.map(({ payload }) => payload)).toEqual([cdr(1), cdr(2)]);
    expect(JSON.parse(Buffer.from(heard[1]!.attachment!).toString())).toEqual({
      type: 'sensor_msgs/msg/Image',
      stamp: rig.clock.now().toString(),
      source: expect.stringMatching(/^[0-9a-f]{32}$/),
      seq: 2,
    });
    expect(rig.line('/camera/image')).toEqual({
      topic: '/camera/image',
      hop: 'route:out',
      received: 2,
      forwarded: 2,
      written: 0,
      dropped: {},
    });
  });

  it('keeps every third exactly, allows and denies by pattern, and counts all of it', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(`${OUT}keep_every = 3\nallow = ["/a/**", "/b"]\ndeny = ["/a/secret"]`);
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const heard = await listen(fabric, rig);
    for (let i = 0; i < 100; i++) {
      for (const topic of ['/a/x', '/a/secret', '/b', '/c']) rig.say(topic, cdr(i));
    }
    await turns(20);
    const of = (key: string) =>
      heard.filter((v) => v.key === `fleet/r1/${key}`).map((v) => numberIn(v.payload));
    expect(of('a/x')).toEqual(Array.from({ length: 34 }, (_, i) => 3 * i));
    expect(of('b')).toHaveLength(34);
    expect(heard).toHaveLength(68);
    expect(rig.line('/a/x')).toMatchObject({ received: 100, forwarded: 34, dropped: { decimated: 66 } });
    expect(rig.line('/a/secret')).toMatchObject({ received: 100, forwarded: 0, dropped: { denied: 100 } });
    expect(rig.line('/c')).toMatchObject({ received: 100, forwarded: 0, dropped: { denied: 100 } });
    expect(isBalanced(rig.routes.lines())).toBe(true);
  });

  it('sends the newest at each turn of its rate, each topic by itself', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(`${OUT}rate = "10 Hz"`);
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const heard = await listen(fabric, rig);
    // 200 Hz for a second, and one that keeps below the rate.
    for (let i = 0; i < 200; i++) {
      rig.say('/fast', cdr(i));
      if (i % 40 === 0) rig.say('/slow', cdr(i));
      await rig.clock.advance(5);
    }
    await rig.clock.advance(200);
    await turns(20);
    const fast = heard.filter((v) => v.key.endsWith('fast')).map((v) => numberIn(v.payload));
    // At 0 ms, 100 ms, ...: what was newest then, and at the end the last one.
    expect(fast).toEqual([0, 19, 39, 59, 79, 99, 119, 139, 159, 179, 199]);
    expect(heard.filter((v) => v.key.endsWith('slow'))).toHaveLength(5);
    expect(rig.line('/fast')).toMatchObject({ received: 200, forwarded: 11, dropped: { rate_limited: 189 } });
  });

  it('spreads without waiting where that is asked for', async () => {
    const rig = new RouteRig(`${OUT}rate = "10 Hz"\nrate_mode = "spread"`);
    await rig.start(new MemoryKeySpace(rig.clock));
    for (let i = 0; i < 1_000; i++) {
      rig.say('/fast', cdr(i));
      await rig.clock.advance(1);
    }
    const { forwarded = 0 } = rig.line('/fast')!;
    expect(forwarded).toBeGreaterThanOrEqual(10);
    expect(forwarded).toBeLessThanOrEqual(12);
    expect(isBalanced(rig.routes.lines())).toBe(true);
  });

  it('says that nobody is connected, counts what is lost, and goes on in a new session', async () => {
    const rig = new RouteRig(OUT);
    await rig.start();
    rig.say('/a', cdr(1));
    await rig.clock.advance(500);
    expect(rig.routes.status()[0]).toMatchObject({
      state: 'down',
      reason: expect.stringContaining('no Zenoh session'),
    });
    expect(rig.line('/a')).toMatchObject({ received: 1, forwarded: 0, dropped: { not_connected: 1 } });
    await rig.routes.attach(new MemoryKeySpace(rig.clock));
    rig.say('/a', cdr(2));
    await turns();
    await rig.clock.advance(500);
    expect(rig.routes.status()[0]).toMatchObject({ state: 'up', messages: 1 });
    expect(rig.states()).toEqual(['out down', 'out up']);
  });
});

describe('a route from Zenoh to ROS', () => {
  it('publishes what arrives by its note, its encoding or the configuration, and nothing else', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(IN);
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const sender = new MemoryKeySpace(rig.clock, fabric);
    await sender.put('fleet/r2/goal', cdr(1), { encoding: 'application/cdr;std_msgs/msg/UInt32' });
    await sender.put('fleet/r2/goal', cdr(2), {
      attachment: Buffer.from('{"type":"std_msgs/msg/UInt32","stamp":"42"}'),
    });
    // No type, no CDR, no topic, no sense.
    await sender.put('fleet/r2/bad', cdr(3));
    await sender.put('fleet/r2/goal', new Uint8Array([9]), {
      encoding: 'application/cdr;std_msgs/msg/UInt32',
    });
    await sender.put('fleet/r2/9lives', cdr(4), { encoding: 'application/cdr;std_msgs/msg/UInt32' });
    await sender.put('fleet/r2/bad', cdr(5), { attachment: Buffer.from('{"type":"../x","stamp":-1}') });
    await sender.delete('fleet/r2/goal');
    await turns();
    await rig.clock.advance(600);
    expect(rig.sink.samples.map(({ topic, type, bytes }) => [topic, type, numberIn(bytes)])).toEqual([
      ['/r2/goal', 'std_msgs/msg/UInt32', 1],
      ['/r2/goal', 'std_msgs/msg/UInt32', 2],
    ]);
    expect(rig.sink.samples[1]!.stamp).toBe(42n);
    expect(rig.sink.advertised.map(({ topic }) => topic)).toEqual(['/r2/goal']);
    expect(rig.line('/r2/goal')).toMatchObject({ received: 3, forwarded: 2, dropped: { malformed: 1 } });
    expect(rig.line('/r2/bad')).toMatchObject({ received: 2, forwarded: 0, dropped: { malformed: 2 } });
    expect(isBalanced(rig.routes.lines())).toBe(true);
  });

  it('does not move the robot', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(`[[routes]]\nname = "in"\nfrom = "zenoh:**"\nto = "ros:/**"`);
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    await new MemoryKeySpace(rig.clock, fabric).put('cmd_vel', cdr(1), {
      encoding: 'application/cdr;geometry_msgs/msg/Twist',
    });
    await turns();
    await rig.clock.advance(600);
    expect(rig.sink.samples).toEqual([]);
    expect(rig.line('/cmd_vel')).toMatchObject({ received: 1, dropped: { denied: 1 } });
  });

  it('does not move its joints either, past gate and lease', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(`[[routes]]\nname = "in"\nfrom = "zenoh:**"\nto = "ros:/**"`, {}, undefined, {
      obeys: ['/forward_position_controller/commands'],
    });
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const sender = new MemoryKeySpace(rig.clock, fabric);
    const encoding = 'application/cdr;std_msgs/msg/Float64MultiArray';
    await sender.put('forward_position_controller/commands', cdr(1), { encoding });
    await turns();
    await rig.clock.advance(600);
    expect(rig.sink.samples).toEqual([]);
    expect(rig.sink.advertised).toEqual([]);
    expect(rig.line('/forward_position_controller/commands')).toMatchObject({ dropped: { denied: 1 } });
  });

  it('waits for a robot that is busy and counts what it cannot hold', async () => {
    const fabric = new MemoryFabric();
    const rig = new RouteRig(`${IN}depth = 10`);
    await rig.start(new MemoryKeySpace(rig.clock, fabric));
    const sender = new MemoryKeySpace(rig.clock, fabric);
    const put = (n: number) =>
      sender.put('fleet/r2/a', cdr(n), { encoding: 'application/cdr;std_msgs/msg/UInt32' });
    await put(0);
    await turns();
    await rig.clock.advance(600);
    rig.sink.accepts = false;
    for (let n = 1; n <= 30; n++) await put(n);
    await turns(10);
    await rig.clock.advance(50);
    rig.sink.accepts = true;
    await rig.clock.advance(50);
    const numbers = rig.sink.samples.map(({ bytes }) => numberIn(bytes));
    // The oldest went, order is kept, the newest came.
    expect(numbers).toEqual([0, ...Array.from({ length: 10 }, (_, i) => 21 + i)]);
    expect(rig.line('/r2/a')).toMatchObject({ received: 31, forwarded: 11, dropped: { queue_full: 20 } });
  });
});

describe('loops', () => {
  const BOTH =
    `${OUT}\n[[routes]]\nname = "in"\nfrom = "zenoh:fleet/*/**"\nto = "ros:/**"\ndeny = []\n`.replace(
      'fleet/*/**',
      'fleet/r1/**',
    );

  /** Lets what the robots' middlewares hear go around ten times. `isOneDomain`: both hear what either publishes. */
  async function goRound(rigs: readonly RouteRig[], isOneDomain: boolean, stamped: boolean) {
    for (let round = 0; round < 10; round++) {
      await turns();
      await rigs[0]!.clock.advance(150);
      for (const rig of rigs) {
        for (const { topic, type, bytes } of rig.sink.samples.splice(0)) {
          for (const hearer of isOneDomain ? rigs : [rig]) hearer.say(topic, bytes, type, stamped);
        }
      }
    }
  }

  async function twoRobots() {
    const fabric = new MemoryFabric();
    const one = new RouteRig(BOTH);
    const two = new RouteRig(BOTH, {}, one.clock);
    await one.start(new MemoryKeySpace(one.clock, fabric));
    await two.start(new MemoryKeySpace(one.clock, fabric));
    return { one, two, heard: await listen(fabric, one) };
  }

  it('end: what came from Zenoh is not sent back, by either robot', async () => {
    const { one, two, heard } = await twoRobots();
    for (const n of [1, 2, 2, 3]) one.say('/chatter', cdr(n));
    await goRound([one, two], false, false);
    // What the robot said goes out, also where it says the same twice; the other one returns nothing of it.
    expect(heard.map(({ payload }) => numberIn(payload))).toEqual([1, 2, 2, 3]);
    expect(two.line('/chatter')?.dropped.echo).toBe(4);
    expect(isBalanced([...one.routes.lines(), ...two.routes.lines()])).toBe(true);
    // Later, the same words are the other robot's own.
    await one.clock.advance(3_000);
    two.say('/chatter', cdr(3));
    await goRound([one, two], false, false);
    expect(heard).toHaveLength(5);
    expect(heard.at(-1)!.key).toBe('fleet/r1/chatter');
  });

  it('end in one ROS domain too, for messages with a stamp', async () => {
    const { one, two, heard } = await twoRobots();
    for (let n = 0; n < 20; n++) {
      one.say('/odom', cdr(n), 'nav_msgs/msg/Odometry', true);
      await goRound([one, two], true, true);
    }
    // The first ones may go twice, before either knows that the other brings them back.
    expect(heard.length).toBeGreaterThanOrEqual(20);
    expect(heard.length).toBeLessThanOrEqual(24);
  });
});
