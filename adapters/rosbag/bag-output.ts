import type { BagChannel, BagExtra, BagMessage } from './bag.ts';

export type Compression = 'none' | 'zstd' | 'lz4';

export type OutputOptions = {
  readonly compression?: Compression;
  /** A chunk is written when it has this many bytes. */
  readonly chunkBytes?: number;
  /** Name of the writing program, for the file. */
  readonly library?: string;
};

export type WrittenTopic = {
  readonly type: string;
  readonly messages: number;
  readonly qosProfiles: string;
  readonly typeHash: string;
};

/** A file that is complete and durable. */
export type WrittenFile = {
  readonly path: string;
  readonly bytes: number;
  readonly messages: number;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly topics: ReadonlyMap<string, WrittenTopic>;
};

/**
 * A recording being written. Messages are kept byte for byte with their times, channels and definitions. The
 * caller's bytes may change after `write` resolved. `finish` makes it durable; `abort` removes what was written.
 * Every promise rejects with the I/O error, or `bag.malformed` for what this storage cannot hold.
 */
export interface BagFileOutput {
  readonly path: string;
  write(message: BagMessage): Promise<void> | undefined;
  /** Enters a topic, also one that gets no message. */
  declare(channel: BagChannel): void;
  extra(extra: BagExtra): Promise<void>;
  /** Bytes of the file so far, and of what will be written next. */
  bytes(): number;
  finish(): Promise<WrittenFile>;
  abort(): Promise<void>;
}

/** Counts the messages of a file, for its metadata. */
export class Tally {
  readonly #topics = new Map<
    string,
    { type: string; messages: number; qosProfiles: string; typeHash: string }
  >();
  messages = 0;
  startNs = 0n;
  endNs = 0n;

  declare(channel: BagChannel): void {
    if (!this.#topics.has(channel.topic)) this.#topics.set(channel.topic, entryOf(channel, 0));
  }

  add({ channel, logTime }: BagMessage): void {
    if (this.messages === 0 || logTime < this.startNs) this.startNs = logTime;
    if (this.messages === 0 || logTime > this.endNs) this.endNs = logTime;
    this.messages += 1;
    const known = this.#topics.get(channel.topic);
    if (known) {
      known.messages += 1;
      return;
    }
    this.#topics.set(channel.topic, entryOf(channel, 1));
  }

  written(path: string, bytes: number): WrittenFile {
    const { messages, startNs, endNs } = this;
    return { path, bytes, messages, startNs, endNs, topics: this.#topics };
  }
}

function entryOf({ type, metadata }: BagChannel, messages: number) {
  const qosProfiles = metadata.get('offered_qos_profiles') ?? '';
  return { type, messages, qosProfiles, typeHash: metadata.get('topic_type_hash') ?? '' };
}
