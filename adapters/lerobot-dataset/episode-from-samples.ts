import type { DatasetEpisode, DatasetFrame, DatasetSpec, EdgeError, Sample } from '../../contract/core.ts';
import { invalid } from './info.ts';
import { type PictureDecoder, readPicture, sizeOf } from './pictures.ts';
import { type FramePlan, planFrames, type Track } from './resample.ts';
import { type FeatureSource, VectorReader } from './vector-reader.ts';

export type { FeatureSource } from './vector-reader.ts';

export type EpisodeMapping = {
  readonly fps: number;
  readonly slopMs: number;
  readonly vectors: Readonly<Record<string, FeatureSource>>;
  readonly images: Readonly<Record<string, FeatureSource>>;
  /** Unpacks what cameras compress to (JPEG, PNG, WebP). Absent: only raw images are taken. */
  readonly decode?: PictureDecoder;
  /** What the dataset has already: a recording with other joints or another size of images is refused. */
  readonly like?: DatasetSpec;
};

/** The same mapping for a dataset of this shape: its joints in its order, its sizes of images. */
export function mappingLike(mapping: EpisodeMapping, spec: DatasetSpec): EpisodeMapping {
  const vectors = Object.entries(mapping.vectors).map(([key, source]) => {
    const feature = spec.features[key];
    // Names that were given stay: where they are others than those of the dataset, it is not the same shape.
    return [key, feature?.kind === 'vector' ? { names: feature.names, ...source } : source] as const;
  });
  return { ...mapping, vectors: Object.fromEntries(vectors), like: spec };
}

export type RecordedEpisode = {
  readonly task: string;
  readonly source: string;
  readonly success?: boolean;
  /** The samples of the topics, by time; asked twice. Throws what the recording is spoiled with. */
  samples(topics: ReadonlySet<string>): AsyncIterable<Sample>;
};

/** A header stamp further than this from its arrival is of another clock, and does not count. */
const STAMP_OFF_MAX_NS = 1_000_000_000n;

type Look = {
  readonly plan: FramePlan;
  readonly spec: DatasetSpec;
  readonly vectors: Readonly<Record<string, readonly Float32Array[]>>;
  readonly skipped: Readonly<Record<string, number>>;
};

/**
 * A recording as frames of a dataset. The first look reads every message: vectors are decoded and kept, of images
 * only time and size; so a spoiled episode is known before an image of it is encoded. The second gives the frames.
 */
export class EpisodeFromSamples implements DatasetEpisode {
  readonly task: string;
  readonly source: string;
  readonly success?: boolean;
  readonly #recorded: RecordedEpisode;
  readonly #mapping: EpisodeMapping;
  #look: Promise<Look> | undefined;
  #notes: Readonly<Record<string, unknown>> = {};
  #dropped = 0;

  constructor(recorded: RecordedEpisode, mapping: EpisodeMapping) {
    this.task = recorded.task;
    this.source = recorded.source;
    if (recorded.success !== undefined) this.success = recorded.success;
    this.#recorded = recorded;
    this.#mapping = mapping;
  }

  /** The features as this recording has them: names of joints, sizes of images. */
  async spec(robotType: string): Promise<DatasetSpec> {
    return { ...(await this.#first()).spec, robotType };
  }

  async length(): Promise<number> {
    return (await this.#first()).plan.frames.length;
  }

  /** After `length`: frames that were left out because an input was too old. */
  droppedFrames(): number {
    return this.#dropped;
  }

  notes(): Readonly<Record<string, unknown>> {
    return this.#notes;
  }

  async *frames(): AsyncGenerator<DatasetFrame> {
    const { plan, vectors } = await this.#first();
    const pictures = new PictureFeed(this.#recorded, this.#mapping);
    try {
      const begin = plan.frames[0]?.time ?? 0n;
      for (const { time, pick } of plan.frames) {
        const images: Record<string, Uint8Array> = {};
        for (const key of Object.keys(this.#mapping.images))
          images[key] = await pictures.take(key, pick[key]!);
        yield {
          time: Number(time - begin) / 1e9,
          vectors: Object.fromEntries(Object.entries(vectors).map(([key, rows]) => [key, rows[pick[key]!]!])),
          images,
        };
      }
    } finally {
      // What a thousand episodes remember of themselves would fill the memory.
      this.#look = undefined;
      await pictures.close();
    }
  }

  #first(): Promise<Look> {
    this.#look ??= look(this.#recorded, this.#mapping).then((seen) => {
      this.#notes = notesOf(seen);
      this.#dropped = seen.plan.dropped.reduce((sum, { frames }) => sum + frames, 0);
      return seen;
    });
    return this.#look;
  }
}

function notesOf({ plan, skipped }: Look): Record<string, unknown> {
  const dropped = plan.dropped.map(({ from, to, frames, track, ageMs }) => ({
    from_ns: String(from),
    to_ns: String(to),
    frames,
    feature: track,
    age_ms: Math.round(ageMs),
  }));
  return {
    ...(dropped.length === 0 ? {} : { dropped }),
    ...(Object.keys(skipped).length === 0 ? {} : { skipped }),
    ...(plan.frames[0] ? { start_ns: String(plan.frames[0].time) } : {}),
  };
}

async function look(recorded: RecordedEpisode, mapping: EpisodeMapping): Promise<Look> {
  const vectors = Object.entries(mapping.vectors).map(
    ([key, source]) => [key, new VectorReader(source, recorded.source)] as const,
  );
  const images = new Map(
    Object.keys(mapping.images).map((key) => [key, { times: [] as bigint[], size: '' }]),
  );
  const skipped: Record<string, number> = {};
  for await (const sample of recorded.samples(topicsOf(mapping))) {
    const time = timeOf(sample);
    for (const [key, reader] of vectors)
      if (reader.topic === sample.topic && !reader.take(sample, time)) skipped[key] = (skipped[key] ?? 0) + 1;
    for (const [key, found] of images) {
      if (mapping.images[key]!.topic !== sample.topic) continue;
      // Decoding a compressed image is expensive. The first one gives the size, the others are checked when used.
      const size = await sizeOf(sample, mapping.decode, found.size);
      if (found.size !== '' && found.size !== size)
        throw invalid(recorded.source, `${sample.topic} changes its size from ${found.size} to ${size}`);
      found.size = size;
      if (isLater(time, found.times)) found.times.push(time);
      else skipped[key] = (skipped[key] ?? 0) + 1;
    }
  }
  for (const [key, { size }] of images) checkSize(key, size, mapping, recorded.source);
  const tracks: Record<string, Track> = {};
  for (const [key, reader] of vectors) {
    const { maxAgeMs, isAction = false, topic } = mapping.vectors[key]!;
    if (reader.times.length === 0) throw missing(recorded.source, key, topic, reader.unknownNames());
    tracks[key] = { times: reader.times, maxAgeMs, isAction };
  }
  for (const [key, { times }] of images) {
    const { maxAgeMs, topic } = mapping.images[key]!;
    if (times.length === 0) throw missing(recorded.source, key, topic);
    tracks[key] = { times, maxAgeMs, isAction: false };
  }
  const features = Object.fromEntries([
    // Of joints and commands each has its own order: what says no names gets none of another.
    ...vectors.map(([key, reader]) => [key, { kind: 'vector', names: reader.names }] as const),
    ...[...images].map(([key, { size }]) => {
      const [width, height] = size.split('x').map(Number) as [number, number];
      return [key, { kind: 'video', height, width }] as const;
    }),
  ]);
  return {
    plan: planFrames(tracks, mapping, recorded.source),
    spec: { fps: mapping.fps, robotType: '', features },
    vectors: Object.fromEntries(vectors.map(([key, reader]) => [key, reader.rows])),
    skipped,
  };
}

type Camera = {
  readonly topic: string;
  times: readonly bigint[];
  next: number;
  readonly kept: Map<number, Sample>;
  size: string;
};

/** Gives images by their number of each camera; numbers only rise. Reads the recording once for all cameras. */
class PictureFeed {
  readonly #samples: AsyncIterator<Sample>;
  readonly #cameras: Map<string, Camera>;
  readonly #mapping: EpisodeMapping;
  readonly #source: string;
  readonly #decoded = new Map<string, { index: number; rgb: Uint8Array }>();

  constructor(recorded: RecordedEpisode, mapping: EpisodeMapping) {
    this.#source = recorded.source;
    this.#mapping = mapping;
    const cameras = Object.entries(mapping.images);
    this.#cameras = new Map(
      cameras.map(([key, { topic }]) => [key, { topic, times: [], next: 0, kept: new Map(), size: '' }]),
    );
    const topics = new Set(cameras.map(([, { topic }]) => topic));
    this.#samples = recorded.samples(topics)[Symbol.asyncIterator]();
  }

  async take(key: string, index: number): Promise<Uint8Array> {
    const camera = this.#cameras.get(key)!;
    const before = this.#decoded.get(key);
    if (before?.index === index) return before.rgb;
    for (const old of camera.kept.keys()) if (old < index) camera.kept.delete(old);
    while (!camera.kept.has(index)) {
      const { value, done } = await this.#samples.next();
      if (done) throw invalid(this.#source, 'the recording changed while it was read');
      this.#keep(value);
    }
    const { rgb, width, height } = await readPicture(camera.kept.get(index)!, this.#mapping.decode);
    const size = `${width}x${height}`;
    camera.size ||= size;
    if (size !== camera.size)
      throw invalid(this.#source, `${camera.topic} changes its size from ${camera.size} to ${size}`);
    this.#decoded.set(key, { index, rgb });
    return rgb;
  }

  async close(): Promise<void> {
    await this.#samples.return?.();
  }

  #keep(sample: Sample): void {
    const time = timeOf(sample);
    for (const camera of this.#cameras.values()) {
      if (camera.topic !== sample.topic || !isLater(time, camera.times)) continue;
      camera.times = [time];
      camera.kept.set(camera.next, sample);
      camera.next += 1;
    }
  }
}

function topicsOf({ vectors, images }: EpisodeMapping): ReadonlySet<string> {
  return new Set([...Object.values(vectors), ...Object.values(images)].map(({ topic }) => topic));
}

/** When it was measured; by its arrival where its stamp is of another clock. */
export function timeOf({ stamp, received }: Sample): bigint {
  const off = stamp > received ? stamp - received : received - stamp;
  return off > STAMP_OFF_MAX_NS ? received : stamp;
}

function isLater(time: bigint, times: readonly bigint[]): boolean {
  const last = times.at(-1);
  return last === undefined || time > last;
}

function checkSize(key: string, size: string, { like }: EpisodeMapping, source: string): void {
  const feature = like?.features[key];
  if (feature?.kind !== 'video' || size === '') return;
  const wanted = `${feature.width}x${feature.height}`;
  if (size !== wanted)
    throw invalid(source, `images of ${key} are ${size}, but those in the dataset are ${wanted}`);
}

function missing(source: string, key: string, topic: string, names: readonly string[] = []): EdgeError {
  const what = names.length > 0 ? `${names.join(', ')} on ${topic}` : topic;
  return invalid(source, `${what} (${key}) was not recorded`, 'exclude the topic, or record it');
}
