import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import type { DatasetReader } from '../../adapters/lerobot-dataset/index.ts';
import { importBag } from '../../adapters/rosbag/index.ts';
import { type EpisodeInfo, type EventPayload, IdSource } from '../../contract/core.ts';
import { EpisodeBag } from './episode-bag.ts';

/** A dataset does not tell when it was recorded: the same dataset gives the same times, so it is taken in once. */
const NO_TIME_NS = 1_577_836_800_000_000_000n;

export type ImportedEpisode = { readonly episode: number; readonly bag: string; readonly already: boolean };

/**
 * Takes an episode of a dataset into the data directory as a bag of its own, with the mark that makes it an episode.
 * It is there as a whole or not at all; the same content twice is written once.
 */
export async function importEpisode(
  reader: DatasetReader,
  index: number,
  options: {
    readonly dataDir: string;
    readonly root: string;
    readonly name: string;
    readonly splitBytes: number;
    readonly nowMs: () => number;
    readonly signal: AbortSignal;
  },
): Promise<ImportedEpisode> {
  const episode = reader.episode(index);
  const row = reader.rows.find((one) => one.index === index)!;
  const start = reader.sources.find((note) => note.episode === index)?.notes?.['start_ns'];
  const offset = BigInt(Math.round((row.fromIndex * 1e9) / reader.spec.fps)) + BigInt(index) * 1_000_000_000n;
  const startNs = typeof start === 'string' && /^\d{1,19}$/.test(start) ? BigInt(start) : NO_TIME_NS + offset;
  const bag = new EpisodeBag(episode, reader.spec, {
    path: `${options.root}#${index}`,
    startNs,
    length: row.length,
  });
  const name = `${options.name}-${String(index).padStart(6, '0')}`;
  const ids = new IdSource(options.nowMs, (length) => randomBytes(length));
  const imported = await importBag(bag, {
    dataDir: options.dataDir,
    name,
    source: bag.path,
    compression: 'zstd',
    splitBytes: options.splitBytes,
    signal: options.signal,
    beside: (segments) => ({ 'episode.json': markOf(name, ids.next<string>(), episode, segments) }),
  });
  return { episode: index, bag: imported.bag, already: imported.already };
}

/** As the recorder marks an episode that is whole; its event is owed to the log and told at the next start. */
function markOf(
  bag: string,
  id: string,
  { task, success }: { readonly task: string; readonly success?: boolean },
  segments: readonly EventPayload<'segment.sealed'>[],
): string {
  const times = (key: 'start_ns' | 'end_ns') => segments.map((segment) => BigInt(segment[key]));
  const ends = times('end_ns');
  const info: EpisodeInfo = {
    episode_id: id,
    bag,
    state: 'whole',
    label: task.slice(0, 256),
    ...(success === undefined ? {} : { success }),
    start_ns: String(times('start_ns')[0] ?? 0n),
    end_ns: String(ends.at(-1) ?? 0n),
    messages: segments.reduce((sum, { messages }) => sum + messages, 0),
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
    segments: segments.map(({ path, sha256 }) => ({ path, sha256 })),
  };
  return JSON.stringify({ info, untold: ['ended'] });
}

export function datasetName(root: string): string {
  return (
    basename(root)
      .replace(/[^A-Za-z0-9._-]+/g, '-')
      .replace(/^[^A-Za-z0-9]+/, '')
      .slice(0, 80) || 'dataset'
  );
}
