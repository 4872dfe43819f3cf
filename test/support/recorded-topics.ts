import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckLakeLake } from '../../adapters/ducklake/index.ts';
import type { LakeAsk, NewEvent, OpenRecorded, RecordedMessage } from '../../contract/index.ts';
import { encodeAny } from '../../formats/ros2/index.ts';
import { logged } from '../conformance/lake.ts';

/** A time in 2023 from which the recordings of these tests count, nanoseconds. */
export const START_NS = 1_700_000_000_000_000_000n;
export const SECOND_NS = 1_000_000_000n;

/** A message as a segment holds it, `atMs` after the start. */
export function recorded(
  topic: string,
  type: string,
  value: Record<string, unknown>,
  atMs: number,
  definition?: string,
): RecordedMessage {
  const time = START_NS + BigInt(atMs) * 1_000_000n;
  return {
    ...{ topic, type, definition, encoding: 'cdr', sequence: atMs, logTime: time, publishTime: time },
    bytes: encodeAny(type, value, definition),
  };
}

/** The event of a sealed segment with these messages. */
export function sealedEvent(path: string, messages: readonly RecordedMessage[]): NewEvent<'segment.sealed'> {
  const topics: Record<string, number> = {};
  for (const { topic } of messages) topics[topic] = (topics[topic] ?? 0) + 1;
  const times = messages.map(({ logTime }) => logTime).sort((a, b) => (a < b ? -1 : 1));
  const span = { start_ns: `${times[0] ?? START_NS}`, end_ns: `${times.at(-1) ?? START_NS}` };
  const size = { bytes: 1000, messages: messages.length, topics, repaired: false };
  return {
    kind: 'segment.sealed',
    payload: { bag: path.split('/')[1]!, path, sha256: 'ab'.repeat(32), ...size, ...span },
  };
}

/** Segments in memory that count how often they are opened. */
export class Recordings {
  readonly segments = new Map<string, readonly RecordedMessage[]>();
  readonly opened: string[] = [];

  readonly open: OpenRecorded = (path, range) => this.#read(path, range);

  async *#read(
    ...[path, { topics, startNs, endNs }]: Parameters<OpenRecorded>
  ): AsyncGenerator<RecordedMessage> {
    this.opened.push(path);
    for (const message of this.segments.get(path) ?? []) {
      if (topics && !topics.has(message.topic)) continue;
      if (startNs !== undefined && message.logTime < startNs) continue;
      if (endNs !== undefined && message.logTime >= endNs) continue;
      yield message;
    }
  }
}

export type TopicLake = {
  readonly lake: DuckLakeLake;
  readonly dataDir: string;
  rows(sql: string, ask?: Partial<LakeAsk>): Promise<readonly (readonly unknown[])[]>;
  dispose(): Promise<void>;
};

/** A lake in plain DuckDB over these segments; their events are projected. */
export async function topicLake(open: OpenRecorded, events: readonly NewEvent[]): Promise<TopicLake> {
  const dataDir = await mkdtemp(join(tmpdir(), 'auraison-topics-'));
  const lake = await DuckLakeLake.open({
    ...{ dataDir, extensionDirectories: [], clock: new SystemClock(), openRecorded: open },
  });
  if (events.length > 0) await lake.project('execution', await logged('execution', events));
  return {
    lake,
    dataDir,
    rows: async (sql, ask) => (await lake.query(sql, { limit: 1_000, timeoutMs: 20_000, ...ask })).rows,
    dispose: async () => {
      await lake.close();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}
