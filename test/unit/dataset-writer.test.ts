import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetReader, DatasetWriter, exportEpisodes } from '../../adapters/lerobot-dataset/index.ts';
import type { DatasetEpisode, DatasetSpec, EdgeError, ParquetFiles } from '../../contract/core.ts';
import { madeEpisode, SPEC } from '../support/datasets.ts';

const clock = new SystemClock();
let folder: string;
let root: string;
let parquet: DuckParquetFiles;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-writer-'));
  root = join(folder, 'set');
  parquet = new DuckParquetFiles();
});
afterEach(async () => {
  await parquet.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = (spec: DatasetSpec = SPEC, files: ParquetFiles = parquet) =>
  DatasetWriter.open({ root, spec, parquet: files, clock, ffmpeg: 'no-ffmpeg-here', codec: 'auto' });
const reader = () => DatasetReader.open({ root, parquet, clock, ffmpeg: 'no-ffmpeg-here' });
const episodes = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) =>
    madeEpisode(SPEC, { index: from + i, length: 5, task: `task ${(from + i) % 2}` }),
  );

async function exportAll(list: readonly DatasetEpisode[], batchEpisodes = 2) {
  const writer = await open();
  try {
    return await exportEpisodes(writer, list, { batchEpisodes });
  } finally {
    await writer.close();
  }
}

async function numbers(index: number) {
  const rows: number[][] = [];
  for await (const frame of (await reader()).episode(index).frames())
    rows.push([...frame.vectors['action']!]);
  return rows;
}

describe('a dataset that is added to', () => {
  it('holds each recording once, in order, with its own task and numbers', async () => {
    await exportAll(episodes(0, 3));
    expect(await exportAll(episodes(0, 5))).toMatchObject({ added: 2, already: 3, refused: [] });
    const { info, tasks, rows, sources } = await reader();
    expect(info).toMatchObject({
      total_episodes: 5,
      total_frames: 25,
      total_tasks: 2,
      splits: { train: '0:5' },
    });
    expect(tasks).toEqual(['task 0', 'task 1']);
    expect(rows.map((row) => row.tasks[0])).toEqual(['task 0', 'task 1', 'task 0', 'task 1', 'task 0']);
    expect(sources.map(({ source }) => source)).toEqual(episodes(0, 5).map(({ source }) => source));
    for (const index of [0, 2, 4]) {
      const expected: number[][] = [];
      for await (const frame of episodes(index, index + 1)[0]!.frames())
        expected.push([...frame.vectors['action']!]);
      expect(await numbers(index)).toEqual(expected);
    }
    expect(await (await reader()).faults()).toEqual([]);
  });

  it('has the statistics of all of it, however it was batched', async () => {
    await exportAll(episodes(0, 7), 3);
    const first = JSON.parse(readFileSync(join(root, 'meta/stats.json'), 'utf8')) as Record<
      string,
      Record<string, number[]>
    >;
    rmSync(root, { recursive: true });
    for (let n = 1; n <= 7; n++) await exportAll(episodes(0, n), 1);
    const second = JSON.parse(readFileSync(join(root, 'meta/stats.json'), 'utf8')) as typeof first;
    expect(first['action']!['count']).toEqual([35]);
    for (const key of ['min', 'max', 'mean', 'std'])
      for (const [i, value] of first['action']![key]!.entries())
        expect(second['action']![key]![i]).toBeCloseTo(value, 9);
    expect(first['frame_index']).toMatchObject({ min: [0], max: [4], mean: [2] });
  });

  it('is refused episodes of another shape, with both shapes named', async () => {
    await exportAll(episodes(0, 1));
    const other: DatasetSpec = {
      ...SPEC,
      features: { ...SPEC.features, action: { kind: 'vector', names: ['x', 'y'] } },
    };
    const fault = await open(other).catch((error: EdgeError) => error);
    expect(fault).toMatchObject({ code: 'schema.invalid' });
    expect((fault as Error).message).toMatch(/action joint_1.*action x y/s);
    await exportAll(episodes(0, 2));
  });

  it('has one writer at a time; that of a process which is gone does not count', async () => {
    const writer = await open();
    await expect(open()).rejects.toMatchObject({ code: 'cell.overloaded' });
    await writer.close();
    await exportAll(episodes(0, 1));
    const { mkdirSync } = await import('node:fs');
    mkdirSync(join(root, '.auraison'), { recursive: true });
    writeFileSync(join(root, '.auraison', 'writer'), '4194999');
    expect(await exportAll(episodes(0, 2))).toMatchObject({ added: 1 });
  });
});

describe('what is spoiled', () => {
  const spoiled = (at: number, value: number): DatasetEpisode => {
    const good = madeEpisode(SPEC, { index: 9, length: 5 });
    return {
      ...good,
      async *frames() {
        let k = 0;
        for await (const frame of good.frames()) {
          if (k++ === at) frame.vectors['action']![3] = value;
          yield frame;
        }
      },
    };
  };

  it('is left out and told; the rest of its batch is in', async () => {
    const [a, b, c] = episodes(0, 3) as [DatasetEpisode, DatasetEpisode, DatasetEpisode];
    const result = await exportAll([a, spoiled(2, Number.NaN), b, c], 4);
    expect(result).toMatchObject({ added: 3, refused: [{ source: 'episode-9', code: 'schema.invalid' }] });
    expect(result.refused[0]!.reason).toMatch(/frame 2: action\[3\] is NaN/);
    expect((await reader()).info.total_frames).toBe(15);
  });

  it('an episode of no frame is no episode', async () => {
    const empty = madeEpisode(SPEC, { index: 3, length: 0 });
    expect(await exportAll([empty])).toMatchObject({ added: 0, refused: [{ source: 'episode-3' }] });
  });
});

describe('an export that is cut short', () => {
  it.each(['data/', 'meta/tasks', 'meta/episodes', 'rename'])(
    'at %s leaves the batches before it, and the next goes on',
    async (where) => {
      await exportAll(episodes(0, 2));
      // A disk that fails at one of the files of the second batch.
      const failing: ParquetFiles = {
        write: (path, columns, meta) =>
          path.includes(where.replaceAll('/', '-'))
            ? Promise.reject(Object.assign(new Error('no space left on device'), { code: 'ENOSPC' }))
            : parquet.write(path, columns, meta),
        read: (...args) => parquet.read(...args),
        metadata: (path) => parquet.metadata(path),
        close: () => Promise.resolve(),
      };
      const writer = await open(SPEC, failing);
      for (const episode of episodes(2, 4)) await writer.add(episode);
      if (where === 'rename') await writer.giveUp();
      else await expect(writer.commit()).rejects.toThrow(/no space/);
      await writer.close();
      const cut = await reader();
      expect([cut.info.total_episodes, await cut.faults()]).toEqual([2, []]);
      expect(await exportAll(episodes(0, 4))).toMatchObject({ added: 2, already: 2 });
      expect(await numbers(3)).toHaveLength(5);
      expect(readdirSync(root)).not.toContain('.auraison');
      expect(readdirSync(join(root, 'data/chunk-000'))).toEqual(['file-000.parquet', 'file-001.parquet']);
    },
  );

  it('just before info.json leaves statistics of too much; that is told, and the next export mends it', async () => {
    await exportAll(episodes(0, 4));
    const path = join(root, 'meta/info.json');
    const whole = readFileSync(path, 'utf8');
    const right = readFileSync(join(root, 'meta/stats.json'), 'utf8');
    await exportAll(episodes(0, 6));
    writeFileSync(path, whole);
    expect((await (await reader()).faults()).join()).toMatch(
      /stats.json covers 30 frames, but the dataset has 20/,
    );
    await exportAll(episodes(0, 4));
    expect(await (await reader()).faults()).toEqual([]);
    expect(readFileSync(join(root, 'meta/stats.json'), 'utf8')).toBe(right);
    expect(await exportAll(episodes(0, 6))).toMatchObject({ added: 2 });
    expect(await (await reader()).faults()).toEqual([]);
  });

  it('by LeRobot’s own recorder, rows missing, is not written to', async () => {
    await exportAll(episodes(0, 2));
    const path = join(root, 'meta/info.json');
    const info = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(path, JSON.stringify({ ...info, total_episodes: 3 }));
    const before = readdirSync(root, { recursive: true });
    await expect(exportAll(episodes(0, 4))).rejects.toThrow(/lists 3 episodes, but meta\/episodes has 2/);
    expect(readdirSync(root, { recursive: true })).toEqual(before);
  });

  it('by Ctrl-C keeps the batches that are done', async () => {
    const abort = new AbortController();
    const writer = await open();
    const result = await exportEpisodes(writer, episodes(0, 6), {
      batchEpisodes: 2,
      signal: abort.signal,
      onProgress: ({ episodes: done }) => {
        if (done === 5) abort.abort();
      },
    });
    await writer.close();
    expect(result).toMatchObject({ added: 4, cancelled: true });
    expect((await reader()).info.total_episodes).toBe(4);
  });
});

describe('a dataset of somebody else', () => {
  it('that names files outside of itself is not followed', async () => {
    await exportAll(episodes(0, 1));
    const path = join(root, 'meta/info.json');
    const info = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    writeFileSync(
      path,
      JSON.stringify({ ...info, data_path: '../../etc/chunk-{chunk_index}/{file_index}.parquet' }),
    );
    await expect(numbers(0)).rejects.toMatchObject({ code: 'schema.invalid' });
  });

  it.each([
    ['{', /not JSON/],
    ['{"codebase_version":"v2.1"}', /v2\.1/],
    ['{"codebase_version":"v3.0","fps":20}', /not the info/],
    [
      '{"codebase_version":"v3.0","fps":20,"total_episodes":1e9,"total_frames":1,"total_tasks":1,"data_path":"x","features":{"a":{"dtype":"float32","shape":[-1]}}}',
      /not the info/,
    ],
  ])('with nonsense for info %s is refused in words', async (text, words) => {
    await exportAll(episodes(0, 1));
    writeFileSync(join(root, 'meta/info.json'), text);
    await expect(reader()).rejects.toThrow(words);
  });

  it('keeps files that we did not write', async () => {
    await exportAll(episodes(0, 1));
    rmSync(join(root, 'meta/auraison.json'));
    const stranger = join(root, 'data/chunk-000/file-007.parquet');
    writeFileSync(stranger, readFileSync(join(root, 'data/chunk-000/file-000.parquet')));
    const writer = await open();
    await writer.close();
    expect(readdirSync(join(root, 'data/chunk-000'))).toContain('file-007.parquet');
  });
});
