import { type DatasetEpisode, EdgeError } from '../../contract/core.ts';
import type { DatasetWriter } from './dataset-writer.ts';

export type ExportProgress = {
  readonly episodes: number;
  readonly of: number;
  readonly frames: number;
};

export type ExportResult = {
  /** Episodes that are in the dataset now and were not before, and their frames. */
  readonly added: number;
  readonly frames: number;
  /** Sources that were in it already. */
  readonly already: number;
  readonly refused: readonly { readonly source: string; readonly code: string; readonly reason: string }[];
  readonly cancelled: boolean;
};

/** Faults of one recording; any other ends the export. */
const OF_THE_EPISODE: ReadonlySet<string> = new Set([
  'schema.invalid',
  'sample.malformed',
  'sample.unknown_type',
  'bag.malformed',
  'mcap.malformed',
]);

/**
 * Exports what is not in the dataset yet, in batches of `batchEpisodes`. A recording that is spoiled is left out and
 * reported; the rest of its batch is taken again without it. Cancelled, the batches that are done stay.
 */
export async function exportEpisodes(
  writer: DatasetWriter,
  episodes: readonly DatasetEpisode[],
  options: {
    readonly batchEpisodes: number;
    readonly signal?: AbortSignal;
    readonly onProgress?: (progress: ExportProgress) => void;
  },
): Promise<ExportResult> {
  const { batchEpisodes, signal, onProgress } = options;
  const there = writer.sources();
  const fresh = episodes.filter(({ source }) => !there.has(source));
  const refused: { source: string; code: string; reason: string }[] = [];
  let added = 0;
  let frames = 0;
  for (let at = 0; at < fresh.length; at += batchEpisodes) {
    let batch = fresh.slice(at, at + batchEpisodes);
    while (batch.length > 0) {
      let done = 0;
      let taken = 0;
      let spoiled: DatasetEpisode | undefined;
      for (const episode of batch) {
        try {
          signal?.throwIfAborted();
          taken += await writer.add(episode, { signal });
          done += 1;
          onProgress?.({ episodes: added + done, of: fresh.length, frames: frames + taken });
        } catch (error) {
          if (signal?.aborted) {
            await writer.giveUp();
            return { added, frames, already: episodes.length - fresh.length, refused, cancelled: true };
          }
          if (!(error instanceof EdgeError) || !OF_THE_EPISODE.has(error.code)) throw error;
          refused.push({ source: episode.source, code: error.code, reason: error.message });
          spoiled = episode;
          break;
        }
      }
      if (spoiled) {
        batch = batch.filter((episode) => episode !== spoiled);
        continue;
      }
      await writer.commit();
      added += done;
      frames += taken;
      break;
    }
  }
  return { added, frames, already: episodes.length - fresh.length, refused, cancelled: false };
}
