import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EdgeError, type Sample } from '../../contract/core.ts';
import type { Bag, BagFilter, BagTopic } from './bag.ts';
import { McapBag } from './mcap-bag.ts';
import { SqliteBag } from './sqlite-bag.ts';

/** Where a bag's files are: `.mcap`, `.db3`, or a folder that holds them; unsealed segments count too. */
export async function bagFiles(path: string): Promise<string[]> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new EdgeError('bag.malformed', {
      operation: 'open-bag',
      subject: path,
      message: `it cannot be opened: ${(cause as Error).message}`,
      hint: 'name a .mcap or .db3 file, or a folder that holds them',
      cause,
    });
  });
  if (!info.isDirectory()) return [path];
  const names = (await readdir(path)).filter((name) => /\.(?:mcap|mcap\.active|db3)$/.test(name));
  if (names.length === 0) {
    const packed = (await readdir(path)).some((name) => /\.(?:db3|mcap)\.zstd$/.test(name));
    throw new EdgeError('bag.malformed', {
      operation: 'open-bag',
      subject: path,
      message: packed ? 'its files are compressed as a whole' : 'the folder holds no .mcap or .db3 file',
      hint: packed ? 'unpack them with zstd -d' : 'name the folder that holds the files of the bag',
    });
  }
  return names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).map((name) => join(path, name));
}

/**
 * Opens a bag for reading. Rejects with `bag.malformed` or `mcap.malformed` when nothing of it can be read;
 * a bag that is damaged further on opens, and says so in `fault`.
 */
export async function openBag(path: string): Promise<Bag> {
  const files = await bagFiles(path);
  if (files.length === 1) return openFile(files[0]!);
  const parts: Bag[] = [];
  try {
    for (const file of files) parts.push(await openFile(file));
  } catch (error) {
    await Promise.all(parts.map((part) => part.close()));
    throw error;
  }
  return new JoinedBag(path, parts);
}

/** A pipe or device under the name of a bag would hold the thread that opens it for ever. */
async function refuseUnlessFile(path: string): Promise<void> {
  if ((await stat(path)).isFile()) return;
  throw new EdgeError('bag.malformed', { operation: 'open-bag', subject: path, message: 'it is not a file' });
}

export async function openFile(path: string): Promise<Bag> {
  await refuseUnlessFile(path);
  return basename(path).endsWith('.db3') ? SqliteBag.open(path) : McapBag.open(path);
}

function byTime(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Several files as one bag, merged by time. */
class JoinedBag implements Bag {
  readonly path: string;
  readonly #parts: readonly Bag[];

  constructor(path: string, parts: readonly Bag[]) {
    this.path = path;
    this.#parts = parts;
  }

  get storage() {
    return this.#parts[0]!.storage;
  }

  get topics(): readonly BagTopic[] {
    const topics = new Map<string, BagTopic>();
    for (const topic of this.#parts.flatMap((part) => part.topics)) {
      const known = topics.get(topic.topic);
      topics.set(topic.topic, known ? { ...known, messages: known.messages + topic.messages } : topic);
    }
    return [...topics.values()];
  }

  get startNs(): bigint {
    return (
      this.#filled()
        .map((part) => part.startNs)
        .sort(byTime)[0] ?? 0n
    );
  }

  get endNs(): bigint {
    return (
      this.#filled()
        .map((part) => part.endNs)
        .sort(byTime)
        .at(-1) ?? 0n
    );
  }

  get bytes(): number {
    return this.#parts.reduce((sum, part) => sum + part.bytes, 0);
  }

  get fault(): EdgeError | undefined {
    return this.#parts.find((part) => part.fault)?.fault;
  }

  /** Parts are opened when their time comes; a fault of one is thrown after all that can be read of the others. */
  async *messages(filter: BagFilter = {}): AsyncGenerator<Sample> {
    const waiting = [...this.#filled()].sort((a, b) => byTime(a.startNs, b.startNs));
    const running: { readonly source: AsyncGenerator<Sample>; next: Sample }[] = [];
    let fault: unknown;
    const draw = async (source: AsyncGenerator<Sample>): Promise<Sample | undefined> => {
      try {
        const { value, done } = await source.next();
        return done ? undefined : value;
      } catch (error) {
        fault ??= error;
        return undefined;
      }
    };
    for (;;) {
      const first = running.reduce<(typeof running)[number] | undefined>(
        (best, one) => (best && best.next.received <= one.next.received ? best : one),
        undefined,
      );
      if (waiting[0] && (!first || waiting[0].startNs <= first.next.received)) {
        const source = waiting.shift()!.messages(filter);
        const next = await draw(source);
        if (next) running.push({ source, next });
        continue;
      }
      if (!first) break;
      yield first.next;
      const next = await draw(first.source);
      if (next) first.next = next;
      else running.splice(running.indexOf(first), 1);
    }
    if (fault) throw fault;
  }

  async close(): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.close()));
  }

  #filled(): readonly Bag[] {
    return this.#parts.filter((part) => part.topics.some((topic) => topic.messages > 0) || part.fault);
  }
}
