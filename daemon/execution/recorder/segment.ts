import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import type {
  Channel,
  ChunkBuilder,
  McapWriter,
  Packed,
  Pending,
  Schema,
} from '../../../formats/mcap/index.ts';
import { FileHasher } from './file-hasher.ts';
import { syncFolder, writeAll } from './files.ts';

/** Suffix of a segment that is not sealed yet. */
export const ACTIVE = '.active';

/**
 * One MCAP file being written. A failed write is truncated, so that the file ends with its last whole chunk
 * and the summary stays true; the caller then seals it. Calls come one after another, except `sync` and
 * `hashSome`, which may run beside writes.
 */
export class Segment {
  /** Where it will be once sealed. */
  readonly path: string;
  readonly openedMs: number;
  readonly #writer: McapWriter;
  readonly #handle: FileHandle;
  readonly #hasher: FileHasher;
  #hashing: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #syncFault: unknown;
  #synced = 0;
  #syncingTo = 0;

  private constructor(
    path: string,
    openedMs: number,
    writer: McapWriter,
    handle: FileHandle,
    hasher: FileHasher,
  ) {
    this.path = path;
    this.openedMs = openedMs;
    this.#writer = writer;
    this.#handle = handle;
    this.#hasher = hasher;
  }

  /** Creates `<path>.active`; refuses to overwrite. The file and its name are durable when this resolves. */
  static async create(path: string, library: string, writer: McapWriter, nowMs: number): Promise<Segment> {
    const active = path + ACTIVE;
    const handle = await open(active, 'wx', 0o644);
    try {
      const begin = writer.begin({ profile: 'ros2', library });
      writeAll(handle.fd, begin.buffers, begin.offset);
      begin.commit();
      await handle.sync();
      await syncFolder(dirname(path));
      return new Segment(path, nowMs, writer, handle, await FileHasher.open(active));
    } catch (error) {
      await handle.close().catch(() => {});
      await unlink(active).catch(() => {});
      throw error;
    }
  }

  get bytes(): number {
    return this.#writer.offset;
  }

  get summary() {
    return this.#writer.summary;
  }

  hasChannel(id: number): boolean {
    return this.#writer.hasChannel(id);
  }

  declare(channel: Channel, schema: Schema | undefined): Promise<void> {
    return this.#append(this.#writer.channel(channel, schema));
  }

  writeChunk(chunk: ChunkBuilder, packed?: Packed): Promise<void> {
    return this.#append(this.#writer.chunk(chunk, packed));
  }

  async #append(pending: Pending): Promise<void> {
    try {
      writeAll(this.#handle.fd, pending.buffers, pending.offset);
    } catch (error) {
      await this.#handle.truncate(pending.offset).catch(() => {});
      throw error;
    }
    pending.commit();
  }

  /** Bytes that no sync has been asked for yet. */
  get unsyncedBytes(): number {
    return this.#writer.offset - Math.max(this.#synced, this.#syncingTo);
  }

  /** All of it is on the disk, and it was opened later than this. */
  isAtRest(openedAfterMs: number): boolean {
    const isSynced = this.#syncFault === undefined && this.#synced === this.#writer.offset;
    return isSynced && this.openedMs > openedAfterMs;
  }

  /** Makes everything written so far durable. Calls during a sync wait for it and need no second one. */
  sync(): Promise<void> {
    if (this.#synced === this.#writer.offset) return Promise.resolve();
    this.#syncing ??= this.#syncNow().finally(() => {
      this.#syncing = undefined;
    });
    return this.#syncing;
  }

  /** As `sync`, of all that is written now: also of what a running sync does not cover. */
  async syncWritten(): Promise<void> {
    for (const upTo = this.#writer.offset; this.#synced < upTo; ) {
      await this.sync();
      this.#requireSynced();
    }
  }

  async #syncNow(): Promise<void> {
    const upTo = this.#writer.offset;
    this.#syncingTo = upTo;
    try {
      await this.#handle.datasync();
    } catch (error) {
      this.#syncFault = error;
      throw error;
    }
    // After a failure success says nothing: see below.
    if (this.#syncFault === undefined) this.#synced = upTo;
  }

  /** Where a sync failed: behind this byte nothing is known to be on the disk. */
  get suspectFrom(): number | undefined {
    return this.#syncFault === undefined ? undefined : this.#synced;
  }

  /** Why a sync failed, for any caller; undefined: none did. */
  get syncFault(): unknown {
    return this.#syncFault;
  }

  /** The kernel reports lost pages once: a sync of the same handle after that succeeds and says nothing. */
  #requireSynced(): void {
    if (this.#syncFault !== undefined) throw this.#syncFault;
  }

  /** Hashes a little of what is written; false when there is nothing left to hash. */
  async hashSome(): Promise<boolean> {
    if (this.#hasher.position >= this.#writer.offset) return false;
    this.#hashing ??= this.#hasher.step(this.#writer.offset).finally(() => {
      this.#hashing = undefined;
    });
    await this.#hashing;
    return true;
  }

  /**
   * Writes losses, summary and footer and makes them durable. No write may follow. Rejects where a sync failed
   * before: what the file holds is for the repair to find out.
   */
  async end(
    losses: ReadonlyMap<string, string> | undefined,
    notes: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map(),
  ): Promise<void> {
    this.#requireSynced();
    for (const [name, facts] of notes) await this.#append(this.#writer.metadata(name, facts));
    if (losses) await this.#append(this.#writer.metadata('auraison.losses', losses));
    await this.#append(this.#writer.end());
    await this.#syncing?.catch(() => {});
    this.#requireSynced();
    try {
      await this.#handle.sync();
    } catch (error) {
      this.#syncFault = error;
      throw error;
    }
    await this.#handle.close();
  }

  /** The hash of the ended file. Takes as long as reading it, so it runs beside the next segment. */
  async digest(onProgress: () => void): Promise<string> {
    await this.#hashing?.catch(() => {});
    return this.#hasher.digest(this.#writer.offset, onProgress);
  }

  /** Gives the ended file its final name, durably; where that fails it keeps the one it has. */
  async publish(): Promise<void> {
    await rename(this.path + ACTIVE, this.path);
    try {
      await syncFolder(dirname(this.path));
    } catch (error) {
      await rename(this.path, this.path + ACTIVE);
      throw error;
    }
  }

  /** Lets go of a file that could not be ended; the repair takes it up later. */
  async abandon(): Promise<void> {
    await this.#syncing?.catch(() => {});
    await this.#hashing?.catch(() => {});
    await this.#handle.close().catch(() => {});
    await this.#hasher.close().catch(() => {});
  }
}
