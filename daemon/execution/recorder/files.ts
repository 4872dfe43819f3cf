import { writevSync } from 'node:fs';
import { type FileHandle, open, rename, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes all of `buffers` at `position`, whatever a single call takes. Blocks: the recorder thread has nothing
 * better to do, and handing each chunk to another thread and back costs more than it overlaps.
 */
export function writeAll(fd: number, buffers: readonly Uint8Array[], position: number): void {
  let rest: Uint8Array[] = buffers.filter((buffer) => buffer.length > 0);
  let at = position;
  while (rest.length > 0) {
    // 1024 is the kernel's limit of one writev.
    let bytesWritten = writevSync(fd, rest.slice(0, 1024), at);
    at += bytesWritten;
    let whole = 0;
    while (whole < rest.length && bytesWritten >= rest[whole]!.length) {
      bytesWritten -= rest[whole]!.length;
      whole += 1;
    }
    rest = rest.slice(whole);
    if (bytesWritten > 0) rest[0] = rest[0]!.subarray(bytesWritten);
  }
}

const AGAIN_BYTES = 4 * 1024 * 1024;
/** Bytes after which it is synced: one sync of all of it could be silent for longer than a start may be. */
const AGAIN_SYNC_BYTES = 16 * 1024 * 1024;

/**
 * Writes what a file holds from there on over itself. After a sync that failed the kernel takes its pages for written: a
 * second sync succeeds and writes nothing, unless they are changed again.
 */
export async function writeAgain(handle: FileHandle, from: number, onProgress: () => void): Promise<void> {
  const { size } = await handle.stat();
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, Math.min(AGAIN_BYTES, size - from)));
  for (let at = from; at < size; ) {
    const { bytesRead } = await handle.read(bytes, 0, Math.min(bytes.length, size - at), at);
    if (bytesRead === 0) return;
    writeAll(handle.fd, [bytes.subarray(0, bytesRead)], at);
    at += bytesRead;
    if ((at - from) % AGAIN_SYNC_BYTES < bytesRead) await handle.datasync();
    onProgress();
  }
}

export function openForRead(path: string): Promise<FileHandle> {
  return open(path, 'r');
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Replaces a file as a whole: a reader, and a power cut, see the old or the new one. */
export async function replaceFile(path: string, content: string): Promise<void> {
  const temporary = `${path}.tmp`;
  const handle = await open(temporary, 'w', 0o644);
  try {
    await handle.writeFile(content);
    await handle.sync();
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  } finally {
    await handle.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}
