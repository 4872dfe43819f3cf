import { execFile, execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetReader, DatasetWriter, exportEpisodes } from '../../adapters/lerobot-dataset/index.ts';
import type { DatasetSpec } from '../../contract/core.ts';
import {
  JOINTS,
  madeEpisode,
  picture,
  psnr,
  pythonView,
  testFfmpeg,
  withCamera,
} from '../support/datasets.ts';

const run = promisify(execFile);
const peers = join(import.meta.dirname, '..', 'peers');
const clock = new SystemClock();
const parquet = new DuckParquetFiles();
/** Its commands are named by nobody: `names` is null in info.json, and stock LeRobot takes that. */
const spec: DatasetSpec = {
  ...withCamera(),
  features: { ...withCamera().features, action: { kind: 'vector', names: JOINTS.map((_, i) => String(i)) } },
};
let root: string;
let folder: string;

beforeAll(() => {
  testFfmpeg();
  folder = mkdtempSync(join(tmpdir(), 'auraison-dataset-'));
  root = join(folder, 'picks');
});
afterAll(async () => {
  await parquet.close();
  rmSync(folder, { recursive: true, force: true });
});

const open = (at = root, of = spec) =>
  DatasetWriter.open({ root: at, spec: of, parquet, clock, ffmpeg: testFfmpeg(), codec: 'auto' });
const episodes = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => {
    const index = from + i;
    return madeEpisode(spec, {
      index,
      length: 12 + index,
      task: index % 3 === 2 ? 'place the cube' : 'pick the cube',
    });
  });

async function exported(from: number, to: number, batchEpisodes: number) {
  const writer = await open();
  try {
    return await exportEpisodes(writer, episodes(from, to), { batchEpisodes });
  } finally {
    await writer.close();
  }
}

/** Mulberry32: repeatable by its seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

type Stock = {
  episodes: number;
  frames: number;
  rows: number;
  tasks: string[];
  items: (Record<string, unknown> & { task: string; episode: number })[];
  stats: Record<string, Record<string, number[]>>;
  own_stats: Record<string, Record<string, number[]>>;
};

describe('a dataset that grew by three exports', () => {
  it('is loaded by stock LeRobot: lengths, tasks, every number bit by bit, the picture of each frame, its own statistics', async () => {
    rmSync(root, { recursive: true, force: true });
    expect(await exported(0, 3, 2)).toMatchObject({ added: 3, already: 0 });
    expect(await exported(0, 4, 2)).toMatchObject({ added: 1, already: 3 });
    const lerobot = execFileSync('bash', [join(peers, 'lerobot.sh')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    }).trim();
    const { stdout } = await run(
      join(lerobot, 'bin', 'python'),
      [join(peers, 'lerobot_dataset.py'), root, join(folder, 'stock')],
      {
        maxBuffer: 1 << 28,
        timeout: 240_000,
      },
    );
    const stock = JSON.parse(stdout) as Stock;
    const frames = 12 + 13 + 14 + 15;
    expect(stock).toMatchObject({
      episodes: 4,
      frames,
      rows: frames,
      tasks: ['pick the cube', 'place the cube'],
    });
    let at = 0;
    for (const [index, episode] of episodes(0, 4).entries()) {
      let k = 0;
      for await (const frame of episode.frames()) {
        const item = stock.items[at++]!;
        expect(item).toMatchObject({ task: episode.task, episode: index });
        expect(item['observation.state']).toEqual([...frame.vectors['observation.state']!]);
        expect(item['action']).toEqual([...frame.vectors['action']!]);
        expect(item['timestamp']).toBe(Math.fround(k / 20));
        const { shape, column } = item['observation.images.front'] as { shape: number[]; column: number };
        expect(shape).toEqual([3, 48, 64]);
        const square = ((k + index * 7) * 3) % 64;
        if (square > 6 && square < 58) expect(Math.abs(column - square)).toBeLessThan(1);
        k += 1;
      }
    }
    for (const [key, own] of Object.entries(stock.own_stats))
      for (const [name, values] of Object.entries(own))
        for (const [i, value] of [values].flat(3).entries()) {
          const span = Math.abs(own['max']![i]! - own['min']![i]!) + 1e-9;
          // LeRobot finds quantiles in a histogram of 5000 bins and means in float32.
          const near = name.startsWith('q') ? span / 1_000 : span * 1e-5;
          expect(
            Math.abs([stock.stats[key]![name]!].flat(3)[i]! - value),
            `${key} ${name} ${i}`,
          ).toBeLessThanOrEqual(near);
        }
  });

  it('gives the same frames back: vectors bit-equal, pictures close', async () => {
    const reader = await DatasetReader.open({ root, parquet, clock, ffmpeg: testFfmpeg() });
    expect(await reader.faults()).toEqual([]);
    expect(reader.spec).toEqual(spec);
    expect(reader.info.features['action']!.names).toBeNull();
    let worst = Number.POSITIVE_INFINITY;
    for (const index of [0, 3]) {
      let k = 0;
      for await (const frame of reader.episode(index).frames()) {
        expect([...frame.vectors['action']!]).toEqual(
          JOINTS.map((_, i) => Math.fround(Math.sin(index * 1.3 + k / 10 + i + 0.05))),
        );
        worst = Math.min(
          worst,
          psnr(frame.images['observation.images.front']!, picture(48, 64, k + index * 7)),
        );
        k += 1;
      }
      expect(k).toBe(12 + index);
    }
    expect(worst).toBeGreaterThan(28);
  });
});

describe('a dataset of a stranger', () => {
  it('with a playlist for a video has no other file read', async () => {
    const hostile = join(folder, 'hostile');
    const secret = join(folder, 'secret.mp4');
    cpSync(root, hostile, { recursive: true });
    const video = join(hostile, 'videos/observation.images.front/chunk-000/file-000.mp4');
    cpSync(video, secret);
    const lists = [
      `#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile://${secret}\n#EXT-X-ENDLIST\n`,
      `ffconcat version 1.0\nfile '${secret}'\n`,
    ];
    for (const text of lists) {
      writeFileSync(video, text);
      const reader = await DatasetReader.open({ root: hostile, parquet, clock, ffmpeg: testFfmpeg() });
      const frames = reader.episode(0).frames()[Symbol.asyncIterator]();
      await expect(frames.next()).rejects.toMatchObject({ code: 'tool.failed' });
    }
  });
});

describe('a dataset that stock LeRobot recorded', () => {
  it('is read here: tasks, numbers, pictures in AV1', async () => {
    const stock = join(folder, 'stock');
    const reader = await DatasetReader.open({ root: stock, parquet, clock, ffmpeg: testFfmpeg() });
    expect(await reader.faults()).toEqual([]);
    expect(reader.spec).toMatchObject({
      fps: 10,
      robotType: 'stock',
      features: {
        'observation.state': { kind: 'vector', names: ['joint_0', 'joint_1', 'joint_2'] },
        'observation.images.top': { kind: 'video', height: 48, width: 64 },
      },
    });
    expect(reader.tasks).toEqual(['stock task 0', 'stock task 1']);
    for (const index of [0, 1]) {
      const episode = reader.episode(index);
      expect(episode.task).toBe(`stock task ${index}`);
      let k = 0;
      for await (const { vectors, images } of episode.frames()) {
        const state = [index, k, 0.1 * k].map(Math.fround);
        expect([...vectors['observation.state']!]).toEqual(state);
        expect([...vectors['action']!]).toEqual(state.map((v) => Math.fround(v + 1)));
        const even = new Uint8Array(48 * 64 * 3).fill(40 * k + 20);
        expect(psnr(images['observation.images.top']!, even)).toBeGreaterThan(28);
        k += 1;
      }
      expect(k).toBe(6);
    }
  });
});

describe('an export that is killed', () => {
  it('leaves whole episodes or nothing wherever the kill falls, and the next one goes on', async () => {
    const killed = join(folder, 'killed');
    rmSync(killed, { recursive: true, force: true });
    const seed = Date.now() >>> 0;
    console.info(`kills of seed ${seed}`);
    const chance = generator(seed);
    let before = 0;
    for (let round = 0; round < 4; round++) {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, '..', 'support', 'export-until-killed-main.ts'), killed, testFfmpeg()],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await new Promise((resolve) => child.stdout.once('data', resolve));
      // Somewhere in a second of it: in the videos, in the tables, between two renames.
      await new Promise((resolve) => setTimeout(resolve, chance() * 900));
      child.kill('SIGKILL');
      await ended;
      const view = await pythonView(killed).catch((error: Error) => {
        if (before === 0 && /No such file/.test(error.message)) return undefined;
        throw error;
      });
      if (!view) continue;
      const { total_episodes: total, total_frames: frames } = view.info;
      expect(total).toBeGreaterThanOrEqual(before);
      const named = view.episodes.slice(0, total);
      expect(named.map((row) => row['episode_index'])).toEqual(named.map((_, i) => i));
      expect(named.reduce((sum, row) => sum + Number(row['length']), 0)).toBe(frames);
      expect(view.data['index']!.slice(0, frames)).toEqual(Array.from({ length: frames }, (_, i) => i));
      for (const row of named) expect(row['tasks']).toEqual([`task ${Number(row['episode_index']) % 4}`]);
      const reader = await DatasetReader.open({ root: killed, parquet, clock, ffmpeg: testFfmpeg() });
      // Statistics may be of the batch that was not committed any more; the next export mends that.
      expect((await reader.faults()).filter((fault) => !/stats\.json/.test(fault))).toEqual([]);
      if (total > 0)
        for await (const frame of reader.episode(total - 1).frames())
          expect(frame.images['observation.images.front']).toHaveLength(48 * 64 * 3);
      before = total;
    }
    expect(before).toBeGreaterThan(0);
    await (await open(killed, withCamera())).close();
    const reader = await DatasetReader.open({ root: killed, parquet, clock, ffmpeg: testFfmpeg() });
    expect(await reader.faults()).toEqual([]);
  });
});
