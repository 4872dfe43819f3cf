import { execFile, spawn } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/index.ts';
import { DatasetWriter, exportEpisodes } from '../../adapters/lerobot-dataset/index.ts';
import { OnnxPolicy } from '../../adapters/onnx/onnx-policy.ts';
import type { DatasetSpec, Observation } from '../../contract/core.ts';
import { madeEpisode, SPEC, testFfmpeg, withCamera } from '../support/datasets.ts';
import { lerobotPython } from '../support/datasets-lerobot.ts';
import { until } from '../support/until.ts';

const run = promisify(execFile);
const here = import.meta.dirname;
const cli = join(here, '..', '..', 'cli', 'main.ts');
const clock = new SystemClock();
let folder: string;
let env: NodeJS.ProcessEnv;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'auraison-training-'));
  env = { ...process.env, AURAISON_CACHE: join(folder, 'cache'), HF_HOME: join(folder, 'hf') };
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function dataset(name: string, spec: DatasetSpec, count: number, length: number): Promise<string> {
  const root = join(folder, name);
  const parquet = new DuckParquetFiles();
  const writer = await DatasetWriter.open({
    root,
    spec,
    parquet,
    clock,
    ffmpeg: testFfmpeg(),
    codec: 'auto',
  });
  const episodes = Array.from({ length: count }, (_, index) => madeEpisode(spec, { index, length }));
  await exportEpisodes(writer, episodes, { batchEpisodes: 50 });
  await writer.close();
  await parquet.close();
  return root;
}

type Shelved = { name: string; path: string; sha256: string; metrics: Record<string, number> };

async function auraison<T = Shelved>(...args: string[]): Promise<T> {
  const { stdout } = await run(
    process.execPath,
    [cli, '--data-dir', join(folder, 'data'), '--json', ...args],
    {
      env,
      maxBuffer: 1 << 26,
    },
  );
  return JSON.parse(stdout) as T;
}

const environment = Array.from({ length: 8 }, (_, i) => `cube_${i}`);
const withEnvironment: DatasetSpec = {
  ...SPEC,
  features: { ...SPEC.features, 'observation.environment_state': { kind: 'vector', names: environment } },
};

describe('auraison policy', () => {
  it('trains the light network on a dataset of ours, registers it, and it is a policy of System 1', async () => {
    const root = await dataset('light', withEnvironment, 4, 40);
    const settings = ['--set', 'steps=200', '--set', 'hidden=16'];
    const trained = await auraison(
      'policy',
      'train',
      '--dataset',
      root,
      '--python',
      lerobotPython(),
      ...settings,
    );
    expect(trained).toMatchObject({ name: 'light', already: false, dataset: { episodes: 4, frames: 160 } });
    expect(trained.metrics['loss']).toBeLessThan(1);
    expect(await auraison<Shelved[]>('policy', 'list')).toMatchObject([
      { sha256: trained.sha256, trainer: 'light' },
    ]);
    const policy = await OnnxPolicy.load(trained.path, clock);
    const tensors = {
      'observation.state': { shape: [1, 7], data: new Float32Array(7) },
      'observation.environment_state': { shape: [1, 8], data: new Float32Array(8) },
    };
    const chunk = await policy.infer({ tensors, stamp: 0n }, 5_000);
    await policy.close();
    expect(chunk.actions.shape).toEqual([16, 7]);
    expect(chunk.policyHash).toBe(trained.sha256);
  });

  it('learns from nothing that was not committed, and claims no names that nobody told', async () => {
    const names = ['0', '1', '2', '3', '4', '5', '6'];
    const unnamed: DatasetSpec = {
      ...withEnvironment,
      features: { ...withEnvironment.features, action: { kind: 'vector', names } },
    };
    const two = await dataset('two', unnamed, 2, 40);
    const cut = await dataset('cut', unnamed, 4, 40);
    copyFileSync(join(two, 'meta', 'info.json'), join(cut, 'meta', 'info.json'));
    const trainers = [
      join(here, '..', '..', 'apps', 'ar4-physical-ai', 'trainer', 'train.py'),
      join(here, '..', '..', 'adapters', 'onnx', 'trainers', 'act', 'train.py'),
    ] as const;
    const cards: unknown[] = [];
    for (const root of [two, cut]) {
      const out = join(folder, `${basename(root)}.onnx`);
      const small = ['--steps', '50', '--hidden', '8'];
      await run(lerobotPython(), [trainers[0], '--dataset', root, '--out', out, ...small], { env });
      cards.push(JSON.parse(readFileSync(`${out}.json`, 'utf8')));
    }
    expect(cards[1]).toEqual(cards[0]);
    expect(cards[0]).not.toHaveProperty('action_names');

    const features = [{}, { names: null }, { names: ['0', '1'] }, { names: ['a', 'b'] }];
    const asks =
      'import json, runpy, sys; of = runpy.run_path(sys.argv[1])["names_of"]; print(json.dumps([of(one) for one in json.loads(sys.argv[2])]))';
    for (const trainer of trainers) {
      const { stdout } = await run(lerobotPython(), ['-c', asks, trainer, JSON.stringify(features)], { env });
      expect(JSON.parse(stdout)).toEqual([null, null, null, ['a', 'b']]);
    }
  });

  it('makes the environment of a trainer once, and Ctrl-C ends a training without a trace', async () => {
    const root = await dataset('own', SPEC, 1, 3);
    const trainer = join(folder, 'trainer');
    mkdirSync(trainer);
    writeFileSync(join(trainer, 'requirements.txt'), '# nothing\n');
    const begun = join(folder, 'begun');
    // The file is there with its text, or not at all.
    const waits = `import os, sys, time, pathlib\nnew = pathlib.Path(${JSON.stringify(`${begun}.new`)})\nnew.write_text(sys.prefix)\nos.replace(new, ${JSON.stringify(begun)})\ntime.sleep(300)\n`;
    writeFileSync(join(trainer, 'train.py'), waits);
    const args = [
      cli,
      '--data-dir',
      join(folder, 'data'),
      'policy',
      'train',
      '--dataset',
      root,
      '--trainer',
      trainer,
    ];
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said += data.toString();
    });
    const code = new Promise((resolve) => child.once('exit', resolve));
    await until(() => existsSync(begun), `the trainer to begin: ${said}`, 120_000);
    child.kill('SIGINT');
    expect(await code).toBe(1);
    expect(said).toMatch(/cancelled/);
    expect(readFileSync(begun, 'utf8').startsWith(join(folder, 'cache', 'trainers'))).toBe(true);
    const drive = join(here, '..', '..', 'apps', 'turtlebot-maze', 'policy', 'drive.onnx');
    const copies = `import shutil, sys\nout = sys.argv[sys.argv.index("--out") + 1]\nshutil.copy(${JSON.stringify(drive)}, out)\nshutil.copy(${JSON.stringify(`${drive}.json`)}, out + ".json")\n`;
    writeFileSync(join(trainer, 'train.py'), copies);
    const { stderr } = await run(process.execPath, args, { env });
    expect(stderr).not.toMatch(/making the environment/);
    const names = (await auraison<Shelved[]>('policy', 'list')).map(({ name }) => name);
    expect(names.filter((name) => name === 'own')).toHaveLength(1);
  });

  it('makes ONNX of a LeRobot checkpoint whose actions are those of torch', async () => {
    const checkpoint = join(folder, 'act');
    const { stdout } = await run(lerobotPython(), [join(here, '..', 'peers', 'lerobot_act.py'), checkpoint], {
      env: { ...env, HF_HUB_OFFLINE: '1' },
      maxBuffer: 1 << 26,
    });
    const { observations, actions } = JSON.parse(stdout) as {
      observations: { state: number[]; picture: number }[];
      actions: number[][][];
    };
    const exported = await auraison(
      'policy',
      'export',
      checkpoint,
      '--name',
      'tiny',
      '--fps',
      '20',
      '--python',
      lerobotPython(),
    );
    const policy = await OnnxPolicy.load(exported.path, clock);
    try {
      for (const [i, { state, picture }] of observations.entries()) {
        const observation: Observation = {
          tensors: { 'observation.state': { shape: [1, 7], data: Float32Array.from(state) } },
          images: {
            'observation.images.front': {
              shape: [48, 64, 3],
              data: Uint8Array.from({ length: 48 * 64 * 3 }, (_, at) => (at * picture) % 251),
            },
          },
          stamp: 0n,
        };
        const chunk = await policy.infer(observation, 20_000);
        expect(chunk.stepMs).toBe(50);
        for (const [at, value] of actions[i]!.flat().entries())
          expect(Math.abs(chunk.actions.data[at]! - value)).toBeLessThan(1e-4);
      }
    } finally {
      await policy.close();
    }
  });

  it('trains LeRobot’s own ACT on a dataset of ours, pictures and all', async () => {
    const root = await dataset('act-set', withCamera(), 2, 12);
    const small =
      '--policy.dim_model=32 --policy.n_heads=2 --policy.dim_feedforward=64 --policy.pretrained_backbone_weights=null';
    const trained = await auraison(
      ...['policy', 'train', '--dataset', root, '--trainer', 'act', '--python', lerobotPython()],
      ...['--set', 'steps=2', '--set', 'batch=2', '--set', 'chunk=4', '--set', `lerobot=${small}`],
    );
    expect(trained.metrics).toMatchObject({ step: 2, loss: expect.any(Number) });
    const policy = await OnnxPolicy.load(trained.path, clock);
    expect(policy.describe()).toMatchObject({
      output: [4, 7],
      stepMs: 50,
      images: { 'observation.images.front': [48, 64, 3] },
      actionNames: expect.arrayContaining(['joint_1', 'gripper']),
    });
    await policy.close();
  });

  it('counts what a policy is worth, and says how sure that is', async () => {
    const drive = join(here, '..', '..', 'apps', 'turtlebot-maze', 'policy', 'drive.onnx');
    await auraison('policy', 'register', drive, '--name', 'driver');
    const tries = join(folder, 'tries.sh');
    writeFileSync(
      tries,
      'test -f "$2" || exit 9\nfor i in 1 2 3 4 5 6 7 8 9 10; do echo "{\\"success\\": $([ $i -gt 1 ] && echo true || echo false)}"; done\n',
    );
    const judged = await auraison<Record<string, number>>(
      'policy',
      'eval',
      'driver',
      '--episodes',
      '10',
      '--',
      'sh',
      tries,
    );
    expect(judged).toMatchObject({ trials: 10, successes: 9, rate: 0.9 });
    expect([judged['low'], judged['high']].map((share) => share!.toFixed(3))).toEqual(['0.596', '0.982']);
    await expect(
      auraison('policy', 'eval', 'driver', '--episodes', '11', '--', 'sh', tries),
    ).rejects.toThrow();
  });
});
