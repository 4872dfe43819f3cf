import { createHash, randomBytes } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BlobStore, type BlobTrim, type BlobTrimRules, EdgeError } from '../../contract/core.ts';
import { names, trimBlobs } from './trim-blobs.ts';

/** Largest blob; larger data is a recording. */
const BLOB_BYTES_MAX = 64 * 1024 * 1024;
/** A temporary file this old belongs to a process that died, milliseconds. */
const ORPHAN_AGE_MS = 3_600_000;

/**
 * Blobs as files `<directory>/<first two of the hash>/<hash>`: whole and durable under their name, or not there
 * (temporary file, fsync, rename, fsync of the directories). Several processes may use one directory: equal bytes
 * have equal names, and a rename replaces a file by its equal.
 */
export class FileBlobStore implements BlobStore {
  readonly #directory: string;
  /** Running puts, by hash: the same bytes are written once. */
  readonly #putting = new Map<string, Promise<void>>();
  /** Blobs being removed: a put of the same bytes waits for that and writes them again. */
  readonly #removing = new Map<string, Promise<unknown>>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  async put(bytes: Uint8Array): Promise<string> {
    if (bytes.byteLength > BLOB_BYTES_MAX)
      throw failed('put', `${bytes.byteLength} bytes are above the limit of ${BLOB_BYTES_MAX}`);
    // A copy: the caller may change its bytes while they are being written.
    const own = Uint8Array.from(bytes);
    const sha256 = hashOf(own);
    await this.#removing.get(sha256);
    const under = this.#putting.get(sha256) ?? this.#write(sha256, own);
    this.#putting.set(sha256, under);
    try {
      await under;
    } catch (error) {
      throw failed('put', `${this.#path(sha256)}: ${(error as Error).message}`, error);
    } finally {
      this.#putting.delete(sha256);
    }
    return sha256;
  }

  async get(sha256: string): Promise<Uint8Array | undefined> {
    if (!isHash(sha256)) return undefined;
    let bytes: Uint8Array;
    try {
      bytes = await readFile(this.#path(sha256));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw failed('get', `${this.#path(sha256)}: ${(error as Error).message}`, error);
    }
    // Not Node's Buffer: code that compares or clones bytes need not handle it.
    const { buffer, byteOffset, byteLength } = bytes;
    if (hashOf(bytes) === sha256) return new Uint8Array(buffer, byteOffset, byteLength);
    throw new EdgeError('log.damaged', {
      operation: 'get blob',
      subject: sha256,
      message: `the content of ${this.#path(sha256)} does not match the SHA-256 in its name`,
      hint: 'the file was changed or the disk is failing; the event that names it is not affected',
    });
  }

  /** One change of its file's metadata, and no more: a session names hundreds, and the disk may be slow. */
  async renew(sha256: string): Promise<boolean> {
    if (!isHash(sha256)) return false;
    const path = this.#path(sha256);
    const renewal = await renew(path);
    if (renewal === 'refused') {
      const bytes = await this.get(sha256);
      if (bytes) await this.put(bytes);
      return bytes !== undefined;
    }
    // A trim may have looked at its time before that.
    await this.#removing.get(sha256);
    return renewal === 'renewed' && (await stat(path).catch(() => undefined)) !== undefined;
  }

  /**
   * Removes what processes that died left half written. `nowMs`: wall time. Returns how many; rejects where a directory
   * cannot be read.
   */
  async sweep(nowMs: number): Promise<number> {
    let swept = 0;
    for (const folder of await names(this.#directory)) {
      for (const name of await names(join(this.#directory, folder))) {
        if (!name.endsWith('.tmp')) continue;
        const path = join(this.#directory, folder, name);
        const made = await stat(path).catch(() => undefined);
        if (!made || nowMs - made.mtimeMs < ORPHAN_AGE_MS) continue;
        await rm(path, { force: true });
        swept += 1;
      }
    }
    return swept;
  }

  /**
   * Makes room: the blobs whose last put is oldest go first. One that cannot be removed is counted and
   * left. Throws `log.failed` where the directory cannot be read.
   */
  async trim(rules: BlobTrimRules): Promise<BlobTrim> {
    try {
      return await trimBlobs(this.#directory, rules, { putting: this.#putting, removing: this.#removing });
    } catch (error) {
      throw failed('trim', (error as Error).message, error);
    }
  }

  async #write(sha256: string, bytes: Uint8Array): Promise<void> {
    const path = this.#path(sha256);
    // An existing file counts only if it is whole: a damaged one is replaced.
    const there = await this.get(sha256).catch(() => undefined);
    const renewal = there ? await renew(path) : 'gone';
    const folder = dirname(path);
    if (renewal !== 'renewed') {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
      try {
        await writeDurably(temporary, bytes);
        await rename(temporary, path);
      } catch (error) {
        await rm(temporary, { force: true }).catch(() => {});
        // A file of another user holds the right bytes, although its time cannot be set.
        if (renewal === 'gone') throw error;
      }
    }
    // Also for an existing blob: its writer may have died before the name was durable.
    for (const directory of [folder, this.#directory, dirname(this.#directory)])
      await syncDirectory(directory);
  }

  #path(sha256: string): string {
    return join(this.#directory, sha256.slice(0, 2), sha256);
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Renews its age: the system records the time of any change. */
async function renew(path: string): Promise<'renewed' | 'gone' | 'refused'> {
  try {
    await chmod(path, 0o600);
    return 'renewed';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'gone' : 'refused';
  }
}

async function syncDirectory(path: string): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    directory = await open(path, 'r');
    await directory.sync();
  } finally {
    await directory?.close();
  }
}

function isHash(sha256: string): boolean {
  return /^[0-9a-f]{64}$/.test(sha256);
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function failed(operation: string, message: string, cause?: unknown): EdgeError {
  return new EdgeError('log.failed', { operation: `${operation} blob`, subject: 'blobs', message, cause });
}
