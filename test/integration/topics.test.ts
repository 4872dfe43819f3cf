import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { BagWriter } from '../../adapters/rosbag/index.ts';
import { encodeAny } from '../../formats/ros2/index.ts';
import { auraisonAsync, freshDir, type TestDaemon, testDaemon, until } from '../support/daemon.ts';

/** Topics by API and command line of a whole daemon: read, measured, plotted, published, of any type. */
const LAMP = 'acme_msgs/msg/Lamp';
const LAMP_TEXT = 'bool on\nfloat64[] levels\nint64 serial';
const directory = freshDir('topics');
let daemon: TestDaemon;
let recording: string;
const cli = (...args: string[]) => auraisonAsync([...args, '--data-dir', daemon.dataDir]);

beforeAll(async () => {
  recording = await recordLamp(join(directory.path, 'lamp.mcap'));
  daemon = await testDaemon(join(directory.path, 'data'), {
    ...{ AURAISON_SIM_PACE: 'realtime', AURAISON_SIM_SPEED: '1' },
    AURAISON_ROBOT_HARMLESS: '/note,/lamp',
  });
});
afterAll(async () => {
  await daemon?.stop();
  directory.remove();
});

/** A recording of a type that no package of this host has: its definition is in the file. */
async function recordLamp(path: string): Promise<string> {
  const writer = await BagWriter.create({
    ...{ target: path, isFolder: false, storage: 'mcap', compression: 'zstd', chunkBytes: 100_000 },
  });
  const channel = {
    ...{ topic: '/lamp', type: LAMP, schemaEncoding: 'ros2msg', messageEncoding: 'cdr' },
    ...{ schemaData: new TextEncoder().encode(LAMP_TEXT), metadata: new Map() },
  };
  const value = { on: true, levels: [0.5, 1], serial: 9_007_199_254_740_993n };
  for (let i = 0; i < 600; i++) {
    const time = 1_700_000_000_000_000_000n + BigInt(i) * 100_000_000n;
    const bytes = encodeAny(LAMP, value, LAMP_TEXT);
    await writer.write({ channel, sequence: i, logTime: time, publishTime: time, bytes });
  }
  await writer.finish();
  return path;
}

it('lists topics, shows messages and fields, measures rates and plots a number', async () => {
  await until(async () => {
    const listed = await cli('topics', 'list', '--json');
    const { topics } = JSON.parse(listed.stdout) as { topics: { topic: string; hz: number }[] };
    return topics.some(({ topic, hz }) => topic === '/odom' && hz > 1);
  }, 'the list has /odom with its rate');
  const text = (await cli('topics', 'list')).stdout;
  expect(text).toMatch(/\/tf_static +tf2_msgs\/msg\/TFMessage .*latched/);
  const [echo, field, hz, plot, none] = await Promise.all([
    cli('topics', 'echo', '/odom', '--count', '1', '--json'),
    cli('topics', 'echo', '/odom', '--field', 'pose.pose.position', '--count', '2', '--json'),
    cli('topics', 'hz', '/odom', '--count', '20', '--json'),
    cli('plot', '/odom.twist.twist.linear.x', '--count', '5', '--json'),
    cli('topics', 'echo', '/nothing', '--seconds', '0.5'),
  ]);
  expect(JSON.parse(echo.stdout)).toMatchObject({
    header: { frame_id: 'odom' },
    child_frame_id: expect.any(String),
  });
  const positions = field.stdout.trim().split('\n');
  expect(positions).toHaveLength(2);
  expect(JSON.parse(positions[0]!)).toEqual({ x: expect.any(Number), y: expect.any(Number), z: 0 });
  expect(JSON.parse(hz.stdout)).toMatchObject({ messages: 20, hz: expect.any(Number) });
  expect(JSON.parse(plot.stdout)).toEqual({
    field: '/odom.twist.twist.linear.x',
    values: Array.from({ length: 5 }, () => expect.any(Number)),
  });
  expect([none.status, none.stderr]).toEqual([1, expect.stringContaining('no message of /nothing came')]);
  // A latched topic comes to a late subscriber.
  const latched = await cli('topics', 'echo', '/tf_static', '--count', '1', '--json');
  expect(JSON.parse(latched.stdout)).toHaveProperty('transforms');
});

it('waits for the next message over HTTP, and answers null where none comes', async () => {
  type Answer = { sample: null | { received_ns: string; type: string; message: Record<string, unknown> } };
  const read = (query: string) => daemon.api.get<Answer>(`/v1/topics/message?${query}`);
  const first = (await read('topic=/odom')).sample!;
  const next = (await read(`topic=/odom&after_ns=${first.received_ns}`)).sample!;
  expect(BigInt(next.received_ns)).toBeGreaterThan(BigInt(first.received_ns));
  expect(next).toMatchObject({ type: 'nav_msgs/msg/Odometry', message: { header: { frame_id: 'odom' } } });
  expect(await read(`topic=/odom&after_ns=${2n ** 62n}&wait_ms=50`)).toEqual({ sample: null });
  await expect(read('topic=/nothing')).rejects.toMatchObject({ message: 'unknown topic /nothing' });
});

it('shows a type that is not installed, by the definition of the recording that is played', async () => {
  const play = await daemon.api.post<{ play_id: string }>('/v1/plays', {
    ...{ path: recording, to: 'bus', rate: 1 },
  });
  const shown = await cli('topics', 'echo', '/lamp', '--count', '1', '--json');
  expect(JSON.parse(shown.stdout)).toEqual({ on: true, levels: [0.5, 1], serial: '9007199254740993' });
  await daemon.api.post(`/v1/plays/${play.play_id}/stop`, {});
  // The definition is known from then on.
  const lamp = { topic: '/lamp', type: LAMP, message: { on: false, serial: '7' } };
  await expect(daemon.api.post('/v1/topics/publish', lamp)).rejects.toMatchObject({
    message: expect.stringContaining('/serial: must be int64, found string'),
  });
});

it('refuses what may move the robot, and says what is wrong with a message', async () => {
  const publish = (...args: string[]) => cli('topics', 'publish', ...args);
  const file = join(directory.path, 'Other.msg');
  writeFileSync(file, 'bool bright');
  const [unknown, other, wrong, moving, given, robot] = await Promise.all([
    publish('/lights', 'acme_msgs/msg/Other', '{"bright": true}'),
    publish('/lamp', 'acme_msgs/msg/Other', '{"bright": true}'),
    publish('/note', 'std_msgs/msg/String', '{"text": "hello"}'),
    publish('/cmd_vel', 'geometry_msgs/msg/Twist', '{"linear": {"x": 0.3}}'),
    publish('/lights', 'acme_msgs/msg/Other', '{"bright": true}', '--definition', file),
    publish('/note', 'std_msgs/msg/String', '{"data": "hello"}'),
  ]);
  const said = [unknown, other, wrong, moving, given, robot].map(({ status, stderr }) => [status, stderr]);
  expect(said).toEqual([
    [1, expect.stringContaining('acme_msgs/msg/Other')],
    [1, expect.stringContaining(`/lamp has messages of ${LAMP}, not of acme_msgs/msg/Other`)],
    [1, expect.stringContaining('/text: no such field')],
    [1, expect.stringContaining('/cmd_vel moves the robot, and this route holds no actuation lease')],
    [1, expect.stringContaining('robot.harmless')],
    // The simulated robot takes nothing but commands.
    [1, expect.stringContaining('the simulated robot obeys geometry_msgs/msg/Twist on /cmd_vel')],
  ]);
});
