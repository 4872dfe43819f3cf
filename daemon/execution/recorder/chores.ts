import { isSegmentSince } from './arrival-order.ts';
import { BagFolder, bagOf, segmentNumber } from './bag-folder.ts';
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
  const onProgress = () => post({ t: 'progress' });
  if (chore.t === 'evict')
    return evict(dataDir, folder, chore, (tombstone) => post({ t: 'evicted', tombstone }), onProgress);
  const { info, source, since } = chore;
  const { fromNs, toNs } = spanOf(info);
  const sources = folder.within(fromNs, toNs);
  // Ordered in a former life that recorded into another bag: what it is to hold lies there.
  if (source !== undefined && source !== folder.bag)
    sources.unshift(...(await BagFolder.open(dataDir, source)).within(fromNs, toNs));
  const wanted = sources.filter((path) => isSegmentSince(since, bagOf(path), segmentNumber(path) ?? 0));
  return cutClip({ dataDir, info, sources: wanted, since }, library, onProgress);
}
