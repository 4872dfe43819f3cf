import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgeError } from '../../../contract/core.ts';
import { isSegmentSince } from './arrival-order.ts';
import { BagFolder, bagOf, segmentNumber } from './bag-folder.ts';
import { cutClip, readClip, spanOf } from './clip-file.ts';
import type { FromThread, ThreadOptions, ToThread } from './protocol.ts';
import { ACTIVE } from './segment.ts';
import { evict } from './tombstones.ts';

export type Chore = Extract<ToThread, { t: 'clip' | 'evict' }>;

/**
 * What the recorder thread does with sealed segments, beside its writing. `givenUp`: segments that could not be
 * repaired in this life. Rejects with what went wrong.
 */
export async function doChore(
  chore: Chore,
  folder: BagFolder,
  { dataDir, library }: ThreadOptions,
  post: (message: FromThread) => void,
  givenUp: readonly string[],
): Promise<unknown> {
  const onProgress = () => post({ t: 'progress' });
  if (chore.t === 'evict')
    return evict(dataDir, folder, chore, (tombstone) => post({ t: 'evicted', tombstone }), onProgress);
  const { info, source, since, left } = chore;
  const { fromNs, toNs } = spanOf(info);
  const sources = folder.within(fromNs, toNs);
  // Ordered in a former life that recorded into another bag: what it is to hold lies there.
  if (source !== undefined && source !== folder.bag)
    sources.unshift(...(await BagFolder.open(dataDir, source)).within(fromNs, toNs));
  const wanted = sources.filter((path) => isSegmentSince(since, bagOf(path), segmentNumber(path) ?? 0));
  const cut = () => cutClip({ dataDir, info, sources: wanted, since }, library, onProgress);
  const bags = [folder.bag, source ?? folder.bag];
  const broken =
    left && !(await readClip(dataDir, info.bag)) ? await brokenOf(dataDir, givenUp, bags) : undefined;
  if (broken === undefined) return cut();
  // What it was promised may lie in there: for another try, or for the next start. Some of it is better than none.
  if (left === 'waits') throw notRepaired(broken, info.bag);
  return cut().catch((error: EdgeError) => {
    throw error.retryable ? error : notRepaired(broken, info.bag);
  });
}

/** One of these bags' segments that is not repaired yet. */
async function brokenOf(
  dataDir: string,
  givenUp: readonly string[],
  bags: readonly string[],
): Promise<string | undefined> {
  for (const path of givenUp.filter((one) => bags.includes(bagOf(one)))) {
    const isThere = await access(join(dataDir, path + ACTIVE)).then(
      () => true,
      (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
    );
    if (isThere) return path;
  }
  return undefined;
}

function notRepaired(path: string, subject: string): EdgeError {
  const message = `segment ${path} is not repaired yet`;
  return new EdgeError('recorder.failed', { operation: 'cut clip', subject, message, retryable: true });
}
