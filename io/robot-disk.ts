import { EdgeError } from '../contract/edge-error.ts';
import { LINK_LIMITS } from '../contract/link-limits.ts';
import { leafHash } from '../formats/merkle/index.ts';
import { DiskFolder, isLeftOver } from './disk-folder.ts';

/** The folder of all robots on a disk. */
export const DISK_FOLDER = 'auraison-link';
const MANIFEST = 'manifest.json';
const PIECES = 'pieces';
const RECEIPTS = 'receipts';
const PIECE = /^[0-9a-f]{64}$/;
const SHELF = /^[0-9a-f]{2}$/;
const RECEIPT_FILE = /^[0-9a-f]{16}-[0-9]{1,4}\.json$/;
/** Entries of one folder that are looked at: more than any honest disk has. */
const ENTRIES_MAX = 200_000;

/** Robots that have a folder on the disk at `dir`, sorted; files beside them are passed over. Throws `link.refused`, `bag.unwritable`. */
export async function robotsOnDisk(dir: string): Promise<string[]> {
  const root = await DiskFolder.open(dir);
  try {
    const all = await root.folder(DISK_FOLDER, false);
    if (!all) return [];
    try {
      const robots: string[] = [];
      for (const name of await all.names(LINK_LIMITS.LINK_DISK_ROBOTS_MAX))
        if (!(await all.isFile(name))) robots.push(name);
      return robots;
    } finally {
      await all.close();
    }
  } finally {
    await root.close();
  }
}

/** The folder of one robot on a disk, by LINK.md: manifest, pieces, receipts. Folders of other robots are never opened. */
export class RobotDisk {
  readonly #own: DiskFolder;
  readonly #pieces: DiskFolder;
  readonly #receipts: DiskFolder;
  readonly #shelves = new Map<string, DiskFolder>();
  /** Folders whose names are not durable yet. */
  readonly #unsynced = new Set<DiskFolder>();

  private constructor(own: DiskFolder, pieces: DiskFolder, receipts: DiskFolder) {
    this.#own = own;
    this.#pieces = pieces;
    this.#receipts = receipts;
  }

  /** Undefined: the robot has no folder there, and none is to be made. Throws `link.refused`, `bag.unwritable`. */
  static async open(dir: string, robot: string, isMade: boolean): Promise<RobotDisk | undefined> {
    const opened: DiskFolder[] = [];
    try {
      const root = await DiskFolder.open(dir);
      opened.push(root);
      const all = await root.folder(DISK_FOLDER, isMade);
      if (!all) return undefined;
      opened.push(all);
      const own = await all.folder(robot, isMade);
      if (!own) return undefined;
      const [pieces, receipts] = await bothIn(own);
      if (isMade) for (const folder of [own, all, root]) await folder.sync();
      return new RobotDisk(own, pieces, receipts);
    } finally {
      for (const folder of opened) await folder.close();
    }
  }

  get path(): string {
    return this.#own.path;
  }

  async manifest(): Promise<Buffer | undefined> {
    return await this.#own.read(MANIFEST, LINK_LIMITS.LINK_DISK_MANIFEST_BYTES_MAX);
  }

  /** Everything written before is durable first, so that a manifest never lists what is not there. */
  async writeManifest(bytes: Uint8Array): Promise<void> {
    for (const folder of this.#unsynced) await folder.sync();
    this.#unsynced.clear();
    await this.#own.write(MANIFEST, bytes);
    await this.#own.sync();
  }

  /** The bytes of a piece; undefined: not there, or what is there is something else than its name says. */
  async piece(name: string, bytesMax: number = LINK_LIMITS.LINK_DISK_PIECE_BYTES_MAX) {
    const shelf = await this.#shelf(name, false);
    const bytes = await shelf?.read(name, bytesMax);
    return bytes && leafHash(bytes).toString('hex') === name ? bytes : undefined;
  }

  async writePiece(name: string, bytes: Uint8Array): Promise<void> {
    const shelf = (await this.#shelf(name, true))!;
    await shelf.write(name, bytes);
    this.#unsynced.add(shelf);
  }

  /** Bytes that the disk still takes. */
  async freeBytes(): Promise<number> {
    return await this.#own.freeBytes();
  }

  /** Pieces that are not in `kept`, and what an interrupted export left, go. Returns how many. */
  async tidy(kept: ReadonlySet<string>): Promise<number> {
    let removed = 0;
    for (const shelfName of await this.#pieces.names(ENTRIES_MAX)) {
      if (!SHELF.test(shelfName)) continue;
      const shelf = (await this.#shelf(shelfName, false))!;
      for (const name of await shelf.names(ENTRIES_MAX)) {
        if (!isLeftOver(name) && (!PIECE.test(name) || kept.has(name))) continue;
        await shelf.remove(name);
        removed += 1;
      }
    }
    for (const folder of [this.#own, this.#receipts])
      for (const name of await folder.names(ENTRIES_MAX)) if (isLeftOver(name)) await folder.remove(name);
    return removed;
  }

  /** Names of files with receipts, sorted by coordinator and number. */
  async receiptFiles(): Promise<string[]> {
    const found = (await this.#receipts.names(ENTRIES_MAX)).filter((name) => RECEIPT_FILE.test(name));
    // The number counts: the last file of a coordinator has its newest head.
    if (found.length <= LINK_LIMITS.LINK_DISK_RECEIPT_FILES_MAX)
      return found.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    throw new EdgeError('link.refused', {
      ...{ operation: 'read receipts', subject: this.#receipts.path },
      message: `${this.#receipts.path}: expected at most ${LINK_LIMITS.LINK_DISK_RECEIPT_FILES_MAX} files, found ${found.length}`,
    });
  }

  async receipts(name: string): Promise<Buffer | undefined> {
    return await this.#receipts.read(name, LINK_LIMITS.LINK_DISK_RECEIPTS_BYTES_MAX);
  }

  /** `number`: from 0; those of the same coordinator from `number` on are replaced one by one. */
  async writeReceipts(keyId: string, number: number, text: string): Promise<void> {
    await this.#receipts.write(`${keyId}-${number}.json`, Buffer.from(text));
    await this.#receipts.sync();
  }

  /** Receipts of an earlier import at the same coordinator that had more files. */
  async dropReceipts(keyId: string, from: number): Promise<void> {
    for (const name of await this.receiptFiles()) {
      const [key, number] = name.replace('.json', '').split('-');
      if (key === keyId && Number(number) >= from) await this.#receipts.remove(name);
    }
    await this.#receipts.sync();
  }

  async close(): Promise<void> {
    for (const folder of [...this.#shelves.values(), this.#pieces, this.#receipts, this.#own])
      await folder.close();
  }

  /** Pieces lie in 256 folders: small disks have few entries in one. */
  async #shelf(piece: string, isMade: boolean): Promise<DiskFolder | undefined> {
    const name = piece.slice(0, 2);
    const known = this.#shelves.get(name);
    if (known) return known;
    const shelf = await this.#pieces.folder(name, isMade);
    if (!shelf) return undefined;
    this.#shelves.set(name, shelf);
    this.#unsynced.add(this.#pieces);
    return shelf;
  }
}

async function bothIn(own: DiskFolder): Promise<[DiskFolder, DiskFolder]> {
  let pieces: DiskFolder | undefined;
  try {
    pieces = (await own.folder(PIECES, true))!;
    return [pieces, (await own.folder(RECEIPTS, true))!];
  } catch (error) {
    await pieces?.close();
    await own.close();
    throw error;
  }
}
