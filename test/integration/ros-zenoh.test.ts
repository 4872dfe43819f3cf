import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { NativeKeySpace } from '../../adapters/zenoh/native-key-space.ts';
import { RosZenohSink, RosZenohSource } from '../../adapters/zenoh/ros/index.ts';
import { TopicWriter } from '../../adapters/zenoh/ros/topic-writer.ts';
import {
  DEFAULT_QOS,
  EdgeError,
  LATCHED_QOS,
  pause,
  type Sample,
  SENSOR_QOS,
  type TopicSpec,
} from '../../contract/core.ts';
import { encodeTwist } from '../../formats/cdr/index.ts';
import { decodeAny, encodeAny } from '../../formats/ros2/index.ts';
import { testRosApi } from '../conformance/ros-api.ts';
import { type RosNode, rosNode } from '../support/ros-zenoh.ts';
import { until } from '../support/until.ts';
import { freePort } from '../support/zenoh.ts';
import { ZenohRosPeer } from '../support/zenoh-ros-peer.ts';

/** ROS nodes of an implementation that is not ours (Python, zenoh-ros2-sdk), and no ROS anywhere. */
vi.setConfig({ testTimeout: 90_000 });
const clock = new SystemClock();
const FIBONACCI = 'example_interfaces/action/Fibonacci';
const ADD = 'example_interfaces/srv/AddTwoInts';
const DOMAIN = 42;
const soon = { timeoutMs: 20_000 };

testRosApi('over Zenoh, by a router', async () => {
  const endpoint = `tcp/127.0.0.1:${await freePort()}`;
  const left = await rosNode('left', () =>
    NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, { clock }),
  );
  const right = await rosNode('right', () =>
    NativeKeySpace.open({ mode: 'peer', connect: [endpoint] }, { clock }),
  );
  return {
    left: left.api,
    right: right.api,
    async close() {
      await right.api.close();
      await left.api.close();
    },
  };
});

describe('ROS over Zenoh with independent nodes', () => {
  let port: number;
  let us: RosNode;
  const ends: (() => Promise<void>)[] = [];
  beforeAll(async () => {
    port = await freePort();
    const listen = [`tcp/127.0.0.1:${port}`];
    us = await rosNode('edge', () => NativeKeySpace.open({ mode: 'router', listen }, { clock }), {
      domain: DOMAIN,
    });
    ends.push(() => us.api.close());
  });
  afterAll(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  const peer = (mode: 'robot' | 'client') => {
    const started = new ZenohRosPeer(mode, port, DOMAIN);
    ends.push(() => started.kill());
    return started;
  };

  describe('a robot of theirs', () => {
    let robot: ZenohRosPeer;
    beforeAll(async () => {
      robot = peer('robot');
      await robot.until((line) => 'ready' in line);
      await until(() => us.session.graph.now().actions.length === 1, 'the robot in our graph');
    });

    it('hashes types as we do', async () => {
      const theirs = Object.assign({}, ...robot.lines.map(({ hash }) => hash ?? {}));
      expect(Object.keys(theirs).length).toBeGreaterThan(3);
      for (const [type, hash] of Object.entries(theirs))
        expect([type, us.session.types.hash(type)]).toEqual([type, hash]);
    });

    it('is in the graph, with nodes, types, quality of service and hashes', async () => {
      const graph = await us.api.graph.snapshot();
      const names = graph.nodes.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['/edge', '/base/lidar', '/base/adder', '/base/counter']));
      const scan = graph.topics.find(({ topic }) => topic === '/scan');
      expect(scan?.types).toEqual(['sensor_msgs/msg/LaserScan']);
      expect(scan?.publishers[0]).toMatchObject({
        node: '/base/lidar',
        typeHash: us.session.types.hash('sensor_msgs/msg/LaserScan'),
        qos: { reliability: 'best_effort', durability: 'volatile', depth: 5 },
      });
      expect(graph.services).toEqual(expect.arrayContaining([{ name: '/add_two_ints', types: [ADD] }]));
      expect(graph.actions).toEqual([{ name: '/fibonacci', types: [FIBONACCI] }]);
    });

    it('is heard: bytes as received, header stamps, no loss, and what is not compatible is told', async () => {
      const topics: TopicSpec[] = [
        { topic: '/scan', type: 'sensor_msgs/msg/LaserScan', qos: DEFAULT_QOS },
        { topic: '/chatter', type: 'std_msgs/msg/String', qos: DEFAULT_QOS },
      ];
      const samples: Sample[] = [];
      const source = new RosZenohSource(us.session);
      await source.open(
        topics,
        (sample) => samples.push(sample),
        () => {},
      );
      await until(() => samples.length >= 100, 'a hundred samples');
      expect(source.state()).toMatchObject({ connected: true, reason: '', lost: {} });
      await source.close();
      const said = samples.filter(({ topic }) => topic === '/chatter');
      const numbers = said.map(({ type, bytes }) =>
        Number(String(decodeAny(type, bytes)['data']).split(' ')[1]),
      );
      expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i));
      const scan = samples.find(({ topic }) => topic === '/scan')!;
      const decoded = decodeAny(scan.type, scan.bytes) as {
        header: { frame_id: string };
        ranges: Float32Array;
      };
      expect(decoded.header.frame_id).toBe('laser');
      expect(decoded.ranges).toHaveLength(3);
      const ageMs = Number(clock.now() - scan.stamp) / 1e6;
      expect(scan.stamp).not.toBe(scan.received);
      expect(ageMs).toBeGreaterThan(0);
      expect(us.reports.join('\n')).toMatch(/\/scan: \/base\/lidar .*reliability: offered best_effort/);
    });

    it('obeys velocity, and is stopped when commands stay away', async () => {
      const sink = new RosZenohSink(us.session);
      await sink.advertise({ topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', qos: DEFAULT_QOS });
      const speeds = () => robot.lines.flatMap(({ cmd_vel }) => (cmd_vel ? [(cmd_vel as number[])[0]] : []));
      await until(() => speeds().at(-1) === 0, 'the stop that every start owes');
      const bytes = encodeTwist({ linear: { x: 0.25, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0.5 } });
      const type = 'geometry_msgs/msg/Twist';
      sink.offer({ topic: '/cmd_vel', type, stamp: 1n, received: 1n, bytes });
      await robot.until(({ cmd_vel }) => JSON.stringify(cmd_vel) === '[0.25,0.5]');
      await until(() => speeds().at(-1) === 0, 'the stop after it');
      await sink.close();
    });

    it('answers service calls, many at once', async () => {
      const add = (a: number) => us.api.services.call('/add_two_ints', ADD, { a, b: 1 }, soon);
      const sums = await Promise.all(Array.from({ length: 20 }, (_, a) => add(a)));
      expect(sums.map(({ sum }) => sum)).toEqual(Array.from({ length: 20 }, (_, a) => BigInt(a + 1)));
      expect(await us.api.services.call('/lights', 'std_srvs/srv/SetBool', { data: true }, soon)).toEqual({
        success: true,
        message: 'ok',
      });
    });

    it('takes goals, tells feedback and results, cancels, rejects', async () => {
      const { actions } = us.api;
      const lengths: number[] = [];
      const goal = await actions.send(
        '/fibonacci',
        FIBONACCI,
        { order: 6 },
        {
          ...soon,
          onFeedback: ({ sequence }) => lengths.push((sequence as Int32Array).length),
        },
      );
      expect(await goal.result).toEqual({
        status: 'succeeded',
        result: { sequence: Int32Array.of(0, 1, 1, 2, 3, 5, 8) },
      });
      expect(lengths).toEqual([3, 4, 5, 6, 7]);
      const endless = await actions.send('/fibonacci', FIBONACCI, { order: 10_000 }, soon);
      expect(await endless.cancel(20_000)).toBe(true);
      expect((await endless.result).status).toBe('canceled');
      const refused = await actions.send('/fibonacci', FIBONACCI, { order: -1 }, soon);
      expect((await refused.result).status).toBe('rejected');
    });

    it('that dies is missed: state, graph, services, goals', async () => {
      const states: boolean[] = [];
      const source = new RosZenohSource(us.session);
      await source.open(
        [],
        () => {},
        ({ connected }) => states.push(connected),
      );
      const goal = await us.api.actions.send('/fibonacci', FIBONACCI, { order: 10_000 }, soon);
      await robot.kill();
      await expect(goal.result).rejects.toMatchObject({ code: 'robot.unreachable' });
      await until(() => states.at(-1) === false, 'the loss');
      await expect(us.api.services.call('/add_two_ints', ADD, {}, { timeoutMs: 200 })).rejects.toMatchObject({
        code: 'ros.not_found',
      });
      expect(us.session.graph.now().nodes.map(({ name }) => name)).toEqual(['/edge']);
      await source.close();
    });
  });

  it('a client of theirs calls our service, sends goals to our action, cancels, hears our topics', async () => {
    await us.api.services.serve('/sum', ADD, async ({ a, b }) => ({ sum: (a as bigint) + (b as bigint) }));
    await us.api.actions.serve('/count', FIBONACCI, {
      accept: ({ order }) => (order as number) >= 0,
      async execute({ goal, canceled, feedback }) {
        const sequence = [0, 1];
        for (let i = 1; i < (goal['order'] as number) && !canceled.aborted; i++) {
          sequence.push((sequence[i]! + sequence[i - 1]!) % 1_000_000);
          feedback({ sequence });
          await pause(clock, 20, canceled);
        }
        return { status: canceled.aborted ? 'canceled' : 'succeeded', result: { sequence } };
      },
    });
    const text = new TopicWriter(us.session, {
      topic: '/edge_text',
      type: 'std_msgs/msg/String',
      qos: SENSOR_QOS,
    });
    await text.open();
    const client = peer('client');
    await client.until(({ sum }) => sum === 42);
    await client.until(
      ({ status, sequence }) => status === 4 && JSON.stringify(sequence) === '[0,1,1,2,3,5]',
    );
    expect(client.lines.filter(({ feedback }) => feedback).length).toBeGreaterThan(2);
    await client.until(({ canceling, code }) => canceling === 1 && code === 0);
    await client.until(({ status }) => status === 5);
    await client.until(({ done }) => done === true);
    expect(client.lines.filter(({ accepted }) => accepted === false)).toHaveLength(1);
    await until(() => text.listeners > 0, 'their subscription');
    text.offer(encodeAny('std_msgs/msg/String', { data: 'grüß dich' }));
    await client.until((line) => line['text'] === 'grüß dich');
    await text.close();
  });

  it('a latched topic reaches who comes later', async () => {
    const spec: TopicSpec = { topic: '/map_name', type: 'std_msgs/msg/String', qos: LATCHED_QOS };
    const writer = new TopicWriter(us.session, spec);
    await writer.open();
    for (const data of ['old', 'new']) writer.offer(encodeAny(spec.type, { data }));
    const connect = [`tcp/127.0.0.1:${port}`];
    const late = await rosNode('late', () => NativeKeySpace.open({ mode: 'peer', connect }, { clock }), {
      domain: DOMAIN,
    });
    const source = new RosZenohSource(late.session);
    const samples: Sample[] = [];
    await source.open(
      [spec],
      (sample) => samples.push(sample),
      () => {},
    );
    await until(() => samples.length > 0, 'the latched message');
    expect(samples.map(({ type, bytes }) => decodeAny(type, bytes)['data'])).toEqual(['new']);
    await source.close();
    await late.api.close();
    await writer.close();
  });

  it('a key space that cannot be opened is told, and tried again', async () => {
    const endpoint = `tcp/127.0.0.1:${port}`;
    const taken = rosNode('second', () =>
      NativeKeySpace.open({ mode: 'router', listen: [endpoint] }, { clock }),
    );
    await expect(taken).rejects.toBeInstanceOf(EdgeError);
  });
});
