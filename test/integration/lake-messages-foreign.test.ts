import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openBag, recordedMessages } from '../../adapters/rosbag/index.ts';
import type { NewEvent } from '../../contract/index.ts';
import { auraison, freshDir } from '../support/daemon.ts';
import { type ForeignValues, foreignValues } from '../support/readers.ts';
import { type TopicLake, topicLake } from '../support/recorded-topics.ts';
import { syntheticRecording } from '../support/synthetic-recording.ts';

/** What messages() gives of a recording is what foreign readers decode of it: every field of every message. */
const directory = freshDir('lake-foreign');
const BAG = join('bags', 'drive');
let foreign: Record<'mcap' | 'rosbags', ForeignValues>;
let lake: TopicLake;

beforeAll(async () => {
  const target = join(directory.path, BAG);
  const source = syntheticRecording();
  const { status, stderr } = auraison(['bag', 'convert', source, target, '--storage', 'mcap']);
  expect(status, stderr).toBe(0);
  foreign = await foreignValues(target);
  const bag = await openBag(target);
  const topics = Object.fromEntries(bag.topics.map(({ topic, messages }) => [topic, messages]));
  const sealed = {
    kind: 'segment.sealed',
    payload: {
      ...{ bag: 'drive', path: join(BAG, 'drive_0.mcap'), sha256: 'ab'.repeat(32), bytes: bag.bytes, topics },
      ...{ messages: 1, repaired: false, start_ns: `${bag.startNs}`, end_ns: `${bag.endNs}` },
    },
  } as NewEvent;
  await bag.close();
  lake = await topicLake(recordedMessages(directory.path), [sealed]);
});
afterAll(async () => {
  await lake?.dispose();
  directory.remove();
});

/** Log time and fields of each message of a topic, with the column of a field as the lake names it. */
async function ofLake(topic: string): Promise<(readonly [string, Record<string, unknown>])[]> {
  const head = 'log_time, publish_time, topic, type, bag, segment, sequence, bytes, by_reference, fault';
  const reader = await lake.lake.read(
    `SELECT epoch_ns(log_time)::VARCHAR AS at, fault, by_reference, COLUMNS(* EXCLUDE (${head}))
     FROM messages('${topic}') ORDER BY log_time, sequence`,
    { limit: 100_000, timeoutMs: 60_000 },
  );
  const names = reader.columns.slice(3).map(({ name }) => name);
  const found: (readonly [string, Record<string, unknown>])[] = [];
  try {
    for (let isEnd = false; !isEnd; ) {
      const page = await reader.next(4_000_000);
      for (const [at, fault, left, ...values] of page.rows) {
        expect(fault).toBeNull();
        const fields = Object.fromEntries(names.map((name, i) => [name, values[i]]));
        for (const name of (left as string[] | null) ?? []) fields[name] = LARGE;
        found.push([at as string, fields]);
      }
      isEnd = page.end !== undefined;
    }
  } finally {
    await reader.close();
  }
  return found;
}

const LARGE = 'left in the segment';

/** What a foreign reader decoded as the lake writes it: a time as text, half-precision numbers as they are. */
function asLake(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asLake);
  if (typeof value === 'string') return value.length > 65_536 ? LARGE : value;
  if (typeof value !== 'object' || value === null) return value;
  const { sec, nanosec } = value as { sec?: number; nanosec?: number };
  if (sec === undefined || nanosec === undefined)
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, asLake(item)]));
  const second = new Date(sec * 1_000).toISOString().slice(0, 19).replace('T', ' ');
  const rest = String(nanosec).padStart(9, '0').replace(/0+$/, '');
  return rest === '' ? second : `${second}.${rest}`;
}

it.each(['/odom', '/tf', '/tf_static', '/scan', '/cmd_vel', '/robot_description'])(
  'gives every field of every message of %s as two foreign readers decode it',
  async (topic) => {
    const own = await ofLake(topic);
    expect(own.length).toBeGreaterThan(0);
    for (const reader of ['mcap', 'rosbags'] as const) {
      const theirs = foreign[reader][topic]!.map(([at, fields]) => [at, asLake(fields)]);
      expect(own.length, reader).toBe(theirs.length);
      expect(own, reader).toEqual(theirs);
    }
  },
);
