import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetWriter, exportEpisodes } from '../../adapters/lerobot-dataset/index.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import type { DatasetEpisode, DatasetFrame, DatasetSpec } from '../../contract/core.ts';
import { seeded } from '../../scripts/policy/random.ts';
import { testFfmpeg } from '../support/datasets.ts';
import { lerobotPython } from '../support/datasets-lerobot.ts';
import { checkTold, mean, runLoop } from '../support/prefix-loop.ts';

const run = promisify(execFile);
const TRAINER = join(import.meta.dirname, '..', '..', 'apps', 'ar4-physical-ai', 'trainer', 'train.py');
const clock = new SystemClock();
const names = ['joint', 'gripper'];
const spec: DatasetSpec = {
  fps: 20,
  robotType: 'test',
  features: {
    'observation.state': { kind: 'vector', names },
    'observation.environment_state': { kind: 'vector', names: ['goal'] },
    action: { kind: 'vector', names },
  },
};
/** What measuring adds to a joint, radians; and how far it is told to go in a step. */
const NOISE = 0.04;
const SPEED = 0.03;
const FRAMES = 70;
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-prefix-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A joint is led to its goal at a constant speed and follows with a lag; where it is, is measured with noise. */
function episode(index: number): DatasetEpisode {
  return {
    task: 'go there',
    source: `episode-${index}`,
    length: () => Promise.resolve(FRAMES),
    async *frames(): AsyncGenerator<DatasetFrame> {
      const random = seeded(index + 1);
      const goal = random.between(-1, 1);
      let told = random.between(-1, 1);
      let joint = told;
      for (let k = 0; k < FRAMES; k++) {
        const state = Float32Array.of(joint + NOISE * random.normal(), 0.5 + NOISE * random.normal());
        told += Math.max(-SPEED, Math.min(SPEED, goal - told));
        const vectors = {
          'observation.state': state,
          'observation.environment_state': Float32Array.of(goal),
          action: Float32Array.of(told, 0.5 + 0.1 * goal),
        };
        yield { time: k / spec.fps, vectors, images: {} };
        joint += 0.4 * (told - joint);
      }
    },
  };
}

describe('the light trainer', () => {
  it('teaches a network to go on from what is executed meanwhile: chunks meet where they do not without', async () => {
    const root = join(folder, 'set');
    const parquet = new DuckParquetFiles();
    const writer = await DatasetWriter.open({
      ...{ root, spec, parquet, clock, ffmpeg: testFfmpeg(), codec: 'auto' },
    });
    const episodes = Array.from({ length: 200 }, (_, index) => episode(index));
    await exportEpisodes(writer, episodes, { batchEpisodes: 200 });
    await writer.close();
    await parquet.close();
    const policies: OnnxPolicy[] = [];
    for (const prefix of ['0', '8']) {
      const out = join(folder, `prefix-${prefix}.onnx`);
      const small = ['--steps', '4000', '--hidden', '64', '--prefix', prefix];
      await run(lerobotPython(), [TRAINER, '--dataset', root, '--out', out, ...small]);
      policies.push(await OnnxPolicy.load(out, clock));
    }
    expect(policies.map((policy) => policy.describe().takesPrefix)).toEqual([undefined, true]);
    const starts = [-0.9, -0.3, 0.3, 0.9];
    for (const delay of [[100], [200], [300], [100, 300, 200]]) {
      const leaps: number[] = [];
      const ends: number[] = [];
      for (const policy of policies) {
        const all: number[] = [];
        let off = 0;
        for (const [seed, start] of starts.entries()) {
          const goal = -start;
          const result = await runLoop({
            ...{ policy, seconds: 5, start: [start, 0.5], noise: NOISE, seed: seed + 100 },
            delayMs: (question) => delay[question % delay.length]!,
            tensors: { 'observation.environment_state': { shape: [1, 1], data: Float32Array.of(goal) } },
          });
          all.push(...result.leaps);
          off += Math.abs(result.applied.at(-1)!.values[0]! - goal) / starts.length;
          if (policy.describe().takesPrefix) expect(checkTold(result).rows).toBeGreaterThan(20);
        }
        leaps.push(mean(all));
        ends.push(off);
      }
      const [without, with_] = leaps as [number, number];
      console.log(
        `${delay.join(', ')} ms: leaps of ${without.toFixed(4)} rad without a prefix, ${with_.toFixed(4)} with one (${(without / with_).toFixed(1)} times); off the goal by ${ends.map((end) => end.toFixed(3)).join(' and ')}`,
      );
      expect(with_).toBeLessThan(without / 1.5);
      // It still goes where it is to go.
      expect(ends[1]).toBeLessThan(0.1);
    }
    for (const policy of policies) await policy.close();
  });
});
