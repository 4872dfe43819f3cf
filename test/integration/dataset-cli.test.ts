import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetReader } from '../../adapters/lerobot-dataset/index.ts';
import { BagWriter } from '../../adapters/rosbag/index.ts';
import type { DatasetFrame, Sample } from '../../contract/core.ts';
import { schemaFor } from '../../formats/ros2/index.ts';
import {
  cameraSample,
  commandSample,
  JOINTS,
  jointSample,
  picture,
  psnr,
  testFfmpeg,
} from '../support/datasets.ts';

const run = promisify(execFile);
const cli = join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
const MS = 1_000_000n;
const BEGIN = 1_760_000_000_000_000_000n;
const parquet = new DuckParquetFiles();
let folder: string;
let dataDir: string;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-dataset-cli-'));
  dataDir = join(folder, 'data');
  env = { ...process.env, AURAISON_DATASET_FFMPEG: testFfmpeg(), AURAISON_API_PORT: '1' };
  for (const index of [0, 1, 2]) await record(index, index !== 1);
});
afterAll(async () => {
  await parquet.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Joints at 50 Hz and in another order, a camera at 20 Hz, commands 12 ms after each picture; one with a camera that slept. */
function samplesOf(index: number): Sample[] {
  const begin = BEGIN + BigInt(index) * 60_000n * MS;
  const samples: Sample[] = [];
  const swapped = [...JOINTS].reverse();
  for (let i = 0; i <= 75; i++) {
    const values = JOINTS.map((_, j) => Math.sin(index + i / 25 + j));
    // One of the recordings begins with the other order.
    const isSwapped = (i + index / 2) % 2 === 1;
    samples.push(
      jointSample(
        begin + BigInt(i) * 20n * MS,
        isSwapped ? values.toReversed() : values,
        isSwapped ? swapped : JOINTS,
      ),
    );
  }
  for (let k = 0; k <= 29; k++) {
    const time = begin + 5n * MS + BigInt(k) * 50n * MS;
    const isAsleep = index === 2 && k >= 10 && k < 16;
    if (!isAsleep) samples.push(cameraSample(time, picture(48, 64, k + index)));
    samples.push(
      commandSample(
        time + 12n * MS,
        JOINTS.map((_, j) => index + k / 100 + j),
      ),
    );
  }
  return samples.sort((a, b) => Number(a.received - b.received));
}

async function record(index: number, success: boolean): Promise<void> {
  const bag = `episode-${index}`;
  const writer = await BagWriter.create({
    target: join(dataDir, 'bags', bag),
    storage: 'mcap',
    isFolder: true,
  });
  const channels = new Map<string, Parameters<BagWriter['write']>[0]['channel']>();
  for (const { topic, type, stamp, received, bytes } of samplesOf(index)) {
    const schema = schemaFor(type)!;
    const channel = channels.get(topic) ?? {
      topic,
      type,
      schemaEncoding: schema.encoding,
      schemaData: new TextEncoder().encode(schema.data),
      messageEncoding: 'cdr',
      metadata: new Map(),
    };
    channels.set(topic, channel);
    await writer.write({ channel, sequence: 0, logTime: received, publishTime: stamp, bytes });
  }
  await writer.finish();
  const info = {
    episode_id: `0199c2f0-0000-7000-8000-00000000000${index}`,
    bag,
    state: 'whole',
    label: `stack cube ${index}`,
    success,
    start_ns: String(BEGIN + BigInt(index) * 60_000n * MS),
    end_ns: String(BEGIN + BigInt(index) * 60_000n * MS + 1_500n * MS),
    messages: 1,
    bytes: 1,
    segments: [],
  };
  writeFileSync(join(dataDir, 'bags', bag, 'episode.json'), JSON.stringify({ info, untold: [] }));
}

async function auraison(at: string, ...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await run(process.execPath, [cli, '--data-dir', at, '--json', ...args], {
    env,
    maxBuffer: 1 << 26,
  });
  return JSON.parse(stdout) as Record<string, unknown>;
}

async function framesOf(root: string, index: number): Promise<DatasetFrame[]> {
  const reader = await DatasetReader.open({ root, parquet, clock: new SystemClock(), ffmpeg: testFfmpeg() });
  expect(await reader.faults()).toEqual([]);
  const frames: DatasetFrame[] = [];
  for await (const frame of reader.episode(index).frames()) frames.push(frame);
  return frames;
}

describe('recorded episodes', () => {
  it('become a dataset: asynchronous topics on one grid, joints by name, the command that followed, sleep left out and told', async () => {
    const root = join(folder, 'stack');
    rmSync(root, { recursive: true, force: true });
    const list = (await auraison(dataDir, 'dataset', 'list')) as unknown as { label: string }[];
    expect(list.map(({ label }) => label)).toEqual(['stack cube 0', 'stack cube 1', 'stack cube 2']);
    const result = await auraison(
      dataDir,
      'dataset',
      'export',
      root,
      '--success-only',
      '--robot-type',
      'ar4',
      '--max-age',
      '120ms',
      '--slop',
      '0ms',
    );
    expect(result).toMatchObject({ added: 2, already: 0, refused: [], total_episodes: 2, dropped: 4 });
    expect(await auraison(dataDir, 'dataset', 'info', root)).toMatchObject({
      robot_type: 'ar4',
      fps: 20,
      episodes: 2,
      frames: 30 + 26,
      frames_dropped: 4,
      tasks: { 'stack cube 0': 1, 'stack cube 2': 1 },
      features: {
        'observation.state': { kind: 'vector', names: JOINTS },
        // Commands name none of their numbers.
        action: { kind: 'vector', names: ['0', '1', '2', '3', '4', '5', '6'] },
        'observation.images.front': { kind: 'video', height: 48, width: 64 },
      },
    });
    for (const [at, index] of [0, 2].entries()) {
      // The camera of the last one slept: its picture may be used for 120 ms, then frames are left out.
      const kept = Array.from({ length: 30 }, (_, k) => k).filter((k) => index !== 2 || k < 12 || k > 15);
      const frames = await framesOf(root, at);
      expect(frames).toHaveLength(kept.length);
      for (const [n, frame] of frames.entries()) {
        const k = kept[n]!;
        const i = Math.floor((5 + 50 * k) / 20);
        expect([...frame.vectors['observation.state']!]).toEqual(
          JOINTS.map((_, j) => Math.fround(Math.sin(index + i / 25 + j))),
        );
        expect([...frame.vectors['action']!]).toEqual(JOINTS.map((_, j) => Math.fround(index + k / 100 + j)));
        const shown = index === 2 && k >= 10 && k < 16 ? 9 : k;
        const seen = frame.images['observation.images.front']!;
        expect(psnr(seen, picture(48, 64, shown + index))).toBeGreaterThan(28);
      }
    }
    const sources = JSON.parse(readFileSync(join(root, 'meta/auraison.json'), 'utf8')) as {
      episodes: { notes: { dropped?: { frames: number; feature: string }[] } }[];
    };
    expect(sources.episodes[1]!.notes.dropped).toMatchObject([
      { frames: 4, feature: 'observation.images.front' },
    ]);
  });

  it('come back from a dataset as recordings, and give the same dataset again', async () => {
    const root = join(folder, 'stack');
    const second = join(folder, 'second');
    const again = join(folder, 'again');
    const first = (await auraison(second, 'dataset', 'import', root)) as unknown as {
      bag: string;
      already: boolean;
    }[];
    expect(first.map(({ already }) => already)).toEqual([false, false]);
    const twice = (await auraison(second, 'dataset', 'import', root)) as unknown as { already: boolean }[];
    expect(twice.map(({ already }) => already)).toEqual([true, true]);
    const list = (await auraison(second, 'dataset', 'list')) as unknown as {
      label: string;
      success: boolean;
    }[];
    expect(list).toMatchObject([
      { label: 'stack cube 0', success: true },
      { label: 'stack cube 2', success: true },
    ]);
    const deep = await auraison(second, 'bag', 'info', join(second, 'bags', first[0]!.bag));
    expect(deep).toMatchObject({ faults: [], messages: 90 });
    await auraison(second, 'dataset', 'export', again, '--robot-type', 'ar4');
    for (const index of [0, 1]) {
      const before = await framesOf(root, index);
      const after = await framesOf(again, index);
      expect(after).toHaveLength(before.length);
      for (const [k, frame] of after.entries()) {
        expect(frame.vectors).toEqual(before[k]!.vectors);
        const camera = 'observation.images.front';
        expect(psnr(frame.images[camera]!, before[k]!.images[camera]!)).toBeGreaterThan(30);
      }
    }
  });

  it('that cannot be a dataset are refused in words', async () => {
    const fails = async (...args: string[]) => {
      const fault = await auraison(dataDir, ...args).catch((error: { stdout: string }) => error);
      return (
        JSON.parse((fault as { stdout: string }).stdout) as { error: { code: string; message: string } }
      ).error;
    };
    const out = join(folder, 'none');
    expect(await fails('dataset', 'export', out, '--label', 'nothing')).toMatchObject({
      code: 'schema.invalid',
      message: 'none of 3 recordings fits',
    });
    expect(await fails('dataset', 'export', out, '--state', '/other')).toMatchObject({
      message: expect.stringContaining('/other (observation.state) was not recorded'),
    });
    expect(await fails('dataset', 'export', out, '--limit', 'abc')).toMatchObject({
      message: '--limit abc: a whole number from 1 on expected',
    });
    expect(await fails('dataset', 'export', out, '--fps', '0')).toMatchObject({ code: 'schema.invalid' });
    expect(await fails('dataset', 'export', out, '--ffmpeg', join(folder, 'no-such'))).toMatchObject({
      code: 'host.missing',
    });
    expect(await fails('dataset', 'info', out)).toMatchObject({ code: 'schema.invalid' });
  });
});
