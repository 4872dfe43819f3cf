/** A recording of one or several segments, read by the index of each. */
import { McapIndexedReader } from '@mcap/core';
import { decompress } from 'fzstd';
import { type Channel, LiveSample } from '../see/link/sample.ts';
import { type FetchRange, KeptBytes, SegmentFile } from './segment-file.ts';

export type SegmentFacts = {
  /** Name of the file in its bag. */
  readonly file: string;
  readonly bytes: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
};

/** From the first to the last message of any of them. */
export function spanOf(segments: readonly SegmentFacts[]): {
  readonly startNs: bigint;
  readonly endNs: bigint;
} {
  let { startNs, endNs } = segments[0]!;
  for (const one of segments) {
    if (one.startNs < startNs) ({ startNs } = one);
    if (one.endNs > endNs) ({ endNs } = one);
  }
  return { startNs, endNs };
}

const STATIC = '/tf_static';
const FRAMES: ReadonlySet<string> = new Set(['/tf', STATIC]);
/** What a topic held at a time is looked for in this time before it at first, then by the index of the topic, nanoseconds. */
const NEAR_NS = 1_000_000_000n;
/** Messages of transforms that make up what the frames were at a time: several nodes send them. */
const FRAMES_MAX = 2_000;
const handlers = {
  zstd: (bytes: Uint8Array, size: bigint) => decompress(bytes, new Uint8Array(Number(size))),
};

type Reader = McapIndexedReader<AbortSignal>;
type Open = { readonly facts: SegmentFacts; readonly file: SegmentFile; reader?: Promise<Reader> };

export class BagReader {
  readonly #segments: readonly Open[];
  readonly #channels = new Map<Reader, ReadonlyMap<number, Channel>>();
  /** Topics of the segments that were opened so far. */
  channels: ReadonlyMap<string, Channel> = new Map();
  /** Why segments cannot be read, by file. */
  readonly faults = new Map<string, string>();
  /** Those of them that the robot did not refuse to give. */
  readonly damaged = new Set<string>();

  constructor(bag: string, segments: readonly SegmentFacts[], fetch: FetchRange) {
    const kept = new KeptBytes();
    const path = (file: string) => `/v1/bags/${encodeURIComponent(bag)}/files/${encodeURIComponent(file)}`;
    this.#segments = [...segments]
      .sort((a, b) => (a.startNs < b.startNs ? -1 : a.startNs > b.startNs ? 1 : 0))
      .map((facts) => ({ facts, file: new SegmentFile(path(facts.file), facts.bytes, fetch, kept) }));
  }

  /** Bytes that were asked of the robot so far. */
  get fetched(): number {
    return this.#segments.reduce((sum, { file }) => sum + file.fetched, 0);
  }

  /** Reads the index of the segment of a time, for its topics. */
  async look(ns: bigint, signal: AbortSignal): Promise<void> {
    const at =
      this.#segments.find(({ facts }) => facts.endNs >= ns) ?? this.#segments[this.#segments.length - 1];
    if (at) await this.#open(at, signal);
  }

  /** Messages of the topics, both times inclusive, by time within each segment. */
  async *messages(
    topics: readonly string[],
    fromNs: bigint,
    toNs: bigint,
    signal: AbortSignal,
  ): AsyncGenerator<LiveSample> {
    for (const segment of this.#segments)
      if (segment.facts.endNs >= fromNs && segment.facts.startNs <= toNs)
        yield* this.#read(segment, topics, { fromNs, toNs }, signal);
  }

  /** What each topic held at a time: its last message until then; of transforms as many as make up all frames. */
  async before(topics: readonly string[], ns: bigint, signal: AbortSignal): Promise<LiveSample[]> {
    const found: LiveSample[] = [];
    const missing = new Set(topics);
    missing.delete(STATIC);
    const near = this.#backwards([...missing], ns - NEAR_NS, ns, signal);
    let frames = 0;
    for await (const sample of near) {
      const { topic } = sample.channel;
      const isFrame = FRAMES.has(topic) && frames++ < FRAMES_MAX;
      if (!missing.has(topic) && !isFrame) continue;
      missing.delete(topic);
      found.push(sample);
      if (missing.size === 0 && !topics.includes('/tf')) break;
    }
    for (const topic of missing)
      for await (const sample of this.#backwards([topic], 0n, ns, signal)) {
        found.push(sample);
        break;
      }
    if (topics.includes(STATIC)) {
      let left = FRAMES_MAX;
      for await (const sample of this.#backwards([STATIC], 0n, ns, signal)) {
        found.push(sample);
        if (--left === 0) break;
      }
    }
    return found.sort((a, b) => a.timeS - b.timeS);
  }

  async *#backwards(
    topics: readonly string[],
    fromNs: bigint,
    toNs: bigint,
    signal: AbortSignal,
  ): AsyncGenerator<LiveSample> {
    for (const segment of this.#segments.toReversed())
      if (segment.facts.startNs <= toNs && segment.facts.endNs >= fromNs)
        yield* this.#read(segment, topics, { fromNs, toNs, reverse: true }, signal);
  }

  async *#read(
    segment: Open,
    topics: readonly string[],
    { fromNs, toNs, reverse = false }: { fromNs: bigint; toNs: bigint; reverse?: boolean },
    signal: AbortSignal,
  ): AsyncGenerator<LiveSample> {
    const reader = await this.#open(segment, signal);
    if (!reader || topics.length === 0) return;
    const channels = this.#channels.get(reader)!;
    const range = {
      topics,
      startTime: fromNs < 0n ? 0n : fromNs,
      endTime: toNs,
      reverse,
      readOptions: signal,
    };
    try {
      for await (const { channelId, logTime, data } of reader.readMessages(range)) {
        const channel = channels.get(channelId);
        if (channel) yield new LiveSample(channel, data, Number(logTime) / 1e9, 0);
      }
    } catch (error) {
      if (signal.aborted) throw error;
      // The rest of the recording can be read.
      this.#failed(segment.facts.file, error as Error);
    }
  }

  /** Undefined: it cannot be read, and `faults` says why. */
  async #open(segment: Open, signal: AbortSignal): Promise<Reader | undefined> {
    const { file, facts } = segment;
    try {
      if (!segment.reader) {
        // The index is of use to the next reader too: it is read to its end.
        segment.reader = McapIndexedReader.Initialize<AbortSignal>({
          ...{ readable: file, decompressHandlers: handlers },
        });
        segment.reader.catch(() => {
          delete segment.reader;
        });
      }
      const reader = await segment.reader;
      if (!this.#channels.has(reader)) this.#learn(reader);
      this.faults.delete(facts.file);
      this.damaged.delete(facts.file);
      return reader;
    } catch (error) {
      signal.throwIfAborted();
      this.#failed(facts.file, error as Error);
      return undefined;
    }
  }

  #failed(file: string, error: Error): void {
    this.faults.set(file, error.message);
    if ('status' in error) this.damaged.delete(file);
    else this.damaged.add(file);
  }

  #learn(reader: Reader): void {
    const all = new Map(this.channels);
    const own = new Map<number, Channel>();
    for (const { id, topic, messageEncoding: encoding, schemaId } of reader.channelsById.values()) {
      const schema = reader.schemasById.get(schemaId);
      const text = schema?.encoding === 'ros2msg' ? new TextDecoder().decode(schema.data) : '';
      const channel = { id, topic, encoding, schemaName: schema?.name ?? '', schema: text };
      own.set(id, channel);
      all.set(topic, channel);
    }
    this.#channels.set(reader, own);
    this.channels = all;
  }
}
