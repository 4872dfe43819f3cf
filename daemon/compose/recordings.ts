import { realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BagCutter, segmentBytes } from '../../adapters/rosbag/index.ts';
import type { CellContext, IdSource } from '../../contract/index.ts';
import type { HttpPorts } from '../http/http-ports.ts';

/** What the API does with recordings of the data directory: their bytes, parts of them, and what people write about them. */
export function makeRecordings(
  dataDir: string,
  { emit, clock }: Pick<CellContext, 'emit' | 'clock'>,
  ids: IdSource,
): Required<Pick<HttpPorts, 'segment' | 'annotate' | 'cutBag'>> {
  const folderOf = (bag: string) => join(dataDir, 'bags', bag);
  /** A link among the bags would open recordings from anywhere on this host. */
  const isThere = async (bag: string) => {
    const [root, folder] = await Promise.all(
      [join(dataDir, 'bags'), folderOf(bag)].map((path) => realpath(path).catch(() => undefined)),
    );
    if (root === undefined || folder !== join(root, bag)) return false;
    return (await stat(folder).catch(() => undefined))?.isDirectory() === true;
  };
  const cutter = new BagCutter(join(dataDir, 'run', 'cuts'), clock);
  return {
    segment: segmentBytes(dataDir),
    annotate: async (words, id = ids.next<string>()) => {
      if (!(await isThere(words.bag))) return undefined;
      const payload = { ...words, annotation_id: id };
      await emit([{ kind: 'recording.annotated', payload }]);
      return payload;
    },
    cutBag: async (bag, part, signal) =>
      (await isThere(bag)) ? await cutter.cut(folderOf(bag), part, signal) : undefined,
  };
}
