import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EdgeError, type EventPayload } from '../../contract/core.ts';
import type { Bag } from './bag.ts';
import type { Compression, WrittenFile } from './bag-output.ts';
import { BagWriter, writeDurable } from './bag-writer.ts';
import { ContentHash, type CopyOptions, type CopyResult, copyBag, originOf } from './copy-bag.ts';
import { openBag } from './open-bag.ts';

export type ImportOptions = Pick<CopyOptions, 'signal' | 'onProgress'> & {
  readonly dataDir: string;
  readonly name: string;
  /** For people: where it came from. */
  readonly source: string;
  readonly compression: Compression;
  readonly splitBytes: number;
  /** Files that belong to the bag, by name: they get there with it. */
  readonly beside?: (segments: readonly EventPayload<'segment.sealed'>[]) => Readonly<Record<string, string>>;
};

export type Imported = {
  readonly bag: string;
  /** The content was imported before, under this name; nothing was written. */
  readonly already: boolean;
  readonly messages: number;
  readonly contentSha256: string;
  readonly segments: readonly EventPayload<'segment.sealed'>[];
} & Pick<CopyResult, 'faults' | 'warnings' | 'losses'>;

/** Beside the segments of an imported bag: what it is and where it came from. */
const RECORD = 'import.json';
/** Within `bags`, one level deeper than recordings are searched. */
const WORK_FOLDER = '.import';
/** The note of a segment whose events are not in the log yet; the recorder knows it by this name too. */
export const SEALED_NOTE = '.sealed.json';

type ImportRecord = { readonly source: string; readonly contentSha256: string; readonly messages: number };

/**
 * Takes a recording into the data directory as a bag of its own: MCAP segments with metadata.yaml, read back and
 * compared by counts and content hash before it gets its name, and with a note per segment of the events that are
 * still to be logged. A kill at any point leaves nothing, or a whole bag with its notes. Rejects with `bag.exists`
 * for a name that is taken, `bag.malformed` when what was written does not read back, `run.cancelled`.
 */
export async function importBag(bag: Bag, options: ImportOptions): Promise<Imported> {
  const { dataDir, name, source, compression, splitBytes } = options;
  const bags = join(dataDir, 'bags');
  const { customData, rosDistro } = originOf(bag);
  const writer = await BagWriter.create({
    target: join(bags, name),
    workFolder: join(bags, WORK_FOLDER),
    storage: 'mcap',
    isFolder: true,
    mayExist: true,
    compression,
    splitBytes,
    customData: { ...customData, source },
    rosDistro,
  });
  try {
    const copied = await copyBag(bag, writer, options);
    const known = await bagWithContent(bags, copied.contentSha256);
    const { messages, contentSha256, faults, warnings, losses } = copied;
    const damage = { faults, warnings, losses };
    if (known !== undefined) {
      await writer.abort();
      return { bag: known, already: true, messages, contentSha256, segments: [], ...damage };
    }
    const segments: EventPayload<'segment.sealed'>[] = [];
    await writer.finish(async (folder, files) => {
      await verify(folder, copied);
      for (const file of files) segments.push(await sealedOf(name, file, copied));
      for (const segment of segments)
        await writeDurable(join(folder, basename(segment.path) + SEALED_NOTE), noteOf(segment));
      const record: ImportRecord = { source, contentSha256, messages };
      await writeDurable(join(folder, RECORD), `${JSON.stringify(record)}\n`);
      for (const [file, text] of Object.entries(options.beside?.(segments) ?? {}))
        await writeDurable(join(folder, file), text);
    });
    return { bag: name, already: false, messages, contentSha256, segments, ...damage };
  } catch (error) {
    await writer.abort();
    throw error;
  }
}

/** A name for the bag of a path, that fits the catalogue: letters, digits, `.`, `_`, `-`. */
export function bagNameOf(path: string): string {
  const base = basename(path).replace(/\.(?:mcap|db3)(?:\.active)?$/, '');
  return (
    base
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 100) || 'imported'
  );
}

async function bagWithContent(bags: string, contentSha256: string): Promise<string | undefined> {
  for (const entry of await readdir(bags, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const text = await readFile(join(bags, entry.name, RECORD), 'utf8').catch(() => undefined);
    try {
      if (text && (JSON.parse(text) as ImportRecord).contentSha256 === contentSha256) return entry.name;
    } catch {
      // A file of that name that this import did not write.
    }
  }
  return undefined;
}

/** Reads the written files back, including checksums. */
async function verify(folder: string, { messages, contentSha256 }: CopyResult): Promise<void> {
  const written = await openBag(folder);
  try {
    const hash = new ContentHash();
    let count = 0;
    for await (const message of written.records()) {
      hash.add(message);
      if (++count % 1024 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    if (count === messages && hash.digest() === contentSha256) return;
    throw new EdgeError('bag.malformed', {
      operation: 'import-bag',
      subject: folder,
      message: `the written bag does not match its source: ${count} of ${messages} messages`,
      hint: 'the disk may be failing; nothing was kept',
    });
  } finally {
    await written.close();
  }
}

async function sealedOf(
  bag: string,
  file: WrittenFile,
  { faults }: CopyResult,
): Promise<EventPayload<'segment.sealed'>> {
  return {
    bag,
    path: `bags/${bag}/${basename(file.path)}`,
    sha256: await sha256Of(file.path),
    bytes: file.bytes,
    messages: file.messages,
    start_ns: `${file.startNs}`,
    end_ns: `${file.endNs}`,
    topics: Object.fromEntries(
      [...file.topics].flatMap(([topic, { messages }]) => (messages > 0 ? [[topic, messages]] : [])),
    ),
    repaired: faults.length > 0,
  };
}

/** The events of a segment, in the form of the recorder's own notes. */
function noteOf(segment: EventPayload<'segment.sealed'>): string {
  const { bag, path, topics } = segment;
  const lines = Object.entries(topics).map(([topic, count]) => ({
    topic,
    received: count,
    written: count,
    dropped: {},
  }));
  return JSON.stringify({ segment, losses: { bag, segment: path, topics: lines } });
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}
