import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parse } from '@foxglove/rosmsg';
import { MessageWriter } from '@foxglove/rosmsg2-serialization';
import { LASER_SCAN, ODOMETRY, TF_MESSAGE, TWIST } from '../../formats/cdr/index.ts';
import { schemaFor } from '../../formats/ros2/index.ts';

/**
 * A rosbag2 folder (SQLite, metadata version 4) in the shape of a small indoor recording: 46 s of a robot that
 * drives a circle, 2,425 messages, the same bytes on every run. A foreign library encodes the messages, so that
 * our decoders are not compared with our encoders.
 */
const START_NS = 1_663_967_375_548_411_329n;
const DURATION_NS = 46_202_568_732n;

const FILE = 'synthetic_0.db3';
const STRING = 'std_msgs/msg/String';

type RecordedTopic = {
  readonly name: string;
  readonly type: string;
  readonly count: number;
  readonly qos: string;
  message(index: number, stampNs: bigint): object;
};

/** Numbers as in rmw/types.h: reliable 1, best effort 2; transient local 1, volatile 2. */
function profile(reliability: 1 | 2, durability: 1 | 2): string {
  const infinite = 'sec: 2147483647\n    nsec: 4294967295';
  return [
    '- history: 3\n  depth: 0',
    `  reliability: ${reliability}\n  durability: ${durability}`,
    `  deadline:\n    ${infinite}\n  lifespan:\n    ${infinite}`,
    `  liveliness: 1\n  liveliness_lease_duration:\n    ${infinite}`,
    '  avoid_ros_namespace_conventions: false',
  ].join('\n');
}

const vector = (x = 0, y = 0, z = 0) => ({ x, y, z });
const rotation = (yaw: number) => ({ x: 0, y: 0, z: Math.sin(yaw / 2), w: Math.cos(yaw / 2) });
const header = (stampNs: bigint, frame: string) => ({
  stamp: { sec: Number(stampNs / 1_000_000_000n), nanosec: Number(stampNs % 1_000_000_000n) },
  frame_id: frame,
});
const transform = (stampNs: bigint, parent: string, child: string, angle: number) => ({
  header: header(stampNs, parent),
  child_frame_id: child,
  transform: { translation: vector(Math.cos(angle), Math.sin(angle)), rotation: rotation(angle) },
});
const RAYS = 722;
const STEP = 0.01;

const TOPICS: readonly RecordedTopic[] = [
  {
    name: '/robot_description',
    type: STRING,
    count: 1,
    qos: '',
    message: () => ({ data: `<robot name='synthetic'>${'<link/>'.repeat(4600)}</robot>` }),
  },
  {
    name: '/cmd_vel',
    type: TWIST,
    count: 192,
    qos: profile(1, 2),
    message: (i) => ({ linear: vector(0.2), angular: vector(0, 0, 0.2 * Math.sin(i * STEP)) }),
  },
  {
    name: '/tf_static',
    type: TF_MESSAGE,
    count: 2,
    qos: profile(1, 1),
    message: (i, at) => ({
      transforms: Array.from({ length: 20 + 10 * i }, (_, n) =>
        transform(at, 'base_link', `fixed_${n}`, 0.1 * n),
      ),
    }),
  },
  {
    name: '/scan',
    type: LASER_SCAN,
    count: 357,
    qos: profile(1, 2),
    message: (i, at) => ({
      header: header(at, 'base_laser_link'),
      angle_min: -Math.PI,
      angle_max: Math.PI,
      angle_increment: (2 * Math.PI) / RAYS,
      time_increment: 0,
      scan_time: 0,
      range_min: 0.1,
      range_max: 10,
      ranges: Float32Array.from({ length: RAYS }, (_, ray) => 1.5 + 0.5 * Math.sin(i * STEP + ray * 0.05)),
      intensities: Float32Array.from({ length: RAYS }, (_, ray) => ray),
    }),
  },
  {
    name: '/tf',
    type: TF_MESSAGE,
    count: 953,
    qos: profile(1, 2),
    message: (i, at) => ({ transforms: [transform(at, 'odom', 'base_link', i * STEP)] }),
  },
  {
    name: '/odom',
    type: ODOMETRY,
    count: 920,
    qos: profile(2, 2),
    message: (i, at) => ({
      header: header(at, 'odom'),
      child_frame_id: 'base_link',
      pose: {
        pose: {
          position: vector(Math.cos(i * STEP), Math.sin(i * STEP)),
          orientation: rotation(i * STEP),
        },
        covariance: new Float64Array(36),
      },
      twist: { twist: { linear: vector(0.2), angular: vector() }, covariance: new Float64Array(36) },
    }),
  },
];

/** How many messages of each topic the recording holds. */
export const RECORDED_COUNTS: Readonly<Record<string, number>> = Object.fromEntries(
  TOPICS.map(({ name, count }) => [name, count]),
);
export const RECORDED_MESSAGES = TOPICS.reduce((sum, { count }) => sum + count, 0);
export const RECORDED_MS = Number(DURATION_NS / 1_000_000n);

/** Fast DDS pads the data of a message to a multiple of four bytes; a recording holds it as it came. */
function padded(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  out.set(bytes);
  return out;
}

const folders = new Map<number, string>();

/**
 * The folder with metadata.yaml and one .db3 file; written once per process, removed when the process ends. A shorter
 * one (`durationMs`) has the same messages closer to each other, for tests that play it as fast as it was recorded.
 */
export function syntheticRecording(durationMs: number = RECORDED_MS): string {
  const known = folders.get(durationMs);
  if (known !== undefined) return known;
  const parent = mkdtempSync(join(tmpdir(), 'auraison-recording-'));
  process.once('exit', () => rmSync(parent, { recursive: true, force: true }));
  const folder = join(parent, 'synthetic');
  mkdirSync(folder);
  const durationNs = durationMs === RECORDED_MS ? DURATION_NS : BigInt(durationMs) * 1_000_000n;
  writeDatabase(join(folder, FILE), durationNs);
  writeFileSync(join(folder, 'metadata.yaml'), metadata(durationNs));
  folders.set(durationMs, folder);
  return folder;
}

/** The .db3 file inside of that folder, for readers that take no folder. */
export function syntheticDb3(): string {
  return join(syntheticRecording(), FILE);
}

/** Even over the recording, latched topics in its first second; no two messages have one stamp. */
function stampOf(topic: number, index: number, count: number, durationNs: bigint): bigint {
  const isLatched = TOPICS[topic]!.name === '/tf_static';
  const span = isLatched ? 1_000_000_000n : durationNs - 1_000_000n;
  return START_NS + BigInt(topic) * 1_000n + (span * BigInt(index)) / BigInt(Math.max(1, count - 1));
}

function writeDatabase(path: string, durationNs: bigint): void {
  const database = new DatabaseSync(path);
  database.exec(`
    CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
      serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
    CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL, timestamp INTEGER NOT NULL, data BLOB NOT NULL);
    CREATE INDEX timestamp_idx ON messages (timestamp ASC);
    BEGIN`);
  const addTopic = database.prepare('INSERT INTO topics VALUES (?, ?, ?, ?, ?)');
  const addMessage = database.prepare('INSERT INTO messages(topic_id, timestamp, data) VALUES (?, ?, ?)');
  for (const [at, { name, type, count, qos, message }] of TOPICS.entries()) {
    addTopic.run(at + 1, name, type, 'cdr', qos);
    const writer = new MessageWriter(parse(schemaFor(type)!.data, { ros2: true }));
    for (let index = 0; index < count; index++) {
      const stampNs = stampOf(at, index, count, durationNs);
      addMessage.run(at + 1, stampNs, padded(writer.writeMessage(message(index, stampNs))));
    }
  }
  database.exec('COMMIT');
  database.close();
}

function metadata(durationNs: bigint): string {
  const topics = TOPICS.map(({ name, type, count, qos }) =>
    [
      '    - topic_metadata:',
      `        name: ${name}`,
      `        type: ${type}`,
      '        serialization_format: cdr',
      `        offered_qos_profiles: ${JSON.stringify(qos)}`,
      `      message_count: ${count}`,
    ].join('\n'),
  );
  return `rosbag2_bagfile_information:
  version: 4
  storage_identifier: sqlite3
  relative_file_paths:
    - ${FILE}
  duration:
    nanoseconds: ${durationNs}
  starting_time:
    nanoseconds_since_epoch: ${START_NS}
  message_count: ${RECORDED_MESSAGES}
  topics_with_message_count:
${topics.join('\n')}
  compression_format: ""
  compression_mode: ""
`;
}
