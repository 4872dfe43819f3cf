import { createHash, type Hash } from 'node:crypto';
import { EdgeError } from '../../contract/core.ts';
import { profileLines } from '../../formats/rosbag2/index.ts';
import { type AbsentFiles, absentWithin } from './absent-files.ts';
import type { Bag, BagChannel, BagMessage, Lost } from './bag.ts';
import type { BagWriter } from './bag-writer.ts';
import { latchedBefore } from './latched.ts';

/** Every n-th message of a topic, or at most one in so many nanoseconds of it. */
export type Every = { readonly count: number } | { readonly ns: bigint };

export type CopyOptions = {
  readonly topics?: ReadonlySet<string> | undefined;
  /** Inclusive and exclusive, by log time. */
  readonly startNs?: bigint | undefined;
  readonly endNs?: bigint | undefined;
  readonly every?: Every | undefined;
  /**
   * What transient local topics held at `startNs` comes first. Its log time is the start, so that the bag has the
   * span that was asked for and every player gives it at once; its publish time stays what it was.
   */
  readonly latched?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
};

export type CopyProgress = { readonly messages: number; readonly bytes: number; readonly timeNs: bigint };

export type CopyResult = {
  readonly messages: number;
  readonly bytes: number;
  /** Messages from before the start, among `messages`. */
  readonly latched: number;
  /** What could not be read and is missing in the copy. */
  readonly faults: readonly EdgeError[];
  /** What is wrong with the input although every message of it was read. */
  readonly warnings: readonly EdgeError[];
  readonly losses: CopyLosses;
  /** Files of the input that are not there, and may have held something of what was asked for. */
  readonly absent: readonly AbsentFiles[];
  /** SHA-256 over topic, type, times and bytes of all messages in order: the same whatever the container. */
  readonly contentSha256: string;
};

/** What an input held and the copy does not. */
export type CopyLosses = {
  /** Messages by topic, as far as the input says what its unreadable parts held. */
  readonly topics: Readonly<Record<string, number>>;
  /** Unreadable parts of which nothing says what they held. */
  readonly unknownParts: number;
};

const PROGRESS_MESSAGES = 512;
const FAULTS_MAX = 100;
/** Metadata records about their own file, not the recording: they would be wrong in a copy. */
const OF_THE_FILE = new Set(['rosbag2', 'auraison.repair']);
/** The ledger of a segment: valid only for all of its messages. */
const OF_THE_WHOLE = 'auraison.losses';
/** Says in the copy which files of the input were not there; their messages are in neither. */
const ABSENT = 'auraison.absent';

/**
 * Copies messages as they are: bytes, times, channels, definitions. What cannot be read is left out and reported in
 * `faults`. Rejects with `run.cancelled` when `signal` aborts; the writer is the caller's to end or abort.
 */
export async function copyBag(bag: Bag, writer: BagWriter, options: CopyOptions = {}): Promise<CopyResult> {
  const { topics, startNs, endNs, signal } = options;
  const copy = new Copy(writer, options);
  const begin = startNs !== undefined && startNs > bag.startNs ? startNs : undefined;
  if (options.latched && begin !== undefined) {
    for (const message of await latchedBefore(bag, begin, topics)) {
      await copy.take({ ...message, logTime: begin });
      copy.latched += 1;
    }
  }
  const isPart = [topics, startNs, endNs, options.every].some((choice) => choice !== undefined);
  for await (const extra of bag.extras()) {
    const isStale = OF_THE_FILE.has(extra.name) || (isPart && extra.name === OF_THE_WHOLE);
    if (extra.kind === 'attachment' || !isStale) await writer.extra(extra);
  }
  const absent = absentWithin(bag.absent ?? [], startNs, endNs);
  for (const { first, last, files, afterNs, beforeNs } of absent) {
    const values = { first, last, files, after_ns: afterNs, before_ns: beforeNs };
    const told = Object.entries(values).flatMap(([key, value]) =>
      value === undefined ? [] : [[key, String(value)] as const],
    );
    await writer.extra({ kind: 'metadata', name: ABSENT, values: new Map(told) });
  }
  const faults: EdgeError[] = [];
  const lost = new Map<string, number>();
  let unknownParts = 0;
  const onDamage = (fault: EdgeError, of?: Lost) => {
    if (faults.length < FAULTS_MAX) faults.push(fault);
    if (!of) unknownParts += 1;
    for (const [topic, count] of of ?? []) lost.set(topic, (lost.get(topic) ?? 0) + count);
  };
  for await (const message of bag.records({ topics, startNs, endNs, onDamage })) {
    if (signal?.aborted) throw cancelled(bag.path);
    if (copy.isDue(message)) await copy.take(message);
  }
  for (const channel of silentChannels(bag)) {
    if (!topics || topics.has(channel.topic)) await writer.declare(channel);
  }
  const losses = { topics: Object.fromEntries([...lost].sort()), unknownParts };
  return { ...copy.result(), faults, warnings: bag.warning ? [bag.warning] : [], losses, absent };
}

/** Every channel of the file, and topics that only metadata.yaml knows because nothing was published on them. */
function silentChannels({ channels, notes }: Bag): BagChannel[] {
  const known = new Set(channels.map(({ topic }) => topic));
  const noted = (notes?.topics ?? []).filter(
    ({ topic, type }) => topic !== '' && type !== '' && !known.has(topic),
  );
  return [
    ...channels,
    ...noted.map(({ topic, type, serialization, typeHash, profiles }) => ({
      topic,
      type,
      schemaEncoding: '',
      schemaData: new Uint8Array(),
      messageEncoding: serialization,
      metadata: new Map([
        ['offered_qos_profiles', profileLines(profiles).join('\n')],
        ...(typeHash === '' ? [] : [['topic_type_hash', typeHash] as const]),
      ]),
    })),
  ];
}

/** What a copy of the bag says of its origin, in the words of rosbag2. */
export function originOf({ notes }: Bag): { customData: Record<string, string>; rosDistro: string } {
  const { customData = {}, rosDistro = '', compressionFormat = '', compressionMode = '' } = notes ?? {};
  // The files of a copy have a compression of their own.
  const compression =
    compressionMode === '' ? {} : { source_compression: `${compressionFormat} ${compressionMode}` };
  return { customData: { ...customData, ...compression }, rosDistro };
}

function cancelled(path: string): EdgeError {
  return new EdgeError('run.cancelled', {
    operation: 'copy-bag',
    subject: path,
    message: 'cancelled; nothing was kept',
  });
}

class Copy {
  readonly #writer: BagWriter;
  readonly #options: CopyOptions;
  readonly #hash = new ContentHash();
  readonly #counts = new Map<string, number>();
  readonly #lastNs = new Map<string, bigint>();
  #messages = 0;
  #bytes = 0;
  latched = 0;

  constructor(writer: BagWriter, options: CopyOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  /** Whether decimation leaves this message. */
  isDue({ channel: { topic }, logTime }: BagMessage): boolean {
    const { every } = this.#options;
    if (!every) return true;
    if ('count' in every) {
      const count = this.#counts.get(topic) ?? 0;
      this.#counts.set(topic, count + 1);
      return count % every.count === 0;
    }
    const last = this.#lastNs.get(topic);
    if (last !== undefined && logTime - last < every.ns) return false;
    this.#lastNs.set(topic, logTime);
    return true;
  }

  async take(message: BagMessage): Promise<void> {
    this.#hash.add(message);
    this.#messages += 1;
    this.#bytes += message.bytes.length;
    await this.#writer.write(message);
    if (this.#messages % PROGRESS_MESSAGES !== 0) return;
    // Ctrl-C and progress need the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    this.#options.onProgress?.({ messages: this.#messages, bytes: this.#bytes, timeNs: message.logTime });
  }

  result() {
    const contentSha256 = this.#hash.digest();
    return { messages: this.#messages, bytes: this.#bytes, latched: this.latched, contentSha256 };
  }
}

/** The content of a recording, whatever container it is in. Publish times are left out: SQLite bags have none. */
export class ContentHash {
  readonly #hash: Hash = createHash('sha256');
  readonly #heads = new Map<object, string>();

  add({ channel, logTime, bytes }: BagMessage): void {
    let head = this.#heads.get(channel);
    if (head === undefined) {
      head = JSON.stringify([channel.topic, channel.type]);
      this.#heads.set(channel, head);
    }
    this.#hash.update(`${head} ${logTime} ${bytes.length}\n`);
    this.#hash.update(bytes);
  }

  digest(): string {
    return this.#hash.digest('hex');
  }
}
