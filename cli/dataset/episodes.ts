import { readdir, readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { openBag } from '../../adapters/rosbag/index.ts';
import { EdgeError, type EpisodeInfo, type Sample } from '../../contract/core.ts';

/** A recording that can become an episode of a dataset: of the data directory, or a bag that was named. */
export type Recording = {
  readonly source: string;
  readonly path: string;
  readonly label: string;
  readonly success: boolean | undefined;
  /** Nanoseconds; undefined of a bag that was named and not opened yet. */
  readonly startNs: bigint | undefined;
  readonly endNs: bigint | undefined;
  readonly bytes: number;
};

export type Choice = {
  readonly successOnly: boolean;
  /** Any of these; none: all. */
  readonly labels: readonly string[];
  readonly sinceNs?: bigint | undefined;
  readonly untilNs?: bigint | undefined;
};

/** The whole episodes of a data directory, oldest first. Episodes that are still being recorded are not listed. */
export async function recordedEpisodes(dataDir: string): Promise<Recording[]> {
  const root = join(dataDir, 'bags');
  const found: Recording[] = [];
  for (const bag of (await readdir(root).catch(() => [] as string[])).sort()) {
    const text = await readFile(join(root, bag, 'episode.json'), 'utf8').catch(() => undefined);
    const info = text === undefined ? undefined : infoOf(text);
    if (!info) continue;
    found.push({
      source: info.episode_id,
      path: join(root, bag),
      label: info.label,
      success: info.success,
      startNs: BigInt(info.start_ns),
      endNs: BigInt(info.end_ns),
      bytes: info.bytes,
    });
  }
  // By time, and those of one moment by name: ids of the same millisecond have no order.
  const key = ({ startNs = 0n, path }: Recording) => `${String(startNs).padStart(20, '0')} ${path}`;
  return found.sort((a, b) => (key(a) < key(b) ? -1 : 1));
}

/** Bags as episodes: a folder with an `episode.json` keeps what that says. */
export async function namedRecordings(paths: readonly string[]): Promise<Recording[]> {
  const found: Recording[] = [];
  for (const given of paths) {
    const path = resolve(given);
    const text = await readFile(join(path, 'episode.json'), 'utf8').catch(() => undefined);
    const info = text === undefined ? undefined : infoOf(text);
    found.push({
      source: info?.episode_id ?? basename(path),
      path,
      label: info?.label ?? '',
      success: info?.success,
      startNs: info ? BigInt(info.start_ns) : undefined,
      endNs: info ? BigInt(info.end_ns) : undefined,
      bytes: info?.bytes ?? 0,
    });
  }
  const twice = found.find(({ source }, i) => found.findIndex((other) => other.source === source) !== i);
  if (!twice) return found;
  throw new EdgeError('schema.invalid', {
    operation: 'dataset',
    subject: twice.path,
    message: `two recordings are called ${twice.source}: a dataset distinguishes its episodes by that name`,
    hint: 'rename one',
  });
}

export function choose(recordings: readonly Recording[], choice: Choice): Recording[] {
  const { successOnly, labels, sinceNs, untilNs } = choice;
  return recordings.filter(
    ({ success, label, startNs }) =>
      (!successOnly || success === true) &&
      (labels.length === 0 || labels.includes(label)) &&
      (sinceNs === undefined || (startNs ?? 0n) >= sinceNs) &&
      (untilNs === undefined || (startNs ?? 0n) < untilNs),
  );
}

/** The samples of a bag. Opened again each time: an export reads a recording twice. */
export async function* samplesOfBag(path: string, topics: ReadonlySet<string>): AsyncGenerator<Sample> {
  const bag = await openBag(path);
  try {
    yield* bag.messages({ topics });
  } finally {
    await bag.close();
  }
}

function infoOf(text: string): EpisodeInfo | undefined {
  try {
    const { info } = JSON.parse(text) as { info?: EpisodeInfo };
    return info?.state === 'whole' && typeof info.episode_id === 'string' ? info : undefined;
  } catch {
    return undefined;
  }
}
