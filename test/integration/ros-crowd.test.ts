import { afterEach, beforeAll, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { RosHost, RosSource } from '../../adapters/ros/index.ts';
import { DEFAULT_QOS } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { say } from '../support/say.ts';
import { until } from '../support/until.ts';

/** Discovery with Fast DDS when a whole robot starts at once: twelve rclpy processes and our host. */
const PEERS = 12;
const WAIT_MS = 180_000;

let env: RosEnv;
beforeAll(() => {
  env = rosEnvironment();
}, 15 * 60_000);

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()));
});

/** As the daemon does: on a machine that twelve others hold, the host may be late and is started again. */
async function openPatiently(onName: (name: string) => void): Promise<void> {
  const end = performance.now() + WAIT_MS;
  for (;;) {
    const source = new RosSource(new RosHost({ env }, new SystemClock()));
    try {
      await source.open(
        [{ topic: '/crowd', type: 'std_msgs/msg/String', qos: { ...DEFAULT_QOS, depth: 50 } }],
        // CDR: four bytes of header, the length, the characters and a zero.
        ({ bytes }) => onName(new TextDecoder().decode(bytes.subarray(8)).replace(/\0+$/, '')),
        () => {},
      );
      closing.push(() => source.close());
      return;
    } catch (error) {
      await source.close();
      if (performance.now() > end) throw error;
    }
  }
}

it('13 participants started at once all hear each other', async () => {
  const heard = new Set<string>();
  const names = Array.from({ length: PEERS }, (_, i) => `crowd_${i}`).sort();
  const start = performance.now();
  const opening = openPatiently((name) => heard.add(name));
  const peers = names.map((name) => new PythonPeer(env, 'ros_crowd.py', [name, String(PEERS)]));
  closing.push(...peers.map((peer) => () => peer.close()));
  await opening;
  const complete = await Promise.all(
    peers.map((peer) => peer.line<{ heard?: string[]; seconds: number }>((line) => 'heard' in line, WAIT_MS)),
  );
  await until(() => heard.size >= PEERS, 'our host to hear all', WAIT_MS);
  expect(complete.map((line) => line.heard)).toEqual(names.map(() => names));
  expect([...heard].sort()).toEqual(names);
  const seconds = complete.map((line) => line.seconds).sort((a, b) => a - b);
  say(
    `13 ROS participants started at once: all met after ${((performance.now() - start) / 1000).toFixed(1)} s; ` +
      `each heard all ${seconds[0]} to ${seconds.at(-1)} s after its import of rclpy\n`,
  );
});
