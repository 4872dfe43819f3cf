import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetReader, DatasetWriter, exportEpisodes } from '../../adapters/lerobot-dataset/index.ts';
import { recordedEpisodes } from '../../cli/dataset/episodes.ts';
import { importEpisode } from '../../cli/dataset/import-episodes.ts';
import { payloadFault } from '../../contract/index.ts';
import { madeEpisode, SPEC } from '../support/datasets.ts';
import { makeFolder, payloads } from '../support/recorder.ts';
import { makeRecording } from '../support/recording.ts';

const clock = new SystemClock();
let dataDir: string;
let remove: () => void;
let parquet: DuckParquetFiles;
beforeEach(() => {
  ({ dataDir, remove } = makeFolder());
  parquet = new DuckParquetFiles();
});
afterEach(async () => {
  await parquet.close();
  remove();
});

const options = (root: string, signal = new AbortController().signal) => ({
  dataDir,
  root,
  name: 'picks',
  splitBytes: 1_000_000,
  nowMs: () => 1_760_000_000_000,
  signal,
});

async function datasetOf(count: number): Promise<DatasetReader> {
  const root = join(dataDir, 'set');
  const writer = await DatasetWriter.open({
    root,
    spec: SPEC,
    parquet,
    clock,
    ffmpeg: 'none',
    codec: 'auto',
  });
  const episodes = Array.from({ length: count }, (_, index) =>
    madeEpisode(SPEC, { index, length: 6, task: `task ${index}`, success: index === 0 }),
  );
  await exportEpisodes(writer, episodes, { batchEpisodes: 10 });
  await writer.close();
  return DatasetReader.open({ root, parquet, clock, ffmpeg: 'none' });
}

describe('an episode that was imported', () => {
  it('is one of the daemon’s at its next start: listed, and told in its log once', async () => {
    const reader = await datasetOf(2);
    const root = join(dataDir, 'set');
    for (const index of [0, 1]) await importEpisode(reader, index, options(root));
    expect(await recordedEpisodes(dataDir)).toMatchObject([
      { label: 'task 0', success: true },
      { label: 'task 1', success: false },
    ]);
    const first = makeRecording(dataDir, { mode: 'episode', recorder: { bag: 'idle' } });
    await first.start();
    expect(first.recording.episodes.list()).toMatchObject([
      { label: 'task 0', success: true, bag: 'picks-000000', messages: 12 },
      { label: 'task 1', success: false, bag: 'picks-000001', messages: 12 },
    ]);
    expect(payloads(first.events, 'episode.ended')).toHaveLength(2);
    for (const { kind, payload } of first.events) expect(payloadFault(kind, payload)).toBeUndefined();
    await first.stop();
    const second = makeRecording(dataDir, { mode: 'episode', recorder: { bag: 'idle' } });
    await second.start();
    expect(payloads(second.events, 'episode.ended')).toEqual([]);
    await second.stop();
  });

  it('is not there at all when it was cancelled', async () => {
    const reader = await datasetOf(1);
    const abort = new AbortController();
    abort.abort();
    await expect(importEpisode(reader, 0, options(join(dataDir, 'set'), abort.signal))).rejects.toMatchObject(
      {
        code: 'run.cancelled',
      },
    );
    expect(await recordedEpisodes(dataDir)).toEqual([]);
  });
});
