import { constants, createReadStream } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

/** An open segment. The stream closes it; so does `close`. */
export type SegmentBytes = {
  readonly bytes: number;
  /** Both ends are inclusive, in bytes. */
  stream(first: number, last: number): Readable;
  close(): Promise<void>;
};

/** Pieces that are read ahead of a slow client. */
const PIECE_BYTES = 256 * 1024;

/**
 * Opens sealed segments of the recordings in the data directory as bytes. Resolves to undefined where that segment does not
 * exist or is not a file of the data directory; what else the file system says passes as it is.
 */
export function segmentBytes(
  dataDir: string,
): (bag: string, file: string) => Promise<SegmentBytes | undefined> {
  return async (bag, file) => {
    const path = join(dataDir, 'bags', bag, file);
    try {
      // A link in a bag would open any file of this host to everybody who may read recordings.
      const root = await realpath(join(dataDir, 'bags'));
      if ((await realpath(path)) !== join(root, bag, file)) return undefined;
      return await openBytes(path);
    } catch (error) {
      if (['ENOENT', 'ENOTDIR', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? ''))
        return undefined;
      throw error;
    }
  };
}

/** Opens a file as bytes; undefined where it is not a plain file. */
export async function openBytes(path: string): Promise<SegmentBytes | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  const facts = await handle.stat();
  if (!facts.isFile()) {
    await handle.close();
    return undefined;
  }
  return {
    bytes: facts.size,
    stream: (first, last) =>
      createReadStream(path, { fd: handle, start: first, end: last, highWaterMark: PIECE_BYTES }),
    close: () => handle.close(),
  };
}
