import { createHash } from 'node:crypto';
import { writevSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import {
  ChunkBuilder,
  compressLz4,
  McapWriter,
  type Packed,
  type Pending,
  type Schema,
  writeMessageHead,
} from '../../formats/mcap/index.ts';
import { schemaFor } from '../../formats/ros2/index.ts';
import type { BagChannel, BagExtra, BagMessage } from './bag.ts';
import {
  type BagFileOutput,
  type Compression,
  type OutputOptions,
  Tally,
  type WrittenFile,
} from './bag-output.ts';
import { malformed } from './malformed.ts';

const MESSAGE_HEAD_BYTES = 31;
/** Large enough to compress well, small enough to seek in. */
const CHUNK_BYTES = 4 * 1024 * 1024;
const IDS_MAX = 65_535;
const zstd = promisify(zstdCompress);

/** One MCAP file, written from its first byte to its footer. */
export class McapOutput implements BagFileOutput {
  readonly path: string;
  readonly #handle: FileHandle;
  readonly #writer = new McapWriter();
  readonly #builder = new ChunkBuilder();
  readonly #compression: Compression;
  readonly #chunkBytes: number;
  readonly #channels = new Map<BagChannel, number>();
  readonly #channelIds = new Map<string, number>();
  readonly #schemas = new Map<string, Schema>();
  readonly #tally = new Tally();
  /** Channels of the chunk being filled that the file does not name yet. */
  #declarations: (() => Pending)[] = [];
  #memory: Buffer;
  #filled = 0;

  private constructor(path: string, handle: FileHandle, options: OutputOptions) {
    this.path = path;
    this.#handle = handle;
    this.#compression = options.compression ?? 'none';
    this.#chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    this.#memory = Buffer.allocUnsafe(Math.min(this.#chunkBytes, CHUNK_BYTES));
  }

  /** Makes the file; it must not be there yet. */
  static async create(path: string, options: OutputOptions = {}): Promise<McapOutput> {
    const output = new McapOutput(path, await open(path, 'wx', 0o644), options);
    output.#put(output.#writer.begin({ profile: 'ros2', library: options.library ?? 'auraison-edge' }));
    return output;
  }

  write(message: BagMessage): Promise<void> | undefined {
    const id = this.#channels.get(message.channel) ?? this.#declare(message.channel);
    const { bytes, sequence, logTime, publishTime } = message;
    const length = MESSAGE_HEAD_BYTES + bytes.length;
    this.#reserve(length);
    const view = new DataView(this.#memory.buffer, this.#memory.byteOffset, this.#memory.length);
    writeMessageHead(view, this.#filled, id, sequence, logTime, publishTime, bytes.length);
    this.#memory.set(bytes, this.#filled + MESSAGE_HEAD_BYTES);
    this.#filled += length;
    this.#tally.add(message);
    return this.#filled >= this.#chunkBytes ? this.#flush() : undefined;
  }

  declare(channel: BagChannel): void {
    if (!this.#channels.has(channel)) this.#declare(channel);
    this.#tally.declare(channel);
  }

  async extra(extra: BagExtra): Promise<void> {
    await this.#flush();
    if (extra.kind === 'metadata') this.#put(this.#writer.metadata(extra.name, extra.values));
    else this.#put(this.#writer.attachment(extra));
  }

  bytes(): number {
    return this.#writer.offset + this.#filled;
  }

  async finish(): Promise<WrittenFile> {
    await this.#flush();
    this.#put(this.#writer.end());
    await this.#handle.sync();
    await this.#handle.close();
    return this.#tally.written(this.path, this.#writer.offset);
  }

  async abort(): Promise<void> {
    await this.#handle.close().catch(() => {});
    await unlink(this.path).catch(() => {});
  }

  #reserve(length: number): void {
    const need = this.#filled + length;
    if (need <= this.#memory.length) return;
    const larger = Buffer.allocUnsafe(
      Math.max(need, Math.min(this.#memory.length * 2, this.#chunkBytes + length)),
    );
    larger.set(this.#memory.subarray(0, this.#filled));
    this.#memory = larger;
  }

  async #flush(): Promise<void> {
    for (const declare of this.#declarations) this.#put(declare());
    this.#declarations = [];
    if (this.#filled === 0) return;
    const part = this.#memory.subarray(0, this.#filled);
    this.#builder.clear();
    this.#builder.add(part);
    this.#put(this.#writer.chunk(this.#builder, await this.#pack(part)));
    this.#filled = 0;
  }

  async #pack(part: Buffer): Promise<Packed | undefined> {
    if (this.#compression === 'none') return undefined;
    const bytes = this.#compression === 'lz4' ? compressLz4([part]) : await zstd(part);
    return { compression: this.#compression, bytes };
  }

  /** Equal channels of several inputs become one. */
  #declare(channel: BagChannel): number {
    const schema = this.#schemaFor(channel);
    const { topic, messageEncoding, metadata } = channel;
    const key = JSON.stringify([topic, messageEncoding, schema?.id ?? 0, [...metadata].sort()]);
    let id = this.#channelIds.get(key);
    if (id === undefined) {
      id = this.#channelIds.size;
      if (id > IDS_MAX) throw malformed(this.path, `an MCAP file holds ${IDS_MAX} channels at most`);
      this.#channelIds.set(key, id);
      const record = { id, schemaId: schema?.id ?? 0, topic, messageEncoding, metadata };
      this.#declarations.push(() => this.#writer.channel(record, schema));
    }
    this.#channels.set(channel, id);
    return id;
  }

  /** Bags of SQLite before Iron carry no definitions: those that this host knows are added, as rosbag2 does. */
  #schemaFor(channel: BagChannel): Schema | undefined {
    const { type } = channel;
    if (type === '') return undefined;
    const filled = channel.schemaData.length > 0 ? undefined : schemaFor(type);
    const schemaEncoding = filled?.encoding ?? channel.schemaEncoding;
    const schemaData = filled ? new TextEncoder().encode(filled.data) : channel.schemaData;
    const key = `${type}\n${schemaEncoding}\n${createHash('sha256').update(schemaData).digest('hex')}`;
    const known = this.#schemas.get(key);
    if (known) return known;
    const id = this.#schemas.size + 1;
    if (id > IDS_MAX) throw malformed(this.path, `an MCAP file holds ${IDS_MAX} schemas at most`);
    const schema = { id, name: type, encoding: schemaEncoding, data: schemaData.slice() };
    this.#schemas.set(key, schema);
    return schema;
  }

  #put(pending: Pending): void {
    let rest: Uint8Array[] = pending.buffers.filter((buffer) => buffer.length > 0);
    let at = pending.offset;
    while (rest.length > 0) {
      let written = writevSync(this.#handle.fd, rest.slice(0, 1024), at);
      at += written;
      while (rest[0] && written >= rest[0].length) written -= rest.shift()!.length;
      if (written > 0) rest = [rest[0]!.subarray(written), ...rest.slice(1)];
    }
    pending.commit();
  }
}
