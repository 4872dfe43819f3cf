import { constants } from 'node:fs';
import { lstat, open, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { DocumentFile, DocumentShelf } from '../../contract/core.ts';

/** Files of all folders together, names that are looked at, and folders within folders. */
const FILES_MAX = 5_000;
const NAMES_MAX = 50_000;
const DEPTH_MAX = 12;
const NOTES_MAX = 8;
const NAME_CHARS_MAX = 900;
const TEXT = /\.(?:md|markdown|txt|text)$/i;

export type ShelfOptions = {
  /** Absolute paths of files and folders. */
  readonly places: readonly string[];
  /** A larger file is left out, bytes. */
  readonly bytesMax: number;
};

/**
 * Texts (.md, .txt) in folders and below. Links are not followed: a folder shows what is in it and nothing else. Hidden
 * files and folders are left out.
 */
export class FolderShelf implements DocumentShelf {
  readonly #options: ShelfOptions;
  /** By name, as of the last list. */
  #paths = new Map<string, string>();

  constructor(options: ShelfOptions) {
    this.#options = options;
  }

  async list(): Promise<{ readonly files: readonly DocumentFile[]; readonly notes: readonly string[] }> {
    const walk = new Walk(this.#options.bytesMax);
    const names = new Map<string, number>();
    for (const place of this.#options.places) {
      const plain = basename(place) || 'root';
      const count = (names.get(plain) ?? 0) + 1;
      names.set(plain, count);
      await walk.visit(place, count === 1 ? plain : `${plain}~${count}`, 0);
    }
    this.#paths = walk.paths;
    return { files: walk.files, notes: walk.notes() };
  }

  async read(name: string): Promise<string | undefined> {
    const path = this.#paths.get(name);
    if (path === undefined) return undefined;
    try {
      // Not through a link that came since it was listed, nor into a pipe that gives nothing.
      const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const { bytesMax } = this.#options;
        const bytes = Buffer.alloc(Math.min(bytesMax + 1, (await file.stat()).size + 1));
        const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
        if (bytesRead > bytesMax || bytes.subarray(0, bytesRead).includes(0)) return undefined;
        return bytes.toString('utf8', 0, bytesRead);
      } finally {
        await file.close();
      }
    } catch {
      return undefined;
    }
  }
}

class Walk {
  readonly files: DocumentFile[] = [];
  readonly paths = new Map<string, string>();
  readonly #bytesMax: number;
  readonly #missing: string[] = [];
  #looked = 0;
  #large = 0;
  #cut = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  async visit(path: string, name: string, depth: number): Promise<void> {
    if (++this.#looked > NAMES_MAX || this.files.length >= FILES_MAX || depth > DEPTH_MAX) {
      this.#cut = true;
      return;
    }
    try {
      const stat = await lstat(path, { bigint: true });
      if (stat.isDirectory()) {
        const below = (await readdir(path)).filter((one) => !one.startsWith('.')).toSorted();
        for (const one of below) await this.visit(join(path, one), `${name}/${one}`, depth + 1);
        return;
      }
      if (!stat.isFile() || !TEXT.test(path) || name.length > NAME_CHARS_MAX) {
        if (depth === 0) this.#missing.push(`${path}: neither a folder nor a text (.md, .txt)`);
        return;
      }
      if (stat.size > BigInt(this.#bytesMax)) {
        this.#large += 1;
        return;
      }
      const { ino, size, mtimeNs, ctimeNs } = stat;
      const stamp = [ino, size, mtimeNs, ctimeNs].join('.');
      this.files.push({ name, changedUs: Number(mtimeNs / 1_000n), stamp });
      this.paths.set(name, path);
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      this.#missing.push(`${path}: ${code === 'ENOENT' ? 'is not there' : message}`);
    }
  }

  notes(): readonly string[] {
    const more = this.#missing.length - NOTES_MAX;
    return [
      ...this.#missing.slice(0, NOTES_MAX).map((text) => `document ${text}`.slice(0, 512)),
      ...(more > 0 ? [`${more} more documents cannot be read`] : []),
      ...(this.#large > 0 ? [`${this.#large} documents are larger than recall.document_size`] : []),
      ...(this.#cut ? [`documents beyond ${FILES_MAX} files, or too deep, are left out`] : []),
    ];
  }
}
