import type { BagFolder } from './bag-folder.ts';
import { cutClip, spanOf } from './clip-file.ts';
import type { FromThread, ThreadOptions, ToThread } from './protocol.ts';
import { evict } from './tombstones.ts';

export type Chore = Extract<ToThread, { t: 'clip' | 'evict' }>;

/** What the recorder thread does with sealed segments, beside its writing. Rejects with what went wrong. */
export async function doChore(
  chore: Chore,
  folder: BagFolder,
  { dataDir, library }: ThreadOptions,
  post: (message: FromThread) => void,
): Promise<unknown> {
  if (chore.t === 'evict')
    return evict(dataDir, folder, chore, (tombstone) => post({ t: 'evicted', tombstone }));
  const { fromNs, toNs } = spanOf(chore.info);
  const onProgress = () => post({ t: 'progress' });
  return cutClip(dataDir, chore.info, folder.within(fromNs, toNs), library, onProgress);
}
