import { join } from 'node:path';
import type { EdgeError, Sample } from '../../contract/core.ts';
import { openFile } from './open-bag.ts';

/**
 * Opens segments of a recording for readers of the data directory; `path` is relative to it. What the file system says
 * of a file passes as it is. The file is closed when its reader has had enough.
 */
export function segmentMessages(
  dataDir: string,
): (
  path: string,
  topics: ReadonlySet<string>,
  onDamage: (fault: EdgeError) => void,
) => AsyncIterable<Sample> {
  return async function* (path, topics, onDamage) {
    const bag = await openFile(join(dataDir, path));
    try {
      yield* bag.messages({ topics, onDamage });
    } finally {
      await bag.close();
    }
  };
}
