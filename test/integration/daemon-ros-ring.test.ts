import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import type { ClipInfo } from '../../contract/index.ts';
import { PythonPeer, type RosEnv, rosEnvironment } from '../peers/ros-peer.ts';
import { allEvents, auraison, freshDir, testDaemon, until } from '../support/daemon.ts';
import { withoutPackage } from '../support/poor-ros.ts';
import { foreignDecoded, foreignView, readersPython } from '../support/readers.ts';

/** A whole daemon with a ring, on a ROS that lacks a package which a node of the robot has. */
const TYPE = 'visualization_msgs/msg/ImageMarker';
const TOPIC = '/found/markers';
const COUNT = 20;

let env: RosEnv;
let directory: ReturnType<typeof freshDir>;
const closing: (() => Promise<unknown>)[] = [];
beforeAll(() => {
  env = rosEnvironment();
  readersPython();
}, 15 * 60_000);
beforeEach(() => {
  directory = freshDir('daemon-ros-ring');
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  directory.remove();
});

function peer(...args: string[]): PythonPeer {
  const opened = new PythonPeer(env, 'ros_api.py', args);
  closing.push(() => opened.close());
  return opened;
}

it('a type that is not installed is recorded and told; an rclpy client has a clip of it recorded', {
  timeout: 180_000,
}, async () => {
  const config = join(directory.path, 'robot.toml');
  writeFileSync(
    config,
    '[ros]\ndiscover = ["/found/**"]\n[recorder]\nmode = "ring"\nclip_pre = "10 min"\nclip_post = "100 ms"\nring_duration = "10 min"\n',
  );
  const publisher = peer('publish', TOPIC, TYPE, '--node', 'markers', '--count', `${COUNT}`);
  const presser = peer('trigger', '/record_clip');
  const daemon = await testDaemon(join(directory.path, 'data'), {
    ...withoutPackage(env, join(directory.path, 'ros'), 'visualization_msgs'),
    AURAISON_CONFIG: config,
    AURAISON_ROBOT_SOURCE: 'ros',
  });
  closing.push(() => daemon.stop());
  const { dataDir } = daemon;
  const json = <T>(...args: string[]): T => {
    const { status, stdout, stderr } = auraison([...args, '--json', '--data-dir', dataDir]);
    expect(`${args.join(' ')}: ${status} ${stderr}`).toBe(`${args.join(' ')}: 0 `);
    return JSON.parse(stdout) as T;
  };

  const sent = await publisher.line<{ sent: number; sha256: string }>((line) => line.sent === COUNT, 90_000);
  await until(async () => {
    const { recorder } = await daemon.status();
    const { ledger } = recorder as unknown as { ledger: { topic: string; written: number }[] };
    return ledger.some(({ topic, written }) => topic === TOPIC && written === COUNT);
  }, 'what was published is written');
  const told = (await allEvents(daemon.api)).flatMap(({ kind, payload }) =>
    kind === 'cell.degraded' ? [payload.error] : [],
  );
  const unknown = {
    code: 'sample.unknown_type',
    subject: TYPE,
    hint: expect.stringContaining('install ros-jazzy-visualization-msgs'),
  };
  expect(told).toContainEqual(expect.objectContaining(unknown));
  expect(daemon.log()).toContain('install ros-jazzy-visualization-msgs');

  // Every reader that checks the file finds the bytes, the name of the type and what the publisher said it is.
  const expectMarkers = async (path: string) => {
    const view = await foreignView('mcap', path);
    expect(view.topics[TOPIC]).toEqual({ count: COUNT, sha256: sent.sha256 });
    expect(view.schemas![TOPIC]).toMatchObject({
      type: TYPE,
      definition: expect.stringContaining('MSG: std_msgs/ColorRGBA'),
    });
    expect((await foreignDecoded(path))[`${TOPIC} ${TYPE}`]).toBe(COUNT);
    return view;
  };

  presser.child.stdin!.write('press\n');
  const answer = await presser.line<{ success?: boolean; message?: string }>(() => true, 90_000);
  expect(answer).toEqual({ success: true, message: expect.stringMatching(/^clip-.*-ros-/) });
  const pressed = await until(
    () =>
      json<ClipInfo[]>('clip', 'list').find(({ bag, state }) => bag === answer.message && state === 'whole'),
    'the clip is whole',
  );
  expect(pressed).toMatchObject({ trigger: 'ros', reason: '/record_clip' });
  const { topics } = await expectMarkers(join(dataDir, 'bags', pressed.bag));
  expect(pressed.messages).toBe(Object.values(topics).reduce((sum, { count }) => sum + count, 0));

  // The command line asks for one too, and has it whole when it is answered.
  const why = ['--pre', '300', '--post', '0', '--reason', 'it bumped into the door'];
  const asked = json<ClipInfo>('clip', 'record', ...why);
  expect(asked).toMatchObject({ state: 'whole', reason: 'it bumped into the door' });
  await expectMarkers(join(dataDir, asked.path!));
  expect(json<ClipInfo[]>('clip', 'list').map(({ bag }) => bag)).toEqual([pressed.bag, asked.bag]);

  // The segment of the ring, sealed: the quality of the clock that its samples are stamped by is in it.
  await until(
    async () =>
      (await allEvents(daemon.api)).some(
        ({ kind, payload }) => kind === 'clock.quality' && payload.subject === 'ros' && payload.stamps,
      ),
    'stamps have been looked at',
  );
  await daemon.api.post('/v1/recorder/seal');
  const { metadata } = await expectMarkers(join(dataDir, 'bags', 'ring'));
  const clock = metadata!.findLast(({ name }) => name === 'auraison.clock');
  expect(clock?.metadata).toMatchObject({
    subject: 'ros',
    source: expect.stringMatching(/^(system|ntp|ptp|gps|unknown)$/),
    synchronised: expect.stringMatching(/^(true|false)$/),
    // Their headers say 1970: half a century between stamp and receipt is told, too.
    stamp_median_ms: expect.stringMatching(/^\d+\.\d{3}$/),
  });
});
