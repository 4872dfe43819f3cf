import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost, RosSink, RosSource, type RosSourceOptions } from '../../adapters/ros/index.ts';
import type { RosOptions } from '../../adapters/ros/options.ts';
import type { QosEvent } from '../../adapters/ros/wire.ts';
import { DEFAULT_QOS, type EdgeError, pause, type Sample, type TopicSpec } from '../../contract/index.ts';
import { decodeAny } from '../../formats/ros2/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { withoutPackage } from '../support/poor-ros.ts';

const clock = new SystemClock();
const MARKER = 'visualization_msgs/msg/Marker';
const STRING = 'std_msgs/msg/String';

let env: RosEnv;
/** A ROS installation that has everything but visualization_msgs, by links. */
let poor: RosEnv;
let folder: string;
beforeAll(() => {
  env = rosEnvironment();
  folder = mkdtempSync(join(tmpdir(), 'auraison-ros-'));
  poor = withoutPackage(env, folder, 'visualization_msgs');
}, 15 * 60_000);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function peer(...args: string[]): PythonPeer {
  const started = new PythonPeer(env, 'ros_api.py', args);
  closing.push(() => started.close());
  return started;
}

async function open(topics: readonly TopicSpec[], options: RosSourceOptions, host: RosOptions = {}) {
  const faults: EdgeError[] = [];
  const told: TopicSpec[] = [];
  const events: QosEvent[] = [];
  const said: string[] = [];
  const ros = new RosHost(
    {
      env,
      node: 'edge',
      onQosEvent: (event) => events.push(event),
      report: (_, text) => said.push(text),
      ...host,
    },
    clock,
  );
  const source = new RosSource(ros, {
    onFault: (error) => faults.push(error),
    onTopics: (found) => told.push(...found),
    ...options,
  });
  closing.push(() => source.close());
  const samples: Sample[] = [];
  await source.open(
    topics,
    (sample) => samples.push(sample),
    () => {},
  );
  const of = (topic: string) => samples.filter((sample) => sample.topic === topic);
  return { ros, source, samples, of, faults, told, events, said };
}

async function until(fits: () => boolean, what: () => string, ms = 60_000): Promise<void> {
  const deadline = clock.monotonicMs() + ms;
  while (!fits()) {
    expect(clock.monotonicMs(), what()).toBeLessThan(deadline);
    await pause(clock, 50);
  }
}

describe('discovery at run time', () => {
  it('bridges what is allowed as it appears, as its publishers offer it', { timeout: 120_000 }, async () => {
    const robot = await open([], { discover: ['/found/**'], deny: ['/found/secret'] });
    peer('publish', '/found/reliable', STRING, '--node', 'one', '--latched', '--count', '3', '--hz', '5');
    peer('publish', '/found/mixed', STRING, '--node', 'two', '--best-effort', '--hz', '10', '--count', '600');
    peer('publish', '/found/secret', STRING, '--node', 'three', '--latched', '--hz', '10', '--count', '600');
    peer('publish', '/elsewhere', STRING, '--node', 'four', '--latched', '--hz', '10', '--count', '600');
    await until(
      () => robot.of('/found/reliable').length === 3 && robot.of('/found/mixed').length > 3,
      () => JSON.stringify(robot.told),
    );
    const qosOf = (topic: string) => robot.told.filter((spec) => spec.topic === topic).at(-1)?.qos;
    expect(qosOf('/found/reliable')).toMatchObject({
      reliability: 'reliable',
      durability: 'transient_local',
    });
    expect(qosOf('/found/mixed')).toMatchObject({ reliability: 'best_effort', durability: 'volatile' });
    // A publisher that is not latched joins: what asked for history before would not hear it.
    peer('publish', '/found/reliable', STRING, '--node', 'five', '--hz', '10', '--count', '600');
    await until(
      () => qosOf('/found/reliable')?.durability === 'volatile' && robot.of('/found/reliable').length > 10,
      () => JSON.stringify(robot.told),
    );
    const graph = await robot.ros.api.graph.snapshot();
    expect(graph.topics.map(({ topic }) => topic)).toEqual(
      expect.arrayContaining(['/found/secret', '/elsewhere']),
    );
    expect(new Set(robot.samples.map(({ topic }) => topic))).toEqual(
      new Set(['/found/reliable', '/found/mixed']),
    );
  });

  it('lets go of what nobody publishes any more, and bridges it again when it comes back', {
    timeout: 120_000,
  }, async () => {
    const released: string[] = [];
    const robot = await open([], {
      discover: ['/found/**'],
      releaseAfterMs: 1_500,
      onReleased: (topics) => released.push(...topics),
    });
    const heard = async (topic: string, more: number) => {
      const before = robot.of(topic).length;
      await until(
        () => robot.of(topic).length >= before + more,
        () => JSON.stringify(robot.told),
      );
    };
    const subscribers = async (topic: string) => {
      const { topics } = await robot.ros.api.graph.snapshot();
      return topics.find((found) => found.topic === topic)?.subscribers.length ?? 0;
    };
    const talk = (topic: string, node: string) =>
      peer('publish', topic, STRING, '--node', node, '--hz', '10', '--count', '2000');
    const gone = talk('/found/gone', 'short');
    talk('/found/stays', 'long');
    await heard('/found/gone', 3);
    expect(await subscribers('/found/gone')).toBe(1);
    await gone.close();
    await until(
      () => released.length > 0,
      () => 'the topic is not released',
    );
    expect([released, robot.source.topics().map(({ topic }) => topic)]).toEqual([
      ['/found/gone'],
      ['/found/stays'],
    ]);
    expect(await subscribers('/found/gone')).toBe(0);
    const sums = robot.source.state().lost;
    talk('/found/gone', 'again');
    await heard('/found/gone', 3);
    await heard('/found/stays', 3);
    expect(released).toEqual(['/found/gone']);
    for (const [topic, lost] of Object.entries(sums)) {
      if (lost > 0) expect(robot.source.state().lost[topic], topic).toBeGreaterThanOrEqual(lost);
    }
  });

  it('a type whose package is not installed is told, and its bytes come all the same', {
    timeout: 120_000,
  }, async () => {
    const known: TopicSpec = { topic: '/plain', type: STRING, qos: DEFAULT_QOS };
    const configured: TopicSpec = { topic: '/configured', type: MARKER, qos: DEFAULT_QOS };
    const robot = await open([configured, known], { discover: ['/markers'] }, { env: poor });
    expect(robot.faults).toHaveLength(1);
    expect(robot.faults[0]).toMatchObject({
      code: 'sample.unknown_type',
      subject: MARKER,
      hint: expect.stringContaining('ros-jazzy-visualization-msgs'),
    });
    const markers = peer('publish', '/markers', MARKER, '--node', 'found', '--count', '20');
    const other = peer('publish', '/configured', MARKER, '--node', 'told', '--count', '20');
    peer('publish', '/plain', STRING, '--node', 'plain', '--count', '20');
    for (const [publisher, topic] of [
      [markers, '/markers'],
      [other, '/configured'],
    ] as const) {
      const { sha256 } = await publisher.line<{ sent: number; sha256: string }>(
        (line) => line.sent === 20,
        60_000,
      );
      await until(
        () => robot.of(topic).length >= 20,
        () => `${topic}: ${robot.of(topic).length}; ${robot.said.join('\n')}`,
      );
      const hash = createHash('sha256');
      for (const [i, { type, bytes }] of robot.of(topic).entries()) {
        const { bytes: size } = publisher.lines[i] as { bytes: number };
        expect(type).toBe(MARKER);
        // On the wire a message is filled up to four bytes.
        expect(bytes.length - size).toBeLessThan(4);
        hash.update(bytes.subarray(0, size));
      }
      expect(hash.digest('hex')).toBe(sha256);
    }
    await until(
      () => robot.of('/plain').length === 20,
      () => robot.said.join('\n'),
    );
    // The publisher told the definition: it is recorded, and the header stamp is known.
    const definition = robot.ros.definitionOf(MARKER)!;
    const last = robot.of('/markers').at(-1)!;
    expect(decodeAny(MARKER, last.bytes, definition)).toMatchObject({ text: 'number 19 äöü' });
    expect(last.stamp).toBe(1_019_000_000_000n);

    // The ROS host dies: what was taken unread is taken again.
    process.kill(robot.ros.pid!, 'SIGKILL');
    await until(
      () => robot.source.state().connected && robot.ros.restarts > 0,
      () => robot.said.join('\n'),
    );
    const before = robot.of('/markers').length;
    peer('publish', '/markers', MARKER, '--node', 'again', '--count', '20');
    await until(
      () => robot.of('/markers').length >= before + 20,
      () => robot.said.join('\n'),
    );
  });

  it('without a compiler the rest goes on, and what is missing is said', { timeout: 120_000 }, async () => {
    const bare = { ...poor, CC: '/nowhere/cc', AURAISON_CACHE: join(folder, 'empty') };
    const configured: TopicSpec = { topic: '/configured', type: MARKER, qos: DEFAULT_QOS };
    const known: TopicSpec = { topic: '/plain', type: STRING, qos: { ...DEFAULT_QOS, deadlineMs: 500 } };
    const robot = await open([configured, known], {}, { env: bare });
    expect(robot.faults[0]?.message).toContain('install a C compiler');
    expect(robot.said.join('\n')).toContain('/plain: deadline, lifespan and lease are not applied');
    peer('publish', '/configured', MARKER, '--node', 'told', '--latched', '--count', '5');
    peer('publish', '/plain', STRING, '--node', 'plain', '--count', '20');
    await until(
      () => robot.of('/plain').length === 20,
      () => robot.said.join('\n'),
    );
    expect(robot.of('/configured')).toHaveLength(0);
    rmSync(join(folder, 'empty'), { recursive: true, force: true });
  });
});

describe('quality of service', () => {
  it('that does not fit names both sides and the fix, in both directions', { timeout: 120_000 }, async () => {
    const robot = await open(
      [
        {
          topic: '/wish',
          type: STRING,
          qos: { ...DEFAULT_QOS, durability: 'transient_local', deadlineMs: 200 },
        },
      ],
      {},
    );
    const sink = new RosSink(robot.ros);
    closing.push(() => sink.close());
    await sink.advertise({
      topic: '/offer',
      type: STRING,
      qos: { ...DEFAULT_QOS, reliability: 'best_effort' },
    });
    peer('publish', '/wish', STRING, '--node', 'talker', '--best-effort', '--hz', '5', '--count', '600');
    peer('listen', '/offer', STRING, '--node', 'listener');
    const of = (topic: string) =>
      robot.events.find(
        (event) => event.topic === topic && event.kind === 'incompatible' && event.others.length > 0,
      );
    await until(
      () => of('/wish') !== undefined && of('/offer') !== undefined,
      () => JSON.stringify(robot.events),
    );
    expect(of('/wish')).toMatchObject({ direction: 'in', others: [{ node: '/talker' }] });
    expect(of('/wish')!.message).toContain('this node asks for reliable, transient_local, deadline 200 ms');
    expect(of('/wish')!.message).toContain('/talker offers best_effort, volatile');
    expect(of('/wish')!.hint).toContain(
      'set reliability of /wish in [[ros.topics]] to what is offered (best_effort)',
    );
    expect(of('/wish')!.hint).toContain('set durability');
    expect(of('/wish')!.hint).toContain('set deadline');
    expect(of('/offer')).toMatchObject({ direction: 'out', others: [{ node: '/listener' }] });
    expect(of('/offer')!.message).toContain('this node offers best_effort, volatile');
    expect(robot.ros.qosEvents.get('/wish in incompatible')!.count).toBeGreaterThan(0);
    expect(robot.of('/wish')).toHaveLength(0);
  });

  it('deadline, lifespan, liveliness and lease are applied and seen by others', {
    timeout: 120_000,
  }, async () => {
    const all = { deadlineMs: 400, liveliness: 'manual_by_topic', livelinessLeaseMs: 900 } as const;
    const robot = await open([{ topic: '/beat', type: STRING, qos: { ...DEFAULT_QOS, ...all } }], {});
    const sink = new RosSink(robot.ros);
    closing.push(() => sink.close());
    await sink.advertise({
      topic: '/life',
      type: STRING,
      qos: { ...DEFAULT_QOS, lifespanMs: 1_500, ...all },
    });
    const publisher = ['--deadline', '400', '--lease', '900', '--hz', '10', '--count', '20'];
    peer('publish', '/beat', STRING, '--node', 'heart', ...publisher);
    await until(
      () => robot.of('/beat').length === 20,
      () => JSON.stringify(robot.events),
    );
    // It stops: its promises are missed, and that is counted.
    await until(
      () => robot.ros.qosEvents.has('/beat in deadline') && robot.ros.qosEvents.has('/beat in liveliness'),
      () => JSON.stringify(robot.events),
    );
    const watcher = await open([], {}, { node: 'watcher' });
    await watcher.ros.start(watcher);
    closing.push(() => watcher.ros.release(watcher));
    const seen = async () =>
      (await watcher.ros.api.graph.snapshot()).topics.find(({ topic }) => topic === '/life')?.publishers[0]
        ?.qos;
    let qos = await seen();
    for (let i = 0; i < 200 && !qos; i++, qos = await seen()) await pause(clock, 50);
    expect(qos).toMatchObject({ lifespanMs: 1_500, ...all });
    // A publisher that is no longer needed leaves the graph, and may come back.
    await sink.withdraw('/life');
    for (let i = 0; i < 200 && qos; i++, qos = await seen()) await pause(clock, 50);
    expect(qos).toBeUndefined();
    await sink.advertise({ topic: '/life', type: STRING, qos: DEFAULT_QOS });
    for (let i = 0; i < 200 && !qos; i++, qos = await seen()) await pause(clock, 50);
    expect(qos).toBeDefined();
  });
});

it('use_sim_time: samples are received by the time on /clock', { timeout: 120_000 }, async () => {
  const topics = [{ topic: '/plain', type: STRING, qos: DEFAULT_QOS }];
  const robot = await open(topics, {}, { useSimTime: true });
  peer('publish', '/plain', STRING, '--node', 'plain', '--count', '2000', '--hz', '20');
  await until(
    () => robot.said.some((line) => line.includes('no message on /clock yet')),
    () => robot.said.join('\n'),
  );
  const time = peer(
    'publish',
    '/clock',
    'rosgraph_msgs/msg/Clock',
    '--node',
    'time',
    '--hz',
    '20',
    '--count',
    '2000',
  );
  const simulated = () => robot.of('/plain').filter(({ received }) => received < 10_000_000_000_000n);
  await until(
    () => simulated().length > 5,
    () => robot.said.join('\n'),
  );
  const { sent } = await time.line<{ sent: number }>(() => true, 10_000, time.lines.length - 1);
  for (const { received, stamp } of simulated()) {
    expect(received).toBeGreaterThanOrEqual(500_000_000_000n);
    expect(received).toBeLessThanOrEqual(BigInt(500 + sent + 5) * 1_000_000_000n);
    expect(stamp).toBe(received);
  }
});
