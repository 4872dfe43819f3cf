import { createHash } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync, readSync, rmSync } from 'node:fs';
import { type FileHandle, open, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgeError, LIMITS } from '../contract/index.ts';
import { HASH_BYTES, leafHash } from '../formats/merkle/index.ts';
import type { Content } from './object-rows.ts';

/** The bytes of objects on disk: `<folder>/<robot>/<start of the hash>/<hash>`. */
export class ObjectFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  path({ robot, sha256 }: Pick<Content, 'robot' | 'sha256'>): string {
    return join(this.#folder, robot, sha256.slice(0, 2), sha256);
  }

  /** Throws `quota.exceeded` where the disk is full. */
  async write(content: Content, offset: number, bytes: Uint8Array): Promise<void> {
    const path = this.path(content);
    mkdirSync(dirname(path), { recursive: true, mode: 0o750 });
    try {
      const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o640);
      try {
        let done = 0;
        while (done < bytes.length)
          done += (await handle.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
      } finally {
        await handle.close();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOSPC') throw diskFull();
      throw error;
    }
  }

  /** Bytes from `offset` on; fewer where the file has fewer, none where it is not there. */
  readNow(content: Content, offset: number, length: number): Buffer {
    const buffer = Buffer.allocUnsafe(length);
    let file: number | undefined;
    try {
      file = openSync(this.path(content), 'r');
      return buffer.subarray(0, readSync(file, buffer, 0, length, offset));
    } catch {
      return buffer.subarray(0, 0);
    } finally {
      if (file !== undefined) closeSync(file);
    }
  }

  /** Bytes of the file; undefined where it is not there. */
  async size(content: Content): Promise<number | undefined> {
    try {
      return (await stat(this.path(content))).size;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  remove(content: Pick<Content, 'robot' | 'sha256'>): void {
    rmSync(this.path(content), { force: true });
  }

  /** Throws `quota.exceeded` where the disk has too little room for another object. */
  async requireRoom(bytes: number): Promise<void> {
    mkdirSync(this.#folder, { recursive: true, mode: 0o750 });
    const { bavail, bsize } = await statfs(this.#folder);
    if (bavail * bsize - bytes < LIMITS.CENTRAL_FREE_BYTES_MIN) throw diskFull();
  }

  /**
   * Syncs the file and its folders and reads it back. Returns the parts that differ from their leaves; with none,
   * `isWhole` says whether the SHA-256 of all is right.
   */
  async check(content: Content, leaves: Uint8Array): Promise<{ bad: number[]; isWhole: boolean }> {
    const path = this.path(content);
    const handle = await open(path, 'r+');
    try {
      // It may have been announced with more bytes before.
      if ((await handle.stat()).size > content.bytes) await handle.truncate(content.bytes);
      await handle.sync();
      const whole = createHash('sha256');
      const bad: number[] = [];
      const parts = leaves.length / HASH_BYTES;
      const buffer = Buffer.allocUnsafe(content.partBytes);
      for (let part = 0; part < parts; part++) {
        const bytes = await fill(handle, buffer, part * content.partBytes, lengthOf(content, part));
        whole.update(bytes);
        if (!leafHash(bytes).equals(leaves.subarray(part * HASH_BYTES, (part + 1) * HASH_BYTES)))
          bad.push(part);
      }
      if (bad.length === 0) await this.#syncFolders(path);
      return { bad, isWhole: bad.length === 0 && whole.digest('hex') === content.sha256 };
    } finally {
      await handle.close();
    }
  }

  /** The folders from that of the file up to the first: each may be new. */
  async #syncFolders(path: string): Promise<void> {
    for (let folder = dirname(path); folder.startsWith(this.#folder); folder = dirname(folder)) {
      const handle = await open(folder, 'r');
      await handle.sync().finally(() => handle.close());
    }
  }
}

/** Bytes of a part; the last one may be shorter. */
export function lengthOf({ bytes, partBytes }: Content, part: number): number {
  return Math.min(partBytes, bytes - part * partBytes);
}

/** What the file lacks is left as it was in `buffer`, and differs from its leaf. */
async function fill(handle: FileHandle, buffer: Buffer, position: number, length: number): Promise<Buffer> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(buffer, done, length - done, position + done);
    if (bytesRead === 0) return buffer.subarray(0, done);
    done += bytesRead;
  }
  return buffer.subarray(0, length);
}

function diskFull(): EdgeError {
  return new EdgeError('quota.exceeded', {
    operation: 'store object',
    subject: 'disk of the coordinator',
    message: 'the disk of the coordinator has no room for it',
    hint: 'free space at the coordinator; the robot tries again',
    retryable: true,
  });
}
