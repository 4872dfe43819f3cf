import { mkdir, readdir, readFile, rm, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EdgeError, type EventPayload } from '../../../contract/core.ts';
import { McapReader } from '../../../formats/mcap/index.ts';
import { HandleReadable } from '../../../io/file-readable.ts';
import { hasCome } from './arrival-order.ts';
import { type BagFolder, factsOf, readSummary, relist } from './bag-folder.ts';
import { clipSpans, type Span } from './clip-file.ts';
import { openForRead, replaceFile, syncFolder } from './files.ts';

export type Tombstone = EventPayload<'segment.evicted'>;
/** `isKept`: the samples still exist elsewhere (central acknowledged them), the ledger stays as it is. */
export type Eviction = {
  readonly paths: readonly string[];
  readonly reason: Tombstone['reason'];
  readonly isKept: boolean;
};

/** Notes of files that were deleted and whose event is not known to be in the log. */
const folderOf = (dataDir: string) => join(dataDir, 'bags', '.evicted');
const noteOf = (dataDir: string, path: string) =>
  join(folderOf(dataDir), `${path.split('/').slice(1).join('~')}.json`);

/**
 * Deletes sealed segments: first a durable note of what goes, then the files, then they leave metadata.yaml, then
 * the events by the receiver of the report, then `forgetTombstone`. A kill in between is finished at the next start:
 * as long as anything is to do there is a note. `open` is the bag being recorded. What is deleted is reported, and
 * what can be is deleted, whatever fails beside it. Rejects not to be tried again where a file could not be deleted.
 */
export async function evict(
  dataDir: string,
  open: BagFolder,
  { paths, reason, isKept }: Eviction,
  tell: (tombstone: Tombstone) => void,
  onProgress: () => void = () => {},
): Promise<void> {
  await mkdir(folderOf(dataDir), { recursive: true });
  const gone = new Map<string, Tombstone[]>();
  const faults: EdgeError[] = [];
  try {
    for (const path of paths) {
      const tombstone = await tombstoneOf(dataDir, path, reason, isKept);
      await replaceFile(noteOf(dataDir, path), JSON.stringify(tombstone));
      try {
        await unlink(join(dataDir, path)).catch(ignoreMissing);
        gone.set(tombstone.bag, [...(gone.get(tombstone.bag) ?? []), tombstone]);
      } catch (error) {
        faults.push(notDeleted(path, error as Error));
      }
      onProgress();
    }
  } finally {
    for (const [bag, tombstones] of gone) {
      const names = tombstones.map(({ path }) => basename(path));
      await (bag === open.bag ? open.forget(names) : tidyBag(dataDir, bag)).catch((error: unknown) =>
        faults.push(EdgeError.from(error, 'recorder.failed', 'tidy bag', bag)),
      );
      for (const tombstone of tombstones) tell(tombstone);
    }
  }
  const [fault] = faults;
  if (fault) throw fault;
}

function notDeleted(path: string, { message }: Error): EdgeError {
  const operation = 'delete segment';
  return new EdgeError('recorder.failed', { operation, subject: path, message, retryable: false });
}

/** Metadata of a bag that lost segments; a bag without segments goes. */
async function tidyBag(dataDir: string, bag: string): Promise<void> {
  const path = join(dataDir, 'bags', bag);
  const names = await readdir(path).catch(() => [] as string[]);
  if (names.some((name) => name.includes('.mcap'))) await relist(dataDir, bag);
  else {
    await rm(path, { recursive: true, force: true });
    await syncFolder(join(dataDir, 'bags'));
  }
}

async function tombstoneOf(
  dataDir: string,
  path: string,
  reason: Tombstone['reason'],
  isKept: boolean,
): Promise<Tombstone> {
  const bag = path.split('/')[1] ?? '';
  const absolute = join(dataDir, path);
  try {
    const handle = await openForRead(absolute);
    try {
      const { size } = await handle.stat();
      const summary = await readSummary(absolute);
      const { topics } = factsOf(basename(path), summary);
      const lost = new Map([...topics].map(([topic, { messages }]) => [topic, messages]));
      if (isKept) lost.clear();
      else if (reason === 'ring') {
        const spans = await clipSpans(dataDir, path);
        const reader = await McapReader.open(new HandleReadable(handle, path));
        for (const [topic, count] of await countWithin(reader, spans))
          lost.set(topic, (lost.get(topic) ?? 0) - count);
      }
      const left = Object.fromEntries([...lost].filter(([, count]) => count > 0));
      return { bag, path, bytes: size, messages: summary.messages, reason, topics: left };
    } finally {
      await handle.close();
    }
  } catch {
    // Gone already, or damaged: what was noted when it was not, else nothing can be said about what it held.
    const noted = await noteIn(noteOf(dataDir, path));
    return noted ?? { bag, path, bytes: 0, messages: 0, reason, topics: {} };
  }
}

/** Messages by topic that lie in any of the spans, and came since it started, each counted once. */
async function countWithin(reader: McapReader, spans: readonly Span[]): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let from = 0n;
  for (const span of [...spans].sort((a, b) => (a.fromNs < b.fromNs ? -1 : 1))) {
    const startTime = span.fromNs > from ? span.fromNs : from;
    const endTime = span.toNs + 1n;
    if (endTime <= startTime) continue;
    for await (const { channel, message } of reader.messages({ startTime, endTime })) {
      const isIn = ({ fromNs, toNs, since }: Span) =>
        message.logTime >= fromNs && message.logTime <= toNs && hasCome(since, message);
      if (spans.some(isIn)) counts.set(channel.topic, (counts.get(channel.topic) ?? 0) + 1);
    }
    from = endTime;
  }
  return counts;
}

/** The event is in the log. The folder stays: the recorder's thread may be about to write the next note into it. */
export async function forgetTombstone(dataDir: string, path: string): Promise<void> {
  await unlink(noteOf(dataDir, path)).catch(() => {});
}

/** At start: finishes what a kill interrupted, and gives back what has to be reported again. */
export async function pendingTombstones(dataDir: string): Promise<Tombstone[]> {
  const found: Tombstone[] = [];
  const names = await readdir(folderOf(dataDir)).catch(() => [] as string[]);
  for (const name of names.filter((one) => one.endsWith('.json'))) {
    const tombstone = await noteIn(join(folderOf(dataDir), name));
    if (!tombstone) continue;
    try {
      await unlink(join(dataDir, tombstone.path)).catch(ignoreMissing);
    } catch {
      // It is for the next start.
      continue;
    }
    // The file is gone, and that is reported also where its bag cannot be tidied now.
    await tidyBag(dataDir, tombstone.bag).catch(() => {});
    found.push(tombstone);
  }
  return found;
}

/**
 * Undefined where it cannot be read now, or was truncated while it was written: the file it would name still exists.
 */
async function noteIn(path: string): Promise<Tombstone | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Tombstone);
  } catch {
    await unlink(path).catch(() => {});
    return undefined;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error;
}
