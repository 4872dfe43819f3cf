import { createHash } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ClipInfo, EdgeError, type EventPayload } from '../../../contract/core.ts';
import {
  type Channel,
  ChunkBuilder,
  McapReader,
  McapWriter,
  MESSAGE_HEAD_BYTES,
  type Pending,
  type ReadMessage,
  type Schema,
  writeMessageHead,
} from '../../../formats/mcap/index.ts';
import { HandleReadable } from '../../../io/file-readable.ts';
import { type ArrivedSince, hasCome } from './arrival-order.ts';
import { factsOf, topicCounts } from './bag-folder.ts';
import { bagMetadata } from './bag-metadata.ts';
import { openForRead, replaceFile, syncFolder, writeAll } from './files.ts';

/** A span of log times, both ends included; where their clock was set back, of what came since then. */
export type Span = {
  readonly fromNs: bigint;
  readonly toNs: bigint;
  readonly since?: ArrivedSince | undefined;
};
/** Where the samples of a clip lie: beside the bag that is recorded now in `source`, all that came `since`. */
export type ClipSource = {
  readonly source?: string | undefined;
  readonly since?: ArrivedSince | undefined;
  /**
   * It may want segments that are not repaired yet (a former life left the order, or the recorder failed since), and
   * `waits` for them, or takes what there is: it is the `last` try of this life, or wants none as far as one knows.
   */
  readonly left?: 'waits' | 'last' | undefined;
};
/** What `clip.json` beside a clip says; it is written last: where it is, the clip is whole. */
export type ClipFile = {
  readonly info: ClipInfo;
  readonly sealed: EventPayload<'segment.sealed'>;
  /** Segments that it was cut from, relative to the data directory. */
  readonly sources: readonly string[];
  readonly since?: ArrivedSince | undefined;
};

const CLIP_FILE = 'clip.json';
const CHUNK_BYTES = 2 * 1024 * 1024;

/**
 * Copies the span of a clip out of sealed segments into a bag of its own: whole and durable when this resolves,
 * or not there. A clip that is there already is left as it is. Rejects `recorder.failed`, not to be tried again,
 * where no sample of the span is left.
 */
export async function cutClip(
  { dataDir, info, sources, since }: Omit<ClipFile, 'sealed'> & { readonly dataDir: string },
  library: string,
  onProgress: () => void,
): Promise<ClipFile> {
  const known = await readClip(dataDir, info.bag);
  if (known) return known;
  const folder = join(dataDir, 'bags', info.bag);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const name = `${info.bag}_0.mcap`;
  const part = join(folder, `${name}.part`);
  const handle = await open(part, 'wx', 0o644);
  const cut = new ClipWriter(handle.fd, onProgress);
  try {
    cut.begin(library);
    for (const source of sources) await cut.copy(join(dataDir, source), { ...spanOf(info), since });
    cut.end(info);
    await handle.sync();
  } finally {
    await handle.close();
  }
  if (cut.writer.summary.messages === 0) {
    await rm(folder, { recursive: true, force: true });
    throw nothingLeft(info);
  }
  await rename(part, join(folder, name));
  const path = `bags/${info.bag}/${name}`;
  const { summary, offset: bytes } = cut.writer;
  await replaceFile(join(folder, 'metadata.yaml'), bagMetadata([factsOf(name, summary)]));
  const sealed: ClipFile['sealed'] = {
    bag: info.bag,
    path,
    sha256: cut.sha256(),
    bytes,
    messages: summary.messages,
    start_ns: summary.startTime.toString(),
    end_ns: summary.endTime.toString(),
    topics: topicCounts(path, summary),
    repaired: false,
  };
  const whole: ClipInfo = { ...info, state: 'whole', messages: summary.messages, bytes };
  const file: ClipFile = { info: whole, sealed, sources, since };
  await replaceFile(join(folder, CLIP_FILE), JSON.stringify(file));
  await syncFolder(join(dataDir, 'bags'));
  return file;
}

function nothingLeft({ bag }: ClipInfo): EdgeError {
  const message = 'no sample of its time span is on disk';
  return new EdgeError('recorder.failed', { operation: 'cut clip', subject: bag, message, retryable: false });
}

export function spanOf(info: ClipInfo): Span {
  return { fromNs: BigInt(info.from_ns), toNs: BigInt(info.to_ns) };
}

export async function readClip(dataDir: string, bag: string): Promise<ClipFile | undefined> {
  try {
    return JSON.parse(await readFile(join(dataDir, 'bags', bag, CLIP_FILE), 'utf8')) as ClipFile;
  } catch {
    return undefined;
  }
}

/** All whole clips of a data directory, oldest first. */
export async function readClips(dataDir: string): Promise<ClipFile[]> {
  const bags = (await readdir(join(dataDir, 'bags')).catch(() => [] as string[])).sort();
  const clips = await Promise.all(bags.map((bag) => readClip(dataDir, bag)));
  return clips.filter((clip) => clip !== undefined);
}

/** The spans of this segment that are kept in clips. */
export async function clipSpans(dataDir: string, segment: string): Promise<Span[]> {
  const clips = await readClips(dataDir);
  const cut = clips.filter(({ sources }) => sources.includes(segment));
  return cut.map(({ info, since }) => ({ ...spanOf(info), since }));
}

/** Messages of any files into one; channels that are the same are one. */
class ClipWriter {
  readonly writer = new McapWriter();
  readonly #fd: number;
  readonly #onProgress: () => void;
  readonly #hash = createHash('sha256');
  readonly #chunk = new ChunkBuilder();
  readonly #ids = new Map<string, number>();
  readonly #schemaIds = new Map<string, number>();
  #buffer = new Uint8Array(CHUNK_BYTES);
  #filled = 0;

  constructor(fd: number, onProgress: () => void) {
    this.#fd = fd;
    this.#onProgress = onProgress;
  }

  begin(library: string): void {
    this.#write(this.writer.begin({ profile: 'ros2', library }));
  }

  async copy(path: string, { fromNs, toNs, since }: Span): Promise<void> {
    const handle = await openForRead(path);
    try {
      const reader = await McapReader.open(new HandleReadable(handle, path));
      for await (const message of reader.messages({ startTime: fromNs, endTime: toNs + 1n }))
        if (hasCome(since, message.message)) this.#add(message, reader.schemaOf(message.channel));
    } finally {
      await handle.close();
    }
  }

  end(info: ClipInfo): void {
    this.#flush();
    const { clip_id, trigger, reason, trigger_ns, from_ns, to_ns } = info;
    const facts = { clip_id, trigger, reason, trigger_ns, from_ns, to_ns };
    this.#write(this.writer.metadata('auraison.clip', new Map(Object.entries(facts))));
    this.#write(this.writer.end());
  }

  sha256(): string {
    return this.#hash.digest('hex');
  }

  #add({ message, channel }: ReadMessage, schema: Schema | undefined): void {
    const id = this.#idOf(channel, schema);
    const size = MESSAGE_HEAD_BYTES + message.data.length;
    if (this.#filled > 0 && this.#filled + size > this.#buffer.length) this.#flush();
    if (size > this.#buffer.length) this.#buffer = new Uint8Array(size);
    const view = new DataView(this.#buffer.buffer);
    const { sequence, logTime, publishTime, data } = message;
    writeMessageHead(view, this.#filled, id, sequence, logTime, publishTime, data.length);
    this.#buffer.set(data, this.#filled + MESSAGE_HEAD_BYTES);
    this.#filled += size;
  }

  #idOf(channel: Channel, schema: Schema | undefined): number {
    const text = schema ? `${schema.name}\n${Buffer.from(schema.data).toString('latin1')}` : '';
    const key = `${channel.topic}\n${channel.messageEncoding}\n${text}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.#ids.size + 1;
    this.#ids.set(key, id);
    const schemaId = schema ? (this.#schemaIds.get(text) ?? this.#schemaIds.size + 1) : 0;
    if (schema) this.#schemaIds.set(text, schemaId);
    this.#flush();
    this.#write(this.writer.channel({ ...channel, id, schemaId }, schema && { ...schema, id: schemaId }));
    return id;
  }

  #flush(): void {
    if (this.#filled === 0) return;
    this.#chunk.add(this.#buffer.subarray(0, this.#filled));
    this.#write(this.writer.chunk(this.#chunk));
    this.#chunk.clear();
    this.#filled = 0;
    this.#onProgress();
  }

  #write(pending: Pending): void {
    writeAll(this.#fd, pending.buffers, pending.offset);
    for (const buffer of pending.buffers) this.#hash.update(buffer);
    pending.commit();
  }
}
