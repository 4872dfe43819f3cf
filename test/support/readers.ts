import { execFile, execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const peers = join(import.meta.dirname, '..', 'peers');
let python: string | undefined;

/** The Python with the foreign readers; installs it where `npm test` has not yet. */
export function readersPython(): string {
  python ??= execFileSync(join(peers, 'readers.sh'), {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  }).trim();
  return python;
}

export type ForeignView = {
  readonly topics: Readonly<Record<string, { readonly count: number; readonly sha256: string }>>;
  /** SHA-256 over topic names and log times in the order in which the reader gave them. */
  readonly order: string;
  readonly metadata?: readonly { name: string; metadata: Record<string, string> }[];
  /** Type and definition by topic, as the file tells (reader `mcap`). */
  readonly schemas?: Readonly<Record<string, { readonly type: string; readonly definition: string }>>;
  readonly message_count?: number;
  readonly qos?: Readonly<Record<string, number>>;
};

/** The bag as a foreign reader sees it. */
export async function foreignView(reader: 'mcap' | 'rosbags', path: string): Promise<ForeignView> {
  return JSON.parse(await readBag(reader, path)) as ForeignView;
}

/** Messages that `mcap-ros2-support` could decode, by topic and type. */
export async function foreignDecoded(path: string): Promise<Readonly<Record<string, number>>> {
  return (JSON.parse(await readBag('decode', path)) as { decoded: Record<string, number> }).decoded;
}

export type ForeignStory = {
  readonly events: readonly ({ readonly time: string } & Record<string, unknown>)[];
  readonly log: readonly { time: string; level: number; name: string; msg: string; function: string }[];
};

/** What two foreign readers decode of the channels of the daemon's own decisions, with the types that the bag carries. */
export async function foreignStory(path: string): Promise<Record<'mcap' | 'rosbags', ForeignStory>> {
  return JSON.parse(await readBag('story', path)) as Record<'mcap' | 'rosbags', ForeignStory>;
}

/** By topic: log time and fields of each message. */
export type ForeignValues = Readonly<Record<string, readonly (readonly [string, Record<string, unknown>])[]>>;

/** Every message of a bag with its fields, as two foreign readers decode it. */
export async function foreignValues(path: string): Promise<Record<'mcap' | 'rosbags', ForeignValues>> {
  return JSON.parse(await readBag('values', path)) as Record<'mcap' | 'rosbags', ForeignValues>;
}

async function readBag(kind: string, path: string): Promise<string> {
  const { stdout } = await run(readersPython(), [join(peers, 'read_bag.py'), kind, path], {
    maxBuffer: 1 << 28,
  });
  return stdout;
}
