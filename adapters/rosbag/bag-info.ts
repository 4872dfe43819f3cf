import { stat } from 'node:fs/promises';
import { EdgeError, type ErrorBody, type Nanoseconds } from '../../contract/core.ts';
import type { BagNotes } from '../../formats/rosbag2/index.ts';
import { type AbsentFiles, absentFiles, type PresentFile, presentFile } from './absent-files.ts';
import type { Bag, BagExtra, BagTopic } from './bag.ts';
import { McapBag } from './mcap-bag.ts';
import { bagFiles, bagNotes, openFile } from './open-bag.ts';

export type BagFileInfo = {
  readonly path: string;
  readonly storage: 'mcap' | 'sqlite3' | 'unreadable';
  readonly bytes: number;
  readonly messages: number;
  /** Compression of its chunks; `none` for uncompressed ones. Empty where the file does not say. */
  readonly compression: readonly string[];
  readonly chunks: number;
  readonly attachments: readonly {
    readonly name: string;
    readonly mediaType: string;
    readonly bytes: number;
  }[];
  readonly metadata: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Why the file cannot be read completely. */
  readonly fault: ErrorBody | undefined;
  /** Result of a repair of the file, if it is not complete. */
  readonly recoverable:
    | { readonly messages: number; readonly ofCutChunk: number; readonly lostBytes: number }
    | undefined;
};

export type BagInfo = {
  readonly path: string;
  readonly files: readonly BagFileInfo[];
  readonly topics: readonly BagTopic[];
  readonly messages: number;
  readonly bytes: number;
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
  /** Version of metadata.yaml, if there is one. */
  readonly notes: BagNotes | undefined;
  /** The fault of metadata.yaml: unreadable, or it names missing files. */
  readonly notesFault: ErrorBody | undefined;
  /** Files that retention deleted, or that were not copied with the others. */
  readonly absent: readonly AbsentFiles[];
};

/** The content of a bag. A file that cannot be read is listed with its fault; rejects only if there is no file. */
export async function bagInfo(path: string): Promise<BagInfo> {
  const files: BagFileInfo[] = [];
  const present: PresentFile[] = [];
  const topics = new Map<string, BagTopic>();
  let startNs: bigint | undefined;
  let endNs = 0n;
  for (const file of await bagFiles(path)) {
    let bag: Bag;
    try {
      bag = await openFile(file);
    } catch (error) {
      files.push(await unreadable(file, error));
      present.push(presentFile(file, undefined));
      continue;
    }
    try {
      present.push(presentFile(file, bag));
      const info = await fileInfo(bag, file);
      files.push(info);
      for (const topic of bag.topics) {
        const known = topics.get(topic.topic);
        topics.set(topic.topic, known ? { ...known, messages: known.messages + topic.messages } : topic);
      }
      if (info.messages > 0 && (startNs === undefined || bag.startNs < startNs)) startNs = bag.startNs;
      if (info.messages > 0 && bag.endNs > endNs) endNs = bag.endNs;
    } finally {
      await bag.close();
    }
  }
  const notes = await notesOf(path, files);
  const sum = (count: (file: BagFileInfo) => number) => files.reduce((total, file) => total + count(file), 0);
  return {
    path,
    files,
    topics: [...topics.values()].sort((a, b) => (a.topic < b.topic ? -1 : 1)),
    messages: sum((file) => file.messages),
    bytes: sum((file) => file.bytes),
    startNs: startNs ?? 0n,
    endNs,
    ...notes,
    absent: notes.notes ? absentFiles(present, notes.notes.paths) : [],
  };
}

async function fileInfo(bag: Bag, path: string): Promise<BagFileInfo> {
  const messages = bag.topics.reduce((sum, topic) => sum + topic.messages, 0);
  const extras = await extrasOf(bag);
  const mcap = bag instanceof McapBag ? bag : undefined;
  const compression = mcap?.compression();
  const salvage = mcap?.salvage;
  return {
    path,
    storage: bag.storage,
    bytes: bag.bytes,
    messages,
    compression: compression?.formats ?? [],
    chunks: compression?.chunks ?? 0,
    attachments: extras.found.flatMap((extra) =>
      extra.kind === 'attachment'
        ? { name: extra.name, mediaType: extra.mediaType, bytes: extra.data.length }
        : [],
    ),
    metadata: Object.fromEntries(
      extras.found.flatMap((extra) =>
        extra.kind === 'metadata' ? [[extra.name, Object.fromEntries(extra.values)]] : [],
      ),
    ),
    fault: (bag.fault ?? bag.warning ?? extras.fault)?.toBody(),
    recoverable: salvage && { messages, ...salvage },
  };
}

async function extrasOf(bag: Bag): Promise<{ found: BagExtra[]; fault: EdgeError | undefined }> {
  const found: BagExtra[] = [];
  try {
    for await (const extra of bag.extras()) found.push(extra);
    return { found, fault: undefined };
  } catch (error) {
    return { found, fault: EdgeError.from(error, 'bag.malformed', 'read-bag', bag.path) };
  }
}

async function unreadable(path: string, error: unknown): Promise<BagFileInfo> {
  const fault = EdgeError.from(error, 'bag.malformed', 'read-bag', path).toBody();
  const bytes = (await stat(path).catch(() => undefined))?.size ?? 0;
  const nothing = { compression: [], chunks: 0, attachments: [], metadata: {}, recoverable: undefined };
  return { path, storage: 'unreadable', bytes, messages: 0, ...nothing, fault };
}

async function notesOf(path: string, files: readonly BagFileInfo[]) {
  try {
    const notes = await bagNotes(path);
    const missing = (notes?.paths ?? []).filter(
      (name) => !files.some((file) => file.path.endsWith(`/${name.split('/').at(-1)}`)),
    );
    if (missing.length === 0) return { notes, notesFault: undefined };
    const fault = new EdgeError('bag.malformed', {
      operation: 'read-metadata',
      subject: path,
      message: `metadata.yaml lists missing files: ${missing.slice(0, 10).join(', ')}`,
      hint: 'the existing files can be read; add the missing files to read the rest',
    });
    return { notes, notesFault: fault.toBody() };
  } catch (error) {
    const fault = EdgeError.from(error, 'bag.malformed', 'read-metadata', path);
    return { notes: undefined, notesFault: fault.toBody() };
  }
}
