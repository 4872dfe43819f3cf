import { afterEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { makeAttachment } from '../../adapters/zenoh/ros/attachment.ts';
import { RosZenohSink, RosZenohSource } from '../../adapters/zenoh/ros/index.ts';
import { dataKey, NO_TYPE_HASH, tokenOf } from '../../adapters/zenoh/ros/names.ts';
import { TopicReader } from '../../adapters/zenoh/ros/topic-reader.ts';
import { TopicWriter } from '../../adapters/zenoh/ros/topic-writer.ts';
import {
  DEFAULT_QOS,
  LATCHED_QOS,
  type Sample,
  SENSOR_QOS,
  type SourceState,
  type TopicSpec,
} from '../../contract/core.ts';
import {
  decodeFloat64MultiArray,
  encodeFloat64MultiArray,
  encodeTwist,
  FLOAT64_MULTI_ARRAY,
} from '../../formats/cdr/index.ts';
import { decodeAny, encodeAny, TypeBook } from '../../formats/ros2/index.ts';
import { sampleIoConformance } from '../conformance/sample-io.ts';
import { MemoryFabric, MemoryKeySpace } from '../fakes/memory-key-space.ts';
import { type RosNode, rosNode } from '../support/ros-zenoh.ts';
import { until } from '../support/until.ts';

const clock = new SystemClock();
const CMD_VEL: TopicSpec = { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', qos: DEFAULT_QOS };
const COUNT: TopicSpec = { topic: '/count', type: 'std_msgs/msg/UInt64', qos: DEFAULT_QOS };
const TEXT: TopicSpec = { topic: '/text', type: 'std_msgs/msg/String', qos: DEFAULT_QOS };
const number = (data: number) => encodeAny(COUNT.type, { data });
const twist = (x: number) => encodeTwist({ linear: { x, y: 0, z: 0 }, angular: { x: 0, y: 0, z: 0 } });
const sampleOf = ({ topic, type }: TopicSpec, bytes: Uint8Array): Sample => ({
  topic,
  type,
  stamp: 1n,
  received: 1n,
  bytes,
});

/** A robot on the same fabric: publishes on and on, and counts the commands it gets. */
async function robot(fabric: MemoryFabric, onCommand: (speed: number) => void) {
  const node = await rosNode('robot', async () => new MemoryKeySpace(clock, fabric));
  const writers = [COUNT, TEXT].map((spec) => new TopicWriter(node.session, spec));
  for (const writer of writers) await writer.open();
  const reader = new TopicReader(node.session, CMD_VEL, ({ bytes }) =>
    onCommand((decodeAny(CMD_VEL.type, bytes)['linear'] as { x: number }).x),
  );
  await reader.open();
  let n = 0;
  const timer = clock.every(5, () => {
    n += 1;
    writers[0]!.offer(number(n));
    writers[1]!.offer(encodeAny(TEXT.type, { data: `${n}` }));
  });
  return {
    async end() {
      timer.cancel();
      await node.api.close();
      await (await node.session.space().catch(() => undefined))?.close();
      for (const writer of writers) await writer.close();
      await reader.close();
    },
  };
}

sampleIoConformance('ROS over Zenoh', async () => {
  const fabric = new MemoryFabric();
  let obeyed = 0;
  const start = () => robot(fabric, (speed) => (obeyed += speed > 0 ? 1 : 0));
  let there = await start();
  const us = await rosNode('edge', async () => new MemoryKeySpace(clock, fabric));
  await until(() => us.session.strangers() > 0, 'the robot');
  return {
    source: new RosZenohSource(us.session),
    sink: new RosZenohSink(us.session),
    topics: [COUNT, TEXT],
    command: { topic: CMD_VEL, sample: sampleOf(CMD_VEL, twist(0.2)) },
    obeyed: () => obeyed,
    lose: () => there.end(),
    async restore() {
      there = await start();
    },
    async end() {
      await there.end();
      await us.api.close();
    },
  };
});

describe('ROS over Zenoh', () => {
  const fabric = new MemoryFabric();
  const ends: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end();
  });
  const space = () => new MemoryKeySpace(clock, fabric);
  const node = async (name: string, options: Parameters<typeof rosNode>[2] = {}): Promise<RosNode> => {
    const one = await rosNode(name, async () => space(), options);
    ends.push(() => one.api.close());
    return one;
  };
  const source = async (us: RosNode, topics: readonly TopicSpec[], discover?: (topic: string) => boolean) => {
    const samples: Sample[] = [];
    const states: SourceState[] = [];
    const from = new RosZenohSource(us.session, discover ? { discover } : {});
    ends.push(() => from.close());
    await from.open(
      topics,
      (sample) => samples.push(sample),
      (state) => states.push(state),
    );
    return { from, samples, states };
  };
  const writer = async (one: RosNode, spec: TopicSpec) => {
    const to = new TopicWriter(one.session, spec);
    await to.open();
    ends.push(() => to.close());
    return to;
  };
  /** A publisher as another implementation writes it: its own numbers, hash and type. */
  const foreign = async (spec: TopicSpec, hash: string, qos = '::,10:,:,:,,') => {
    const other = space();
    ends.push(() => other.close());
    const token = {
      domain: 0,
      zid: other.id(),
      nodeId: '0',
      enclave: '/',
      namespace: '/base',
      node: 'other',
    };
    await other.liveliness(tokenOf({ ...token, entityId: '0', kind: 'NN' }));
    const end = { name: spec.topic, type: spec.type, hash, qos };
    await other.liveliness(tokenOf({ ...token, entityId: '1', kind: 'MP', end }));
    const gid = new Uint8Array(16).fill(9);
    const key = dataKey(0, spec.topic, spec.type, hash);
    const put = (n: number, bytes: Uint8Array) =>
      other.put(key, bytes, { attachment: makeAttachment(BigInt(n), 0n, gid) });
    return Object.assign(put, { gone: () => other.close() });
  };

  it('counts gaps in the numbers of a publisher as lost, per topic', async () => {
    const us = await node('edge');
    const { from, samples } = await source(us, [COUNT, TEXT]);
    const put = await foreign(COUNT, new TypeBook().hash(COUNT.type));
    for (const n of [1, 2, 5, 6, 10]) await put(n, number(n));
    await until(() => samples.length === 5, 'what was sent');
    expect(from.state().lost).toEqual({ '/count': 5 });
  });

  it('keeps domains apart', async () => {
    const [us, other] = [await node('edge', { domain: 1 }), await node('robot', { domain: 2 })];
    const here = await node('near', { domain: 1 });
    const { from, samples } = await source(us, [COUNT]);
    (await writer(other, COUNT)).offer(number(2));
    (await writer(here, COUNT)).offer(number(1));
    await until(() => samples.length === 1, 'the message of our domain');
    expect(decodeAny(COUNT.type, samples[0]!.bytes)).toEqual({ data: 1n });
    expect(us.session.graph.now().nodes.map(({ name }) => name)).toEqual(['/edge', '/near']);
    expect(from.state().connected).toBe(true);
  });

  it('passes on a type that nobody here can decode, and says what to install', async () => {
    const us = await node('edge');
    const spec: TopicSpec = { topic: '/grip', type: 'acme_msgs/msg/Grip', qos: DEFAULT_QOS };
    const { samples } = await source(us, [spec]);
    const put = await foreign(spec, 'RIHS01_abc');
    await put(1, Uint8Array.of(0, 1, 0, 0, 42));
    await until(() => samples.length === 1, 'the message');
    expect(samples[0]).toMatchObject({ type: spec.type, bytes: Uint8Array.of(0, 1, 0, 0, 42) });
    expect(us.reports.join('\n')).toMatch(/acme_msgs\/msg\/Grip \(RIHS01_abc\) has no definition.*Install/);
    // Publishers that only send what somebody asked for (image_transport) see us by the hash they told.
    await until(() => us.session.graph.now().topics[0]?.subscribers.length === 1, 'our token');
    expect(us.session.graph.now().topics[0]).toMatchObject({
      subscribers: [{ node: '/edge', typeHash: 'RIHS01_abc' }],
    });
  });

  it('tells of another definition, another type, and quality of service that DDS would refuse', async () => {
    const us = await node('edge');
    await source(us, [COUNT, TEXT, { topic: '/scan', type: 'std_msgs/msg/Int8', qos: DEFAULT_QOS }]);
    await foreign(COUNT, 'RIHS01_other');
    await foreign({ ...TEXT, type: 'std_msgs/msg/Int32' }, 'RIHS01_x');
    await foreign(
      { topic: '/scan', type: 'std_msgs/msg/Int8', qos: SENSOR_QOS },
      new TypeBook().hash('std_msgs/msg/Int8'),
      '2::,5:,:,:,,',
    );
    await until(() => us.reports.length === 3, 'three reports');
    const told = us.reports.sort().join('\n');
    expect(told).toMatch(
      /\/count: \/base\/other publishes another definition .*RIHS01_other.*ros\.definitions/,
    );
    expect(told).toMatch(/\/text: .*publishes std_msgs\/msg\/Int32, and not std_msgs\/msg\/String/);
    expect(told).toMatch(/\/scan: .*reliability: offered best_effort, requested reliable/);
  });

  it('reads and writes what a distribution without type hashes (Humble) does', async () => {
    const us = await node('edge');
    const { samples } = await source(us, [COUNT]);
    const put = await foreign(COUNT, NO_TYPE_HASH);
    await until(() => us.session.strangers() > 0, 'the other node');
    await until(() => {
      void put(1, number(7));
      return samples.length > 0;
    }, 'a message from Humble');
    const heard: Uint8Array[] = [];
    const humble = space();
    ends.push(() => humble.close());
    await humble.subscribe(dataKey(0, '/text', TEXT.type, NO_TYPE_HASH), (values) =>
      heard.push(...values.map(({ payload }) => payload)),
    );
    const out = await writer(us, TEXT);
    const end = { name: '/text', type: TEXT.type, hash: NO_TYPE_HASH, qos: '::,10:,:,:,,' };
    await humble.liveliness(
      tokenOf({
        domain: 0,
        zid: humble.id(),
        nodeId: '0',
        entityId: '1',
        kind: 'MS',
        enclave: '',
        namespace: '/',
        node: 'humble',
        end,
      }),
    );
    await until(() => out.listeners === 1, 'the subscription of Humble');
    await until(
      () => out.offer(encodeAny(TEXT.type, { data: 'hi' })) && heard.length > 0,
      'our message there',
    );
  });

  it('gives late readers what a latched topic holds', async () => {
    const [us, robot] = [await node('edge'), await node('robot')];
    const spec = { ...TEXT, topic: '/map_name', qos: LATCHED_QOS };
    const out = await writer(robot, spec);
    for (const data of ['old', 'new']) out.offer(encodeAny(TEXT.type, { data }));
    const { samples } = await source(us, [spec, { ...spec, topic: '/other' }]);
    await until(() => samples.length === 1, 'the latched message');
    expect(decodeAny(TEXT.type, samples[0]!.bytes)).toEqual({ data: 'new' });
  });

  it('discovers topics as they come, once each, where it may', async () => {
    const [us, robot] = [await node('edge'), await node('robot')];
    const { samples } = await source(us, [], (topic) => topic !== '/text');
    const [count, text] = [await writer(robot, COUNT), await writer(robot, TEXT)];
    await until(() => {
      count.offer(number(1));
      text.offer(encodeAny(TEXT.type, { data: 'no' }));
      return samples.length > 3;
    }, 'the discovered topic');
    expect(new Set(samples.map(({ topic }) => topic))).toEqual(new Set(['/count']));
    expect(us.session.graph.now().topics.find(({ topic }) => topic === '/count')?.subscribers).toHaveLength(
      1,
    );
  });

  it('lets go of a discovered topic that nobody publishes any more, and keeps what it lost', async () => {
    const us = await node('edge');
    // Somebody else stays: a graph without anybody is a link that broke, and releases nothing.
    await node('robot');
    const released: string[] = [];
    const samples: Sample[] = [];
    const from = new RosZenohSource(us.session, {
      discover: () => true,
      onReleased: (topics) => released.push(...topics),
      releaseAfterMs: 50,
    });
    ends.push(() => from.close());
    await from.open(
      [TEXT],
      (sample) => samples.push(sample),
      () => {},
    );
    const readers = () =>
      us.session.graph.now().topics.flatMap(({ topic, subscribers }) => subscribers.map(() => topic));
    for (const life of [1, 2]) {
      const put = await foreign(COUNT, new TypeBook().hash(COUNT.type));
      await until(() => readers().includes('/count'), 'the topic to be read');
      await put(1, number(1));
      await put(3, number(3));
      await until(() => samples.length === 2 * life, 'what was sent');
      await put.gone();
      await until(() => released.length === life, 'the topic to be let go of');
      await until(() => !readers().includes('/count'), 'its subscription to leave the graph');
      expect(from.state().lost).toEqual({ '/count': life });
    }
    expect(released).toEqual(['/count', '/count']);
    expect(readers()).toEqual(['/text']);
    expect(us.reports).toEqual([]);
  });

  it('stops the robot when commands stay away, and at the end', async () => {
    const [us, base] = [await node('edge'), await node('base')];
    const speeds: number[] = [];
    const reader = new TopicReader(base.session, CMD_VEL, ({ bytes }) =>
      speeds.push((decodeAny(CMD_VEL.type, bytes)['linear'] as { x: number }).x),
    );
    await reader.open();
    ends.push(() => reader.close());
    const sink = new RosZenohSink(us.session);
    await sink.advertise(CMD_VEL);
    await until(() => speeds.at(-1) === 0, 'the stop that every start owes');
    const drive = () => sink.offer(sampleOf(CMD_VEL, twist(0.5)));
    await until(() => drive() && speeds.at(-1) === 0.5, 'the robot to drive');
    await until(() => speeds.at(-1) === 0, 'the stop after the last command');
    expect(us.reports.join('\n')).toMatch(/\/cmd_vel: command expired, stopped/);
    await until(() => drive() && speeds.at(-1) === 0.5, 'the robot to drive again');
    await sink.close();
    await until(() => speeds.at(-1) === 0, 'the stop at the end');
  });

  it('stops joints that are driven by velocity as it does a base, and sends nothing to those driven by position', async () => {
    const [us, arm] = [await node('edge'), await node('arm')];
    const [speeds, positions]: [number[][], number[][]] = [[], []];
    const at = (topic: string): TopicSpec => ({ topic, type: FLOAT64_MULTI_ARRAY, qos: DEFAULT_QOS });
    const [velocity, position] = [{ ...at('/velocity'), speeds: 2 }, at('/position')];
    for (const [spec, heard] of [
      [velocity, speeds],
      [position, positions],
    ] as const) {
      const reader = new TopicReader(arm.session, spec, ({ bytes }) =>
        heard.push([...decodeFloat64MultiArray(bytes)]),
      );
      await reader.open();
      ends.push(() => reader.close());
    }
    const sink = new RosZenohSink(us.session);
    await sink.advertise(position);
    await sink.advertise(velocity);
    await until(() => `${speeds.at(-1)}` === '0,0', 'the stop that every start owes');
    const move = (spec: TopicSpec) =>
      sink.offer(sampleOf(spec, encodeFloat64MultiArray(Float64Array.of(0.5, 0))));
    await until(() => move(position) && positions.length > 0, 'a position');
    await until(() => move(velocity) && `${speeds.at(-1)}` === '0.5,0', 'the joints to move');
    await until(() => `${speeds.at(-1)}` === '0,0', 'the stop after the last command');
    expect(us.reports.join('\n')).toMatch(/\/velocity: command expired, stopped/);
    await until(() => move(velocity) && `${speeds.at(-1)}` === '0.5,0', 'the joints to move again');
    await sink.close();
    await until(() => `${speeds.at(-1)}` === '0,0', 'the stop at the end');
    expect(new Set(positions.map((values) => `${values}`))).toEqual(new Set(['0.5,0']));
  });

  it('does not publish a type without definition, and says so', async () => {
    const us = await node('edge');
    const sink = new RosZenohSink(us.session);
    ends.push(() => sink.close());
    await expect(
      sink.advertise({ topic: '/a', type: 'acme_msgs/msg/Grip', qos: DEFAULT_QOS }),
    ).rejects.toMatchObject({ code: 'sample.unknown_type', hint: expect.stringContaining('acme-msgs') });
  });
});
