import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost, RosSource } from '../../adapters/ros/index.ts';
import {
  DEFAULT_QOS,
  type EdgeError,
  pause,
  type Sample,
  SENSOR_QOS,
  type TopicSpec,
} from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';

const clock = new SystemClock();
const INSTALL_MS = 15 * 60_000;
const IMAGE: TopicSpec = { topic: '/image', type: 'sensor_msgs/msg/Image', qos: SENSOR_QOS };

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, INSTALL_MS);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function open(
  topics: readonly TopicSpec[],
  hostEnv: RosEnv,
  report: (message: string) => void = () => {},
) {
  const host = new RosHost({ env: hostEnv, report: (_, message) => report(message) }, clock);
  const source = new RosSource(host);
  closing.push(() => source.close());
  const samples: Sample[] = [];
  await source.open(
    topics,
    (sample) => samples.push(sample),
    () => {},
  );
  return { host, source, samples };
}

describe('what cannot be had is said', () => {
  const nothing = () => {};
  const refusal = (hostEnv: RosEnv, topics: readonly TopicSpec[] = []) =>
    new RosSource(new RosHost({ env: hostEnv }, clock)).open(topics, nothing, nothing);

  it('no ROS on the host', async () => {
    await expect(refusal({ AMENT_PREFIX_PATH: '' })).rejects.toMatchObject({
      code: 'ros.unavailable',
      message: 'no ROS 2 installation is sourced',
      hint: expect.stringContaining('setup.bash'),
      retryable: false,
    });
    await expect(refusal({ ...env, AMENT_PREFIX_PATH: join(tmpdir(), 'nowhere') })).rejects.toMatchObject({
      code: 'ros.unavailable',
      subject: join(tmpdir(), 'nowhere'),
    });
  });

  it('ROS, but no rclnodejs', async () => {
    const missing = join(tmpdir(), 'no-rclnodejs');
    await expect(refusal({ ...env, AURAISON_RCLNODEJS: missing })).rejects.toMatchObject({
      code: 'ros.unavailable',
      subject: missing,
      hint: expect.stringContaining('rclnodejs'),
    });
  });

  it('an addon that does not load, which is left as it is', async () => {
    const addon = join(env['AURAISON_RCLNODEJS']!, 'build/Release/rclnodejs.node');
    const before = readFileSync(addon).length;
    // Without the library path the addon finds no librcl; importing it all the same would delete the build.
    await expect(refusal({ ...env, LD_LIBRARY_PATH: tmpdir() })).rejects.toMatchObject({
      code: 'ros.unavailable',
      subject: addon,
      message: expect.stringContaining('librcl'),
      hint: expect.stringContaining('setup.bash'),
    });
    expect(readFileSync(addon).length).toBe(before);
  });

  it('a message type whose package is not installed', async () => {
    const type = 'nobody_msgs/msg/Costmap';
    const host = new RosHost({ env }, clock);
    const faults: EdgeError[] = [];
    const source = new RosSource(host, { onFault: (error) => faults.push(error) });
    closing.push(() => source.close());
    // One topic that cannot be read never keeps the others away: test/integration/ros-discovery.test.ts.
    await source.open([{ topic: '/costmap', type, qos: DEFAULT_QOS }], nothing, nothing);
    expect(faults).toMatchObject([
      { code: 'sample.unknown_type', subject: type, hint: expect.stringContaining('ros-jazzy-nobody-msgs') },
    ]);
  });

  it('a quality of service that no publisher offers', async () => {
    const said: string[] = [];
    const qos = { ...DEFAULT_QOS, durability: 'transient_local' as const };
    await open([{ ...IMAGE, qos }], env, (message) => said.push(message));
    const camera = new PythonPeer(env, 'ros_images.py', ['/image', '--count', '1']);
    closing.push(() => camera.close());
    const deadline = clock.monotonicMs() + 10_000;
    while (!said.some((line) => line.includes('/image: incompatible quality of service'))) {
      expect(clock.monotonicMs(), said.join('\n')).toBeLessThan(deadline);
      await pause(clock, 50);
    }
  });
});

describe('best-effort images of 0.9 MB', () => {
  /** Losses the middleware notices are told with the heartbeat of the host. */
  async function flood(cameraEnv: RosEnv, hz: number) {
    const { samples, source } = await open([IMAGE], env);
    const camera = new PythonPeer(cameraEnv, 'ros_images.py', ['/image', '--hz', String(hz)]);
    closing.push(() => camera.close());
    const { sent } = await camera.line<{ sent: number }>(() => true, 60_000);
    await pause(clock, 600);
    const lost = source.state().lost['/image']!;
    process.stderr.write(`ros: ${samples.length} of ${sent} images at ${hz} Hz arrived, ${lost} lost\n`);
    // A best-effort reader learns of a gap from the message after it: between its first and its last message
    // it knows all, of those outside it may know.
    const numbers = samples.map(({ stamp }) => Number(stamp / 1_000_000_000n));
    const span = numbers.at(-1)! - numbers[0]! + 1;
    expect(new Set(numbers).size).toBe(samples.length);
    expect(samples.length + lost).toBeGreaterThanOrEqual(span);
    expect(samples.length + lost).toBeLessThanOrEqual(sent);
    return { sent, span, arrived: samples.length, lost };
  }

  it('arrive with the profile we ship', async () => {
    const { sent, arrived } = await flood(env, 100);
    expect(arrived).toBeGreaterThan(sent * 0.9);
  });

  it('are lost without it, and each loss is counted', async () => {
    const { FASTRTPS_DEFAULT_PROFILES_FILE: _, ...bare } = env;
    const { sent, span, lost } = await flood(bare, 1_000);
    expect(span).toBeGreaterThan(sent * 0.7);
    expect(lost).toBeGreaterThan(0);
  });
});
