import { join } from 'node:path';
import { McapReader } from '../formats/mcap/index.ts';
import { FileReadable } from '../io/file-readable.ts';
import type { Range } from './object-sender.ts';

/**
 * The bytes of an MCAP file that a reader needs for messages of these times: its head, the chunks, and what stands behind
 * the last chunk (index and footer). Rejects with `mcap.malformed`.
 */
export async function bagRanges(
  dataDir: string,
  path: string,
  fromNs: bigint,
  toNs: bigint,
): Promise<readonly Range[]> {
  const file = await FileReadable.open(join(dataDir, path));
  try {
    const size = await file.size();
    const { chunks } = (await McapReader.open(file)).summary;
    const first = Math.min(size, ...chunks.map(({ chunkStart }) => chunkStart));
    const end = Math.max(
      0,
      ...chunks.map(
        ({ chunkStart, chunkLength, messageIndexLength }) => chunkStart + chunkLength + messageIndexLength,
      ),
    );
    const wanted = chunks
      .filter(({ startTime, endTime }) => endTime >= fromNs && startTime <= toNs)
      .map(
        ({ chunkStart, chunkLength, messageIndexLength }): Range => [
          chunkStart,
          chunkStart + chunkLength + messageIndexLength,
        ],
      );
    return [[0, first], [end, size], ...wanted].filter(([from, to]) => to > from) as Range[];
  } finally {
    await file.close();
  }
}
