/** How often topics send and how much, as this page hears them. Pure. */
import type { Channel, LiveSample } from '../link/sample.ts';

export type TopicRow = {
  readonly topic: string;
  readonly type: string;
  /** Messages and bytes of a second; undefined: not measured (yet). */
  readonly rate: number | undefined;
  readonly bytes: number | undefined;
  /** Milliseconds since the last message; undefined: none came. */
  readonly silentMs: number | undefined;
};

/** Rates are of about this time, milliseconds. */
const WINDOW_MS = 5_000;
type Count = { messages: number; bytes: number };
type Heard = { lastMs: number; total: Count; readonly looks: ({ readonly atMs: number } & Count)[] };

/** Images and clouds are much to send only to count them: a person asks for that. */
const LARGE = /Image$|PointCloud2?$|OccupancyGrid|CompressedVideo|VoxelGrid/;
export const isLarge = ({ schemaName }: Channel): boolean => LARGE.test(schemaName);

export class TopicBook {
  readonly #heard = new Map<string, Heard>();

  take({ channel, bytes, atMs }: LiveSample): void {
    const heard = this.#of(channel.topic, atMs);
    heard.lastMs = atMs;
    heard.total.messages += 1;
    heard.total.bytes += bytes.length;
  }

  /** To be called about once a second, with the topics that are measured. What is no longer measured is forgotten. */
  look(topics: readonly string[], nowMs: number): void {
    for (const topic of this.#heard.keys()) if (!topics.includes(topic)) this.#heard.delete(topic);
    for (const topic of topics) {
      const { looks, total } = this.#of(topic, nowMs);
      looks.push({ atMs: nowMs, ...total });
      while (looks.length > 2 && nowMs - looks[1]!.atMs > WINDOW_MS) looks.shift();
    }
  }

  row({ topic, schemaName }: Channel, nowMs: number): TopicRow {
    const heard = this.#heard.get(topic);
    const [first, last] = [heard?.looks[0], heard?.looks.at(-1)];
    const seconds = first && last ? (last.atMs - first.atMs) / 1000 : 0;
    const isMeasured = first !== undefined && last !== undefined && seconds > 0.5;
    return {
      ...{ topic, type: schemaName },
      rate: isMeasured ? (last.messages - first.messages) / seconds : undefined,
      bytes: isMeasured ? (last.bytes - first.bytes) / seconds : undefined,
      silentMs: heard && Number.isFinite(heard.lastMs) ? nowMs - heard.lastMs : undefined,
    };
  }

  #of(topic: string, nowMs: number): Heard {
    let heard = this.#heard.get(topic);
    if (!heard) {
      const total = { messages: 0, bytes: 0 };
      heard = { lastMs: Number.NEGATIVE_INFINITY, total, looks: [{ atMs: nowMs, ...total }] };
      this.#heard.set(topic, heard);
    }
    return heard;
  }
}
