import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost, RosSource } from '../../adapters/ros/index.ts';
import {
  DEFAULT_QOS,
  LATCHED_QOS,
  pause,
  type Sample,
  SENSOR_QOS,
  type TopicSpec,
} from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { RECORDED_MESSAGES, syntheticDb3 } from '../support/synthetic-recording.ts';

const clock = new SystemClock();
const INSTALL_MS = 15 * 60_000;

type Sent = Record<string, { type: string; count: number; sha256: string }>;
type Arrived = Map<string, { count: number; hash: ReturnType<typeof createHash>; samples: Sample[] }>;

/** As the recording was made: odometry best-effort, the rest reliable, descriptions latched. */
const TOPICS: readonly TopicSpec[] = [
  { topic: '/scan', type: 'sensor_msgs/msg/LaserScan', qos: DEFAULT_QOS },
  { topic: '/odom', type: 'nav_msgs/msg/Odometry', qos: { ...SENSOR_QOS, depth: 200 } },
  { topic: '/tf', type: 'tf2_msgs/msg/TFMessage', qos: DEFAULT_QOS },
  { topic: '/tf_static', type: 'tf2_msgs/msg/TFMessage', qos: { ...LATCHED_QOS, depth: 100 } },
  { topic: '/cmd_vel', type: 'geometry_msgs/msg/Twist', qos: DEFAULT_QOS },
  { topic: '/robot_description', type: 'std_msgs/msg/String', qos: LATCHED_QOS },
];

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, INSTALL_MS);

async function receive(topics: readonly TopicSpec[], publisherArgs: readonly string[]) {
  const host = new RosHost({ env }, clock);
  const source = new RosSource(host);
  const arrived: Arrived = new Map();
  await source.open(
    topics,
    (sample) => {
      const line = arrived.get(sample.topic) ?? { count: 0, hash: createHash('sha256'), samples: [] };
      arrived.set(sample.topic, line);
      line.count += 1;
      line.hash.update(sample.bytes);
      line.samples.push(sample);
    },
    () => {},
  );
  const publisher = new PythonPeer(env, 'ros_publish.py', [syntheticDb3(), ...publisherArgs]);
  const sent = await publisher.line<Sent>(() => true, 60_000);
  // The last samples may still be on their way; losses are told with the heartbeat.
  await pause(clock, 800);
  const { lost } = source.state();
  await publisher.close();
  await source.close();
  return { sent, arrived, lost };
}

describe('the recording published by rclpy over Fast DDS', () => {
  let result: Awaited<ReturnType<typeof receive>>;
  beforeAll(async () => {
    result = await receive(TOPICS, ['--speed', '10', '--reliability', 'reliable']);
  }, 90_000);

  it('arrives complete, byte by byte and in order', () => {
    const { sent, arrived, lost } = result;
    expect(Object.values(sent).reduce((sum, { count }) => sum + count, 0)).toBe(RECORDED_MESSAGES);
    for (const [topic, { count, sha256 }] of Object.entries(sent)) {
      expect({ topic, count: arrived.get(topic)?.count }).toEqual({ topic, count });
      expect({ topic, sha256: arrived.get(topic)?.hash.digest('hex') }).toEqual({ topic, sha256 });
      expect({ topic, lost: lost[topic] }).toEqual({ topic, lost: 0 });
    }
  });

  it('is stamped by its headers, and by the time of receipt where there is none', () => {
    for (const sample of result.arrived.get('/scan')!.samples) {
      const view = new DataView(sample.bytes.buffer, sample.bytes.byteOffset);
      const header = BigInt(view.getInt32(4, true)) * 1_000_000_000n + BigInt(view.getUint32(8, true));
      expect(sample.stamp).toBe(header);
      expect(sample.received).toBeGreaterThan(sample.stamp);
    }
    for (const sample of result.arrived.get('/cmd_vel')!.samples) expect(sample.stamp).toBe(sample.received);
  });
});

it('counts what a best-effort topic loses', { timeout: 90_000 }, async () => {
  const { sent, arrived, lost } = await receive(TOPICS, ['--speed', '1000', '--reliability', 'recorded']);
  const odometry = sent['/odom']!.count;
  expect(arrived.get('/odom')!.count + lost['/odom']!).toBe(odometry);
});
