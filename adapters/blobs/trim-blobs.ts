import { readdir, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobTrim, BlobTrimRules } from '../../contract/core.ts';

/** Work of the same store on single blobs, by hash. */
export type Work = {
  /** Blobs that are being put are left alone. */
  readonly putting: ReadonlyMap<string, unknown>;
  /** Blobs that are being removed: a put of the same bytes waits for that. */
  readonly removing: Map<string, Promise<unknown>>;
};

/** `putMs`: the time of the last change of its file, which a put renews. */
type Found = { readonly sha256: string; readonly bytes: number; readonly putMs: number };

/**
 * Removes the oldest blobs of a directory. Other files are left alone, failed removals are counted; a process that
 * reads the directory or a file meanwhile sees it whole or not at all. Throws where the directory cannot be read.
 */
export async function trimBlobs(directory: string, rules: BlobTrimRules, work: Work): Promise<BlobTrim> {
  const { maxBytes, spareFromMs, spareToMs, goneBeforeMs = -Infinity, signal } = rules;
  const found: Found[] = [];
  let left = 0;
  for await (const blob of blobsOf(directory, signal)) {
    left += blob.bytes;
    if (blob.putMs < spareFromMs || blob.putMs > spareToMs) found.push(blob);
  }
  let [removed, bytes, failed, fault] = [0, 0, 0, ''];
  found.sort((a, b) => a.putMs - b.putMs);
  const mayGo = (blob: Found | undefined) =>
    blob !== undefined && (left > maxBytes || blob.putMs < goneBeforeMs);
  if (mayGo(found[0])) {
    const needed = rules.needed();
    for (const blob of found) {
      if (!mayGo(blob) || signal?.aborted) break;
      if (needed.has(blob.sha256) || work.putting.has(blob.sha256)) continue;
      try {
        if (!(await removeUnlessRenewed(directory, blob, work))) continue;
        removed += 1;
        bytes += blob.bytes;
        left -= blob.bytes;
      } catch (error) {
        failed += 1;
        fault ||= (error as Error).message;
      }
    }
  }
  return { removed, bytes, left, failed, fault };
}

/** False where it has been put again since, or is gone already. */
async function removeUnlessRenewed(
  directory: string,
  { sha256, putMs }: Found,
  work: Work,
): Promise<boolean> {
  const path = join(directory, sha256.slice(0, 2), sha256);
  const removing = (async () => {
    const now = await stat(path);
    if (now.ctimeMs !== putMs) return false;
    await unlink(path);
    return true;
  })();
  work.removing.set(
    sha256,
    removing.catch(() => {}),
  );
  try {
    return await removing;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  } finally {
    work.removing.delete(sha256);
  }
}

async function* blobsOf(directory: string, signal: AbortSignal | undefined): AsyncGenerator<Found> {
  for (const folder of await names(directory)) {
    if (!/^[0-9a-f]{2}$/.test(folder)) continue;
    for (const sha256 of await names(join(directory, folder))) {
      if (signal?.aborted) return;
      if (!/^[0-9a-f]{64}$/.test(sha256)) continue;
      const file = await stat(join(directory, folder, sha256)).catch(() => undefined);
      if (file?.isFile()) yield { sha256, bytes: file.size, putMs: file.ctimeMs };
    }
  }
}

/** Content of a directory; empty if it does not exist. Throws the errors of the file system. */
export async function names(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
