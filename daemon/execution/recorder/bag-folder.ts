import { mkdir, open, readdir, readFile, unlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Channel, McapReader, type Summary } from '../../../formats/mcap/index.ts';
import { HandleReadable } from '../../../io/file-readable.ts';
import { bagMetadata, type SegmentFacts } from './bag-metadata.ts';
import { replaceFile, syncFolder } from './files.ts';
import type { Sealed } from './protocol.ts';
import { ACTIVE } from './segment.ts';

/** Suffix of the note beside a sealed segment whose events are not known to be in the log yet. */
const NOTE = '.sealed.json';
const METADATA = 'metadata.yaml';

/** A bag on disk: `<dataDir>/bags/<bag>/<bag>_<n>.mcap` and metadata.yaml, which any ROS 2 tool opens. */
export class BagFolder {
  readonly bag: string;
  readonly #dataDir: string;
  #facts: SegmentFacts[] = [];
  #next = 0;

  private constructor(dataDir: string, bag: string) {
    this.#dataDir = dataDir;
    this.bag = bag;
  }

  /** Learns which segments it holds. The folder itself is made with its first segment. */
  static async open(dataDir: string, bag: string): Promise<BagFolder> {
    const folder = new BagFolder(dataDir, bag);
    await mkdir(join(dataDir, 'bags'), { recursive: true });
    const names = await readdir(folder.path).catch(() => [] as string[]);
    for (const name of names.sort(byNumber)) {
      const number = segmentNumber(name);
      if (number === undefined) continue;
      folder.#next = Math.max(folder.#next, number + 1);
      if (!name.endsWith('.mcap')) continue;
      // A damaged file of the past must not keep us from recording: it is left out of the metadata.
      const summary = await readSummary(join(folder.path, name)).catch(() => undefined);
      if (summary) folder.#facts.push(factsOf(name, summary));
    }
    return folder;
  }

  get path(): string {
    return join(this.#dataDir, 'bags', this.bag);
  }

  get nextNumber(): number {
    return this.#next;
  }

  async make(): Promise<void> {
    await mkdir(this.path, { recursive: true });
    await syncFolder(join(this.#dataDir, 'bags'));
  }

  /** Sealed segments that hold anything of the span, relative to the data directory, oldest first. */
  within(fromNs: bigint, toNs: bigint): string[] {
    return this.#facts
      .filter(({ startNs, endNs }) => startNs <= toNs && endNs >= fromNs)
      .map(({ file }) => `bags/${this.bag}/${file}`);
  }

  /** Takes segments that are gone out of metadata.yaml. */
  async forget(files: readonly string[]): Promise<void> {
    this.#facts = this.#facts.filter(({ file }) => !files.includes(file));
    await this.writeMetadata();
  }

  /** The number and the path, relative to the data directory, of the next segment. */
  nextSegment(): { number: number; relative: string; absolute: string } {
    const number = this.#next;
    this.#next += 1;
    const relative = `bags/${this.bag}/${this.bag}_${number}.mcap`;
    return { number, relative, absolute: join(this.#dataDir, relative) };
  }

  /** Enters a sealed segment into metadata.yaml. */
  async enter(file: string, summary: Summary): Promise<void> {
    this.#facts.push(factsOf(file, summary));
    this.#facts.sort((a, b) => byNumber(a.file, b.file));
    await this.writeMetadata();
  }

  async writeMetadata(): Promise<void> {
    await replaceFile(join(this.path, METADATA), bagMetadata(this.#facts));
  }
}

/** Numbers count as numbers: `_9` comes before `_10`. */
function byNumber(a: string, b: string): number {
  return (segmentNumber(a) ?? 0) - (segmentNumber(b) ?? 0) || (a < b ? -1 : 1);
}

/** `2026-11-21T09-45-14Z`: sorts by time and is a file name everywhere. */
export function bagName(epochMs: number): string {
  return `${new Date(epochMs).toISOString().slice(0, 19).replaceAll(':', '-')}Z`;
}

/** Name of the bag that a path (relative to the data directory) is in. */
export function bagOf(path: string): string {
  return path.split('/')[1] ?? '';
}

export function segmentNumber(name: string): number | undefined {
  const match = /_(\d+)\.mcap(?:\.active)?$/.exec(name);
  return match ? Number(match[1]) : undefined;
}

export async function readSummary(path: string): Promise<Summary> {
  const handle = await open(path, 'r');
  try {
    return (await McapReader.open(new HandleReadable(handle, path))).summary;
  } finally {
    await handle.close();
  }
}

export function factsOf(file: string, summary: Summary): SegmentFacts {
  const topics = new Map<string, { type: string; qos: string; messages: number }>();
  for (const channel of summary.channels.values()) {
    const { type, qos } = offered(channel, summary);
    const messages = summary.counts.get(channel.id) ?? 0;
    const known = topics.get(channel.topic);
    if (known) known.messages += messages;
    else topics.set(channel.topic, { type, qos, messages });
  }
  return { file, startNs: summary.startTime, endNs: summary.endTime, topics };
}

/** Messages by topic. */
export function topicCounts(path: string, summary: Summary): Record<string, number> {
  const { topics } = factsOf(basename(path), summary);
  return Object.fromEntries([...topics].map(([topic, { messages }]) => [topic, messages]));
}

function offered(channel: Channel, summary: Summary): { type: string; qos: string } {
  const type = summary.schemas.get(channel.schemaId)?.name ?? '';
  return { type, qos: channel.metadata.get('offered_qos_profiles') ?? '' };
}

/** Segments that a former life left unsealed, relative to the data directory. */
export async function unsealedSegments(dataDir: string): Promise<string[]> {
  return inAllBags(dataDir, (name) => name.endsWith(`.mcap${ACTIVE}`), ACTIVE.length);
}

/**
 * Written before a segment gets its final name and removed once its events are durable: a kill in between
 * repeats the events at the next start instead of losing them.
 */
export async function writeNote(dataDir: string, sealed: Sealed): Promise<void> {
  await replaceFile(join(dataDir, sealed.segment.path + NOTE), JSON.stringify(sealed));
}

export async function removeNote(dataDir: string, path: string): Promise<void> {
  await unlink(join(dataDir, path + NOTE)).catch(() => {});
}

/** The notes that are still there, oldest bag first. Unreadable ones (a power cut) are removed. */
export async function pendingNotes(dataDir: string): Promise<Sealed[]> {
  const notes: Sealed[] = [];
  for (const path of await inAllBags(dataDir, (name) => name.endsWith(NOTE), NOTE.length)) {
    try {
      notes.push(JSON.parse(await readFile(join(dataDir, path + NOTE), 'utf8')) as Sealed);
    } catch {
      await removeNote(dataDir, path);
    }
  }
  return notes;
}

/** Writes metadata.yaml of a bag as its segments are. */
export async function relist(dataDir: string, bag: string): Promise<void> {
  await (await BagFolder.open(dataDir, bag)).writeMetadata();
}

/**
 * Bags whose metadata.yaml may lack sealed segments: it is not there, or their life ended before they were reported.
 */
export async function unlistedBags(dataDir: string): Promise<string[]> {
  const isSealed = (name: string) => name.endsWith('.mcap') && segmentNumber(name) !== undefined;
  const isListed = (names: string[]) =>
    names.includes(METADATA) && !names.some((name) => name.endsWith(NOTE));
  return (await allBags(dataDir))
    .filter(({ bag, names }) => !bag.startsWith('.') && !isListed(names) && names.some(isSealed))
    .map(({ bag }) => bag);
}

async function inAllBags(
  dataDir: string,
  matches: (name: string) => boolean,
  cut: number,
): Promise<string[]> {
  return (await allBags(dataDir)).flatMap(({ bag, names }) =>
    names
      .filter(matches)
      .map((name) => name.slice(0, -cut))
      .sort(byNumber)
      .map((name) => `bags/${bag}/${name}`),
  );
}

/** The folders of all bags and what lies in each. */
async function allBags(dataDir: string): Promise<{ bag: string; names: string[] }[]> {
  const found: { bag: string; names: string[] }[] = [];
  const root = join(dataDir, 'bags');
  for (const bag of (await readdir(root, { withFileTypes: true })).filter((entry) => entry.isDirectory()))
    found.push({ bag: bag.name, names: await readdir(join(root, bag.name)) });
  return found;
}
