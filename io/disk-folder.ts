import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, opendir, realpath, rename, rm, statfs } from 'node:fs/promises';
import { EdgeError } from '../contract/edge-error.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const TEMPORARY = /^tmp-[0-9a-f]{16}$/;
const FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const CREATE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * A folder of a disk that somebody else may have written. Every name is one step below an open folder, so that no symbolic
 * link is followed, also where one is put in place meanwhile. Only plain files are opened: a pipe or a device never blocks.
 * Errors: `link.refused` (what is there is not what is expected), `quota.exceeded` (no room), `bag.unwritable` (else).
 */
export class DiskFolder {
  /** For people. */
  readonly path: string;
  readonly #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.path = path;
    this.#handle = handle;
  }

  /** The folder that a person named: links on the way to it are those of this host. */
  static async open(path: string): Promise<DiskFolder> {
    try {
      const real = await realpath(path);
      return new DiskFolder(path, await open(real, FOLDER));
    } catch (cause) {
      throw fault(path, cause);
    }
  }

  /** A folder in it; undefined: it is not there and is not to be made. */
  async folder(name: string, isMade: boolean): Promise<DiskFolder | undefined> {
    const path = `${this.path}/${name}`;
    try {
      let kind = await this.#kind(name);
      if (kind === undefined) {
        if (!isMade) return undefined;
        await mkdir(this.#at(name)).catch((error: unknown) => {
          if (codeOf(error) !== 'EEXIST') throw error;
        });
        kind = await this.#kind(name);
      }
      if (kind !== 'folder') throw refused(path, 'a folder', kind ?? 'nothing');
      return new DiskFolder(path, await open(this.#at(name), FOLDER));
    } catch (cause) {
      throw fault(path, cause);
    }
  }

  /** Names in it that this format may have, sorted; others are passed over. Throws above `most` entries. */
  async names(most: number): Promise<string[]> {
    const found: string[] = [];
    let entries = 0;
    try {
      for await (const { name } of await opendir(this.#self)) {
        entries += 1;
        if (entries > most) throw refused(this.path, `at most ${most} entries`, 'more');
        if (NAME.test(name)) found.push(name);
      }
    } catch (cause) {
      throw fault(this.path, cause);
    }
    return found.sort();
  }

  /** A plain file: neither a folder nor a link, a pipe or a device. */
  async isFile(name: string): Promise<boolean> {
    try {
      return (await this.#kind(name)) === 'file';
    } catch (cause) {
      throw fault(`${this.path}/${name}`, cause);
    }
  }

  /** All bytes of a file; undefined: it is not there. Throws where it has more than `bytesMax`. */
  async read(name: string, bytesMax: number): Promise<Buffer | undefined> {
    const path = `${this.path}/${name}`;
    let handle: FileHandle | undefined;
    try {
      const kind = await this.#kind(name);
      if (kind === undefined) return undefined;
      if (kind !== 'file') throw refused(path, 'a file', kind);
      handle = await open(this.#at(name), READ);
      const found = await handle.stat();
      if (!found.isFile()) throw refused(path, 'a file', 'something else');
      if (found.size > bytesMax) throw refused(path, `at most ${bytesMax} bytes`, `${found.size}`);
      return await filled(handle, found.size);
    } catch (cause) {
      throw fault(path, cause);
    } finally {
      await handle?.close();
    }
  }

  /** The file has these bytes, on the disk, when this resolves; its name is durable after `sync`. Never half of it. */
  async write(name: string, bytes: Uint8Array): Promise<void> {
    const path = `${this.path}/${name}`;
    const temporary = `tmp-${randomBytes(8).toString('hex')}`;
    try {
      const kind = await this.#kind(name);
      if (kind !== undefined && kind !== 'file') throw refused(path, 'a file', kind);
      const handle = await open(this.#at(temporary), CREATE, 0o644);
      try {
        for (let done = 0; done < bytes.length; )
          done += (await handle.write(bytes, done, bytes.length - done, done)).bytesWritten;
        await handle.sync();
      } finally {
        await handle.close();
      }
      await rename(this.#at(temporary), this.#at(name));
    } catch (cause) {
      await rm(this.#at(temporary), { force: true }).catch(() => {});
      throw fault(path, cause);
    }
  }

  /** A file goes; a folder, a link, a pipe or a device stays where it is. */
  async remove(name: string): Promise<void> {
    try {
      if ((await this.#kind(name)) === 'file') await rm(this.#at(name), { force: true });
    } catch (cause) {
      throw fault(`${this.path}/${name}`, cause);
    }
  }

  /** Names of files are durable: this folder is synced. */
  async sync(): Promise<void> {
    try {
      await this.#handle.sync();
    } catch (cause) {
      // Some file systems of small disks cannot sync a folder.
      if (codeOf(cause) !== 'EINVAL') throw fault(this.path, cause);
    }
  }

  /** Bytes that may still be written. */
  async freeBytes(): Promise<number> {
    const { bavail, bsize } = await statfs(this.#self);
    return bavail * bsize;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  get #self(): string {
    return `/proc/self/fd/${this.#handle.fd}`;
  }

  /** Below the folder that is open, whatever became of its path meanwhile. */
  #at(name: string): string {
    if (!NAME.test(name)) throw refused(`${this.path}/${name.slice(0, 128)}`, 'a plain name', 'another');
    return `${this.#self}/${name}`;
  }

  async #kind(name: string): Promise<'file' | 'folder' | 'a symbolic link' | 'something else' | undefined> {
    try {
      const found = await lstat(this.#at(name));
      if (found.isFile()) return 'file';
      if (found.isDirectory()) return 'folder';
      return found.isSymbolicLink() ? 'a symbolic link' : 'something else';
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined;
      throw error;
    }
  }
}

/** Whether a file is what a write that was interrupted left behind. */
export function isLeftOver(name: string): boolean {
  return TEMPORARY.test(name);
}

async function filled(handle: FileHandle, size: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await handle.read(buffer, done, size - done, done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return buffer.subarray(0, done);
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? '';
}

function refused(path: string, expected: string, found: string): EdgeError {
  return new EdgeError('link.refused', {
    ...{ operation: 'use disk', subject: path },
    message: `${path}: expected ${expected}, found ${found}`,
    hint: 'nothing of it was used; remove it from the disk and try again',
  });
}

const REASONS: Readonly<Record<string, readonly [message: string, hint: string]>> = {
  EROFS: ['the disk is read-only', 'mount it writable, or move the switch of the card'],
  EACCES: ['this user may not use it', 'mount the disk for this user, or run the command as its owner'],
  EPERM: ['this user may not use it', 'mount the disk for this user, or run the command as its owner'],
  ENOENT: ['it is not there', 'connect and mount the disk, and name its folder'],
  ENOTDIR: ['it is not a folder', 'name a folder of the disk'],
  EIO: ['the disk fails (input/output error)', 'check the disk and its cable; try another one'],
};

function fault(path: string, cause: unknown): EdgeError {
  if (cause instanceof EdgeError) return cause;
  const code = codeOf(cause);
  if (code === 'ELOOP') return refused(path, 'a file or a folder', 'a symbolic link');
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new EdgeError('quota.exceeded', {
      ...{ operation: 'use disk', subject: path, cause },
      message: 'the disk is full',
      hint: 'hand this disk over, then export the rest to it or to another one',
    });
  const [message, hint] = REASONS[code] ?? [(cause as Error).message, 'check the disk'];
  return new EdgeError('bag.unwritable', {
    ...{ operation: 'use disk', subject: path, cause },
    message: `${path}: ${message}`,
    hint,
  });
}
