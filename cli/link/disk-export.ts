import { type DiskLeft, type DiskNext, type DiskOpened, EdgeError, LIMITS } from '../../contract/core.ts';
import type { ApiClient } from '../../daemon/client/api-client.ts';
import { HASH_BYTES, leafHash } from '../../formats/merkle/index.ts';
import { DiskFolder } from '../../io/disk-folder.ts';
import { RobotDisk } from '../../io/robot-disk.ts';

type Item = NonNullable<DiskNext['item']>;

export type DiskExportOptions = {
  readonly dir: string;
  readonly lanes: readonly string[];
  readonly all: boolean;
  /** Bytes of everything that the manifest lists; undefined: as much as the disk has room for. */
  readonly maxBytes: number | undefined;
  readonly monotonicMs: () => number;
  readonly onProgress: (bytes: number, of: number) => void;
};

export type DiskExported = {
  readonly robot: string;
  readonly folder: string;
  readonly events: number;
  readonly files: number;
  readonly bytes: number;
  /** Bytes that an export before this one had left on the disk, and that were right. */
  readonly bytes_there: number;
  /** Nothing is left but what `left` says. */
  readonly complete: boolean;
  /** Why it ended early; empty: it did not. */
  readonly stopped: string;
  readonly left: readonly DiskLeft[];
};

/** The list on the disk is renewed after so many bytes, or so long, so that a disk that is pulled out has most of it. */
const SIGN_BYTES = 256 * 1024 * 1024;
const SIGN_MS = 5_000;
const STEP_MS = 60_000;
/** Left for the list and for receipts: in all, and for each item. */
const ROOM_BYTES = 256 * 1024;
const ROOM_ITEM_BYTES = 2 * 1024;

/** Writes what the daemon gives out to a disk. What is there already is read and compared, never trusted. */
export class DiskExport {
  readonly #api: ApiClient;
  readonly #options: DiskExportOptions;
  readonly #disk: RobotDisk;
  readonly #opened: DiskOpened;
  /** Names of the pieces of each item. */
  readonly #items: { readonly item: Item; readonly names: readonly string[] }[] = [];
  #names: string[] = [];
  #bytes = 0;
  #there = 0;
  #signed = { bytes: 0, atMs: 0, items: -1 };

  private constructor(api: ApiClient, options: DiskExportOptions, disk: RobotDisk, opened: DiskOpened) {
    this.#api = api;
    this.#options = options;
    this.#disk = disk;
    this.#opened = opened;
    this.#signed.atMs = options.monotonicMs();
  }

  /**
   * Rejects with `cell.unavailable` (no daemon), `config.invalid` (no key of its own), `link.refused`, `bag.unwritable` (the disk).
   * A full disk is no error: `stopped` says so, and what is on the disk is a valid part.
   */
  static async run(api: ApiClient, options: DiskExportOptions): Promise<DiskExported> {
    await (await DiskFolder.open(options.dir)).close();
    const { lanes, all } = options;
    const opened = await api.post<DiskOpened>('/v1/link/disk', { lanes, all });
    const disk = (await RobotDisk.open(options.dir, opened.robot, true))!;
    try {
      return await new DiskExport(api, options, disk, opened).#run();
    } finally {
      await disk.close();
    }
  }

  async #run(): Promise<DiskExported> {
    const { maxBytes } = this.#options;
    let stopped = '';
    let left: readonly DiskLeft[] = [];
    for (;;) {
      const next = await this.#ask<DiskNext>('/v1/link/disk/next', {});
      if (next.state === 'working') {
        this.#progress(next.read ?? 0);
        continue;
      }
      left = next.left ?? [];
      const { item } = next;
      if (!item) break;
      if (maxBytes !== undefined && this.#bytes + sizeOf(item) > maxBytes) {
        stopped = `${item.lane} ${item.name} would go beyond --max-bytes ${maxBytes}`;
        break;
      }
      try {
        await this.#take(item);
        if (this.#isDue()) await this.#sign();
      } catch (error) {
        if (!isFull(error)) throw error;
        stopped = `the disk is full at ${item.lane} ${item.name}`;
        break;
      }
    }
    await this.#finish();
    const isFullList = left.some(({ lane }) => lane === 'all');
    return {
      robot: this.#opened.robot,
      folder: this.#disk.path,
      events: this.#items.reduce((sum, { item }) => sum + item.events, 0),
      files: this.#items.filter(({ item }) => item.events === 0).length,
      bytes: this.#bytes,
      bytes_there: this.#there,
      complete: stopped === '' && !isFullList,
      stopped,
      left,
    };
  }

  /** All of the item is on the disk when this resolves. */
  async #take(item: Item): Promise<void> {
    this.#names = [];
    if (item.piece !== undefined) await this.#piece(item, item.piece, 0, item.bytes);
    else {
      const parts = Math.ceil(item.bytes / item.part_bytes!);
      const leaves = await this.#piece(item, item.tree!, -1, parts * HASH_BYTES);
      for (let part = 0; part < parts; part++) {
        const name = leaves.subarray(part * HASH_BYTES, (part + 1) * HASH_BYTES).toString('hex');
        const offset = part * item.part_bytes!;
        await this.#piece(item, name, part, Math.min(item.part_bytes!, item.bytes - offset));
        this.#progress(offset);
      }
    }
    this.#items.push({ item, names: this.#names });
    this.#names = [];
    this.#bytes += sizeOf(item);
    this.#progress(0);
  }

  async #piece(item: Item, name: string, part: number, size: number): Promise<Buffer> {
    this.#names.push(name);
    // What a disk returns that is damaged, or of another kind, is written again.
    const there = await this.#disk.piece(name, LIMITS.LINK_DISK_PIECE_BYTES_MAX);
    if (there?.length === size) {
      this.#there += size;
      return there;
    }
    const query = new URLSearchParams({
      session: this.#opened.session,
      ...{ item: String(item.number), part: String(part) },
    });
    const answer = await this.#api.stream(`/v1/link/disk/piece?${query}`, {}, AbortSignal.timeout(STEP_MS));
    const bytes = Buffer.from(await answer.arrayBuffer());
    if (bytes.length !== size || leafHash(bytes).toString('hex') !== name) throw changed(item.name);
    try {
      await this.#write(name, bytes);
    } catch (error) {
      // What earlier exports left makes room first.
      if (!isFull(error) || (await this.#tidy(this.#names)) === 0) throw error;
      await this.#write(name, bytes);
    }
    return bytes;
  }

  /** A disk that is full to the last byte could not take the receipts. */
  async #write(name: string, bytes: Buffer): Promise<void> {
    const room = ROOM_BYTES + ROOM_ITEM_BYTES * (this.#items.length + 1);
    if ((await this.#disk.freeBytes()) < bytes.length + room)
      throw new EdgeError('quota.exceeded', {
        ...{ operation: 'export to disk', subject: this.#disk.path, message: 'the disk is full' },
        hint: 'hand this disk over, then export the rest to it or to another one',
      });
    await this.#disk.writePiece(name, bytes);
  }

  #isDue(): boolean {
    const { bytes, atMs } = this.#signed;
    return this.#bytes - bytes >= SIGN_BYTES || this.#options.monotonicMs() - atMs >= SIGN_MS;
  }

  /** A new list on the disk. Throws `quota.exceeded` where it has no room. */
  async #sign(): Promise<void> {
    const items = this.#items.length;
    const body = { session: this.#opened.session, items };
    const { payload } = await this.#api.postBytes(
      '/v1/link/disk/manifest',
      { payload: Buffer.from(JSON.stringify(body)), encoding: 'application/json' },
      STEP_MS,
    );
    await this.#disk.writeManifest(payload);
    this.#signed = { bytes: this.#bytes, atMs: this.#options.monotonicMs(), items };
  }

  /** The last list. On a full disk the last items make room for it, one by one. */
  async #finish(): Promise<void> {
    for (;;) {
      try {
        await this.#sign();
        break;
      } catch (error) {
        if (!isFull(error)) throw error;
        const removed = await this.#tidy([]);
        const last = removed > 0 ? undefined : this.#items.pop();
        if (removed === 0 && !last) throw error;
        if (last) this.#bytes -= sizeOf(last.item);
      }
    }
    await this.#tidy([]);
  }

  /** Pieces of no item, and not in `more`, go. */
  async #tidy(more: readonly string[]): Promise<number> {
    return await this.#disk.tidy(new Set([...this.#items.flatMap(({ names }) => names), ...more]));
  }

  async #ask<T>(path: string, body: object): Promise<T> {
    return await this.#api.post<T>(path, { session: this.#opened.session, ...body }, STEP_MS);
  }

  #progress(ofItem: number): void {
    this.#options.onProgress(this.#bytes + ofItem, Math.max(this.#opened.file_bytes, this.#bytes));
  }
}

function sizeOf({ bytes, tree, part_bytes }: Item): number {
  return bytes + (tree === undefined ? 0 : Math.ceil(bytes / part_bytes!) * HASH_BYTES);
}

function isFull(error: unknown): boolean {
  return error instanceof EdgeError && error.code === 'quota.exceeded';
}

function changed(name: string): EdgeError {
  return new EdgeError('link.refused', {
    ...{ operation: 'export to disk', subject: name },
    message: `${name}: what the daemon gave is not what it listed`,
    hint: 'run the same command again: it continues with what is on the disk',
  });
}
