import { mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import { type BagTopicFacts, formatMetadata, parseProfiles } from '../../formats/rosbag2/index.ts';
import type { BagChannel, BagExtra, BagMessage } from './bag.ts';
import type { BagFileOutput, OutputOptions, WrittenFile } from './bag-output.ts';
import { McapOutput } from './mcap-output.ts';
import { SqliteOutput } from './sqlite-output.ts';

export type WriterOptions = OutputOptions & {
  /** A `.mcap` or `.db3` file, or a folder, which becomes a rosbag2 folder. It must not be there yet. */
  readonly target: string;
  readonly storage: 'mcap' | 'sqlite3';
  readonly isFolder: boolean;
  /** The next file of a folder starts when one has this many bytes. */
  readonly splitBytes?: number;
  readonly customData?: Readonly<Record<string, string>>;
  readonly rosDistro?: string;
  /** The existence of the target is checked only at the end: its name may depend on the content. */
  readonly mayExist?: boolean;
  /** Folder for the unfinished bag, on the file system of the target; default: next to it. */
  readonly workFolder?: string;
};

export type WrittenBag = { readonly path: string; readonly files: readonly WrittenFile[] };

/** Name of an unfinished bag: hidden, next to its target, with the id of the writing process. */
const PARTIAL = /^\.(.+)\.partial-(\d+)$/;

/**
 * Writes a bag so that it is there as a whole or not at all: everything happens under a hidden name beside the target,
 * is made durable, and is renamed. The files of a killed writer are removed by the next writer of the same target.
 */
export class BagWriter {
  readonly #options: WriterOptions;
  readonly #partial: string;
  readonly #files: WrittenFile[] = [];
  #current: BagFileOutput | undefined;

  private constructor(options: WriterOptions, partial: string) {
    this.#options = options;
    this.#partial = partial;
  }

  /** Throws `bag.exists` for a target that is there. */
  static async create(options: WriterOptions): Promise<BagWriter> {
    const { target, isFolder, workFolder: folder = dirname(target) } = options;
    if (!options.mayExist) await refuseExisting(target);
    await mkdir(dirname(target), { recursive: true });
    await mkdir(folder, { recursive: true });
    await sweep(folder, basename(target));
    const partial = join(folder, `.${basename(target)}.partial-${process.pid}`);
    await rm(partial, { recursive: true, force: true });
    if (isFolder) await mkdir(partial);
    const writer = new BagWriter(options, partial);
    if (!isFolder) writer.#current = await writer.#open(partial);
    return writer;
  }

  async write(message: BagMessage): Promise<void> {
    const { splitBytes } = this.#options;
    if (
      this.#current &&
      splitBytes !== undefined &&
      this.#options.isFolder &&
      this.#current.bytes() >= splitBytes
    ) {
      await this.#endFile();
    }
    this.#current ??= await this.#next();
    const waiting = this.#current.write(message);
    if (waiting) await waiting;
  }

  /** A topic that may have no messages; the bag lists it anyway. */
  async declare(channel: BagChannel): Promise<void> {
    this.#current ??= await this.#next();
    this.#current.declare(channel);
  }

  async extra(extra: BagExtra): Promise<void> {
    this.#current ??= await this.#next();
    await this.#current.extra(extra);
  }

  /** Bytes written so far. */
  bytes(): number {
    return this.#files.reduce((sum, { bytes }) => sum + bytes, this.#current?.bytes() ?? 0);
  }

  /** Ends the files, gives the bag its name. `before` may add to the hidden folder, just before it gets its name. */
  async finish(
    before?: (folder: string, files: readonly WrittenFile[]) => Promise<void>,
  ): Promise<WrittenBag> {
    const { target, isFolder, storage, customData, rosDistro } = this.#options;
    this.#current ??= await this.#next();
    await this.#endFile();
    if (isFolder) {
      const facts = { storage, files: fileFacts(this.#files), topics: topicFacts(this.#files) };
      await writeDurable(
        join(this.#partial, 'metadata.yaml'),
        formatMetadata({ ...facts, ...(customData && { customData }), ...(rosDistro && { rosDistro }) }),
      );
      await before?.(this.#partial, this.#files);
      await syncFolder(this.#partial);
    }
    await refuseExisting(target);
    await rename(this.#partial, target);
    await syncFolder(dirname(target));
    const files = this.#files.map((file) => ({
      ...file,
      path: isFolder ? join(target, basename(file.path)) : target,
    }));
    return { path: target, files };
  }

  async abort(): Promise<void> {
    await this.#current?.abort();
    await rm(this.#partial, { recursive: true, force: true });
  }

  async #next(): Promise<BagFileOutput> {
    const { storage, target } = this.#options;
    const extension = storage === 'mcap' ? 'mcap' : 'db3';
    return this.#open(join(this.#partial, `${basename(target)}_${this.#files.length}.${extension}`));
  }

  #open(path: string): Promise<BagFileOutput> {
    return this.#options.storage === 'mcap'
      ? McapOutput.create(path, this.#options)
      : SqliteOutput.create(path);
  }

  async #endFile(): Promise<void> {
    const current = this.#current!;
    this.#files.push(await current.finish());
    this.#current = undefined;
  }
}

async function refuseExisting(target: string): Promise<void> {
  if (!(await stat(target).catch(() => undefined))) return;
  throw new EdgeError('bag.exists', {
    operation: 'write-bag',
    subject: target,
    message: `${target} already exists`,
    hint: 'choose another name, or remove it first',
  });
}

/** Removes what dead writers of the same target left behind. */
async function sweep(folder: string, name: string): Promise<void> {
  for (const entry of await readdir(folder)) {
    const match = PARTIAL.exec(entry);
    if (match?.[1] !== name || isAlive(Number(match[2]))) continue;
    await rm(join(folder, entry), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

export async function writeDurable(path: string, text: string): Promise<void> {
  await writeFile(path, text);
  const handle = await open(path, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function fileFacts(files: readonly WrittenFile[]) {
  return files.map(({ path, startNs, endNs, messages }) => ({
    path: basename(path),
    startNs,
    endNs,
    messages,
  }));
}

function topicFacts(files: readonly WrittenFile[]): BagTopicFacts[] {
  const topics = new Map<string, BagTopicFacts>();
  for (const [topic, { type, messages, qosProfiles, typeHash }] of files.flatMap((file) => [
    ...file.topics,
  ])) {
    const known = topics.get(topic);
    const profiles = known?.profiles ?? parseProfiles(qosProfiles);
    topics.set(topic, { topic, type, messages: (known?.messages ?? 0) + messages, profiles, typeHash });
  }
  return [...topics.values()];
}
