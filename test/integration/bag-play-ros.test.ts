import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBag } from '../../adapters/rosbag/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { auraisonAsync, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';
import { syntheticDb3 } from '../support/synthetic-recording.ts';

/** `auraison bag play --to ros` into a graph with a real rclpy node: what was recorded is what it hears. */
const directory = freshDir('bag-play-ros');
const INSTALL_MS = 15 * 60_000;
let env: RosEnv;
let daemon: TestDaemon;
let path: string;
/** What the bag holds, by topic. */
const bag = new Map<string, { type: string; count: number; sha256: string }>();

beforeAll(async () => {
  env = rosEnvironment();
  path = syntheticDb3();
  const hashes = new Map<string, ReturnType<typeof createHash>>();
  const opened = await openBag(path);
  for await (const { topic, type, bytes } of opened.messages()) {
    const hash = hashes.get(topic) ?? createHash('sha256');
    hashes.set(topic, hash.update(bytes));
    bag.set(topic, { type, count: (bag.get(topic)?.count ?? 0) + 1, sha256: '' });
  }
  await opened.close();
  for (const [topic, hash] of hashes) bag.set(topic, { ...bag.get(topic)!, sha256: hash.digest('hex') });
  daemon = await testDaemon(directory.path, {
    AURAISON_ROBOT_SOURCE: 'none',
    // Neither moves anything: a description of the robot, and what some recordings hold beside it.
    AURAISON_ROBOT_HARMLESS: '/robot_description,/rosout,/parameter_events',
    ...env,
  });
}, INSTALL_MS);

afterAll(async () => {
  await daemon?.stop();
  directory.remove();
});

type Heard = { topics: Record<string, { count: number; sha256: string }> };

/** Plays while rclpy listens to `topics` (by their names there); resolves when it heard as much as is wanted. */
async function played(
  topics: readonly string[],
  args: readonly string[],
  isEnough: (heard: Heard) => boolean,
) {
  const listener = new PythonPeer(env, 'ros_listen.py', topics);
  try {
    await listener.line<{ ready: true }>((line) => 'ready' in (line as object), 60_000);
    const run = auraisonAsync(
      // On a busy machine discovery takes its time.
      ['bag', 'play', path, '--to', 'ros', '--delay', '6', '--json', '--data-dir', directory.path, ...args],
      env,
    );
    const heard = () => listener.lines.findLast((line) => 'topics' in (line as object)) as Heard | undefined;
    const { status, stdout, stderr } = await run;
    expect(status, `${stdout}${stderr}`).toBe(0);
    await until(() => heard() && isEnough(heard()!), 'rclpy heard what was played', 20_000).catch(() => {});
    return { heard: heard()!.topics, state: JSON.parse(stdout) as { withheld: string[]; published: number } };
  } finally {
    await listener.close();
  }
}

describe('a recording played into ROS 2', () => {
  it('is heard by rclpy: every message, byte for byte, latched ones too, and no command to the robot', {
    timeout: 120_000,
  }, async () => {
    const wanted = ['/scan', '/tf', '/tf_static', '/robot_description'];
    const specs = wanted.map((topic) => {
      const durability = topic === '/tf_static' ? 'transient_local' : 'volatile';
      return `${topic}:${bag.get(topic)!.type}:reliable:${durability}`;
    });
    const command = `/cmd_vel:${bag.get('/cmd_vel')!.type}:reliable:volatile`;
    const clock = '/clock:rosgraph_msgs/msg/Clock:best_effort:volatile';
    const { heard, state } = await played(
      [...specs, command, clock],
      ['--rate', '10', '--clock', '50'],
      ({ topics }) => wanted.every((topic) => topics[topic]!.count >= bag.get(topic)!.count),
    );
    for (const topic of wanted) {
      const { count, sha256 } = bag.get(topic)!;
      expect({ topic, ...heard[topic] }).toEqual({ topic, count, sha256 });
    }
    expect(heard['/cmd_vel']!.count).toBe(0);
    expect(state.withheld).toEqual(['/cmd_vel']);
    expect(state.published).toBe(
      [...bag.values()].reduce((sum, { count }) => sum + count, 0) - bag.get('/cmd_vel')!.count,
    );
    expect(heard['/clock']!.count).toBeGreaterThan(50);
  });

  it('sends commands when they are allowed, under the name they are given', {
    timeout: 120_000,
  }, async () => {
    const { type, count, sha256 } = bag.get('/cmd_vel')!;
    const { heard, state } = await played(
      [`/replayed/cmd_vel:${type}:reliable:volatile`],
      ['--rate', '20', '--topics', '/cmd_vel', '--remap', '/cmd_vel:=/replayed/cmd_vel', '--allow-commands'],
      ({ topics }) => topics['/replayed/cmd_vel']!.count >= count,
    );
    expect(state).toMatchObject({ withheld: [], published: count });
    // The host guards velocity topics: it may add its stop at the end, and takes nothing away.
    expect(heard['/replayed/cmd_vel']!.count).toBeGreaterThanOrEqual(count);
    if (heard['/replayed/cmd_vel']!.count === count) expect(heard['/replayed/cmd_vel']!.sha256).toBe(sha256);
  });
});
