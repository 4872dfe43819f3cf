import type { EdgeError, Nanoseconds } from '../../contract/core.ts';
import type { Bag } from './bag.ts';

/** Details of a topic that need every message to be read. */
export type TopicDetails = {
  readonly topic: string;
  readonly messages: number;
  readonly bytes: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly firstNs: Nanoseconds;
  readonly lastNs: Nanoseconds;
  /** Messages per second between its first and its last. */
  readonly hz: number;
  /** Longest time without a message, and its start. */
  readonly gapMs: number;
  readonly gapAtNs: Nanoseconds;
};
export type BagDetails = { readonly topics: readonly TopicDetails[]; readonly faults: readonly EdgeError[] };

type Tally = { -readonly [K in keyof TopicDetails]: TopicDetails[K] };

/** Reads the whole bag, as a stream, checking every chunk against its CRC. */
export async function bagDetails(bag: Bag, onProgress?: (messages: number) => void): Promise<BagDetails> {
  const topics = new Map<string, Tally>();
  const faults: EdgeError[] = [];
  let count = 0;
  for await (const { channel, logTime, bytes } of bag.records({ onDamage: (fault) => faults.push(fault) })) {
    enter(topics, channel.topic, logTime, bytes.length);
    count += 1;
    if (count % 1024 !== 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    onProgress?.(count);
  }
  return { topics: [...topics.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)), faults };
}

function enter(topics: Map<string, Tally>, topic: string, time: bigint, size: number): void {
  const known = topics.get(topic);
  if (!known) {
    const sizes = { messages: 1, bytes: size, bytesMin: size, bytesMax: size };
    topics.set(topic, { topic, ...sizes, firstNs: time, lastNs: time, hz: 0, gapMs: 0, gapAtNs: time });
    return;
  }
  const gapMs = Number(time - known.lastNs) / 1e6;
  if (gapMs > known.gapMs) {
    known.gapMs = gapMs;
    known.gapAtNs = known.lastNs;
  }
  known.messages += 1;
  known.bytes += size;
  known.bytesMin = Math.min(known.bytesMin, size);
  known.bytesMax = Math.max(known.bytesMax, size);
  known.lastNs = time;
  const seconds = Number(time - known.firstNs) / 1e9;
  known.hz = seconds > 0 ? (known.messages - 1) / seconds : 0;
}
