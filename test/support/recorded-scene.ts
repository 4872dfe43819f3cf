import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { BagWriter, recordedMessages } from '../../adapters/rosbag/index.ts';
import { encodeAny, type RosValue, schemaFor } from '../../formats/ros2/index.ts';
import type { LiveRobot } from './live-robot.ts';
import { publishMoment, publishRoom } from './live-scene.ts';
import { sealedEvent, type TopicLake, topicLake } from './recorded-topics.ts';

/** Seconds since 1970 at which the recording starts, and how long it lasts. */
export const SCENE_START_S = 1_700_000_000;
export const SCENE_S = 20;
export const SCENE_BAG = 'room';
const STRING = 'std_msgs/msg/String';
const LATCHED = '- history: 1\n  depth: 1\n  reliability: 1\n  durability: 1';
/** Of its run. */
export const SCENE_RUN = '0190a000-0000-7000-8000-000000000900';

type Told = readonly [atS: number, kind: string, payload: Record<string, unknown>];
const CALL = { call_id: 'c1', tool: 'robot.navigate' };
const STORY: readonly Told[] = [
  [1, 'intent.accepted', { app: 'room', intent: { type: 'room/tidy' } }],
  [2, 'run.phase', { phase: 'navigate', reason: 'the shelf is <b>near</b>' }],
  [3, 'tool.called', { ...CALL, args: { x: 2, y: 1 } }],
  [9, 'tool.returned', { ...CALL, ok: true }],
  [10, 'policy.decided', { decision: 'allow', point: 'tool', subject: 'robot.navigate', reason: 'as usual' }],
  [11, 'policy.decided', { decision: 'deny', point: 'tool', subject: 'arm.move', reason: 'no arm at night' }],
  [12, 'tool.called', { call_id: 'c2', tool: 'robot.turn', args: {} }],
  [13, 'tool.returned', { call_id: 'c2', tool: 'robot.turn', ok: false, error: { message: 'wheel stuck' } }],
  [14, 'safety.stopped', { reason: 'bumper pressed', source: 'robot' }],
  [16, 'run.finished', { status: 'failed', reason: 'wheel stuck' }],
];

/** A recording of the room of `live-scene.ts` in a data directory, with what was decided, in compressed chunks. */
export async function recordScene(
  dataDir: string,
): Promise<{ readonly bytes: number; readonly path: string }> {
  const folder = join(dataDir, 'bags', SCENE_BAG);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${SCENE_BAG}_0.mcap`);
  const writer = await BagWriter.create({
    ...{ target: path, isFolder: false, storage: 'mcap', compression: 'zstd', chunkBytes: 200_000 },
  });
  let atS = 0;
  const messages: { topic: string; type: string; bytes: Uint8Array }[] = [];
  const robot = {
    declare: () => {},
    publish: (topic: string, type: string, value: RosValue) =>
      void messages.push({ topic, type, bytes: encodeAny(type, value) }),
  } as unknown as LiveRobot;
  let told = 0;
  for (let step = 0; step <= SCENE_S * 10; step++) {
    atS = step / 10;
    if (step === 0) publishRoom(robot);
    publishMoment(robot, step);
    if (step % 5 === 0) publishNoise(robot, step);
    for (; told < STORY.length && STORY[told]![0] <= atS; told++) {
      const [, kind, payload] = STORY[told]!;
      const event = { event_id: `e${told}`, run_id: SCENE_RUN, kind, payload };
      robot.publish('/auraison/events', STRING, { data: JSON.stringify(event) });
    }
    const time = BigInt(Math.round((SCENE_START_S + atS) * 1_000)) * 1_000_000n;
    for (const { topic, type, bytes } of messages.splice(0))
      await writer.write({
        channel: channelOf(topic, type),
        ...{ sequence: step, logTime: time, publishTime: time, bytes },
      });
  }
  await writer.finish();
  return { bytes: statSync(path).size, path };
}

/** An image that no compression makes smaller: most of the file. */
function publishNoise(robot: LiveRobot, step: number): void {
  const [width, height] = [160, 90];
  const data = new Uint8Array(width * height * 3);
  let state = step + 1;
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    data[i] = state >>> 24;
  }
  robot.publish('/front/image_raw', 'sensor_msgs/msg/Image', {
    header: { stamp: { sec: 0, nanosec: 0 }, frame_id: 'camera' },
    ...{ height, width, encoding: 'rgb8', is_bigendian: 0, step: width * 3, data },
  });
}

const channels = new Map<string, ReturnType<typeof makeChannel>>();
function channelOf(topic: string, type: string) {
  const known = channels.get(topic) ?? makeChannel(topic, type);
  channels.set(topic, known);
  return known;
}
function makeChannel(topic: string, type: string) {
  const isLatched = topic === '/map' || topic === '/keepout_filter_mask';
  return {
    ...{ topic, type, schemaEncoding: 'ros2msg', messageEncoding: 'cdr' },
    schemaData: new TextEncoder().encode(schemaFor(type)!.data),
    metadata: new Map(isLatched ? [['offered_qos_profiles', LATCHED]] : []),
  };
}

/** A lake that knows the recordings of this data directory. */
export async function lakeOf(dataDir: string, path: string): Promise<TopicLake> {
  const file = path.slice(dataDir.length + 1);
  const open = recordedMessages(dataDir);
  const messages = [];
  for await (const message of open(file, { onDamage: () => {} })) messages.push(message);
  const event = sealedEvent(file, messages);
  const bytes = readFileSync(path).length;
  return await topicLake(open, [{ ...event, payload: { ...event.payload, bytes } }]);
}
