import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../adapters/ducklake/parquet-files.ts';
import { SharpEncoder } from '../../adapters/images/sharp-encoder.ts';
import { DatasetWriter } from '../../adapters/lerobot/dataset/index.ts';
import { OnnxPolicy } from '../../adapters/lerobot/onnx-policy.ts';
import type { Task } from '../../apps/ar4-physical-ai/expert.ts';
import { SPEC } from '../../apps/ar4-physical-ai/flywheel/episode.ts';
import { flywheel, type LoadedPolicy, type Progress } from '../../apps/ar4-physical-ai/flywheel/flywheel.ts';
import { FEATURES } from '../../apps/ar4-physical-ai/observation.ts';
import { type Clock, EdgeError } from '../../contract/core.ts';
import { CAMERAS } from '../../sim/arm/arm-model.ts';
import { sceneSeed } from '../../sim/arm/arm-scene.ts';
import { ArmSimulation } from '../../sim/arm/arm-simulation.ts';
import { ArmCameras } from '../../sim/arm/render/arm-cameras.ts';
import { run, trainerPython } from './python-env.ts';
import { type FlywheelReport, gainOf, reportSvg } from './report.ts';
import { SimWorld } from './sim-world.ts';
import { Stages } from './stages.ts';

export type FlywheelRequest = {
  readonly folder: string;
  readonly task: Task;
  readonly seed: number;
  readonly demos: number;
  readonly evaluations: number;
  readonly rounds: number;
  readonly supervised: number;
  readonly python: string | undefined;
  readonly fresh: boolean;
  readonly signal: AbortSignal;
  readonly tell: (progress: Progress) => void;
  readonly note: (text: string) => void;
};

const TRAINER = join(import.meta.dirname, '..', '..', 'apps', 'ar4-physical-ai', 'trainer');
const WORDS: Readonly<Record<Task, string>> = {
  pick_place: 'put the red cube on the blue target',
  reach: 'bring the open gripper over the red cube',
};
/** One inference in process takes a millisecond; a crowded host may take a thousand times longer. */
const INFER_MS = 10_000;

/** The whole flywheel in this process: physics, dataset, trainer (a child), policy. Answers what `results.json` holds. */
export async function runFlywheel(request: FlywheelRequest): Promise<FlywheelReport> {
  const { folder, task, seed, demos, evaluations, rounds, supervised, signal } = request;
  const stages = await Stages.open(folder, { task, seed, demos }, request.fresh);
  const clock = new SystemClock();
  const python = await trainerPython(request.python, join(TRAINER, 'requirements.txt'), signal, request.note);
  const parquet = new DuckParquetFiles();
  const root = join(folder, 'dataset');
  const simulation = await ArmSimulation.create(sceneSeed('training', seed, 0));
  const writer = await DatasetWriter.open({
    root,
    spec: SPEC,
    parquet,
    clock,
    ffmpeg: 'ffmpeg',
    codec: 'auto',
  });
  try {
    const world = new SimWorld(simulation, task);
    const results = await flywheel(
      { task: WORDS[task], demos, evaluations, rounds, supervised },
      {
        world,
        expert: world.expert,
        seeds: {
          training: (index) => sceneSeed('training', seed, index),
          heldOut: (index) => sceneSeed('held_out', seed, index),
        },
        dataset: {
          has: (source) => writer.sources().has(source),
          add: async (episode) => void (await writer.add(episode, { signal })),
          commit: () => writer.commit(),
        },
        train: (round, episodes) => train(request, python, root, round, episodes),
        load: (path) => load(path, clock),
        memory: stages,
        signal,
        tell: request.tell,
      },
    );
    const report = { task, seed, folder, rounds: results, gain_points: gainOf(results) };
    await writeFile(join(folder, 'results.json'), `${JSON.stringify(report, undefined, 2)}\n`);
    await writeFile(join(folder, 'results.svg'), reportSvg(report));
    await writeFile(join(folder, 'table.jpg'), await pictureOf(simulation));
    return report;
  } finally {
    simulation.close();
    await writer.close();
    await parquet.close();
  }
}

/** What the front camera sees of the table as it was left. */
async function pictureOf({ physics }: ArmSimulation): Promise<Uint8Array> {
  const camera = CAMERAS.find(({ name }) => name === 'front')!;
  const { rgb } = new ArmCameras().render(camera, physics);
  const { width, height } = camera;
  const picture = { kind: 'pixels', width, height, channels: 3, data: rgb } as const;
  return (await new SharpEncoder().encode(picture, { sideMax: width, quality: 90 })).data;
}

async function train(
  { folder, task, seed, signal, tell }: FlywheelRequest,
  python: string,
  root: string,
  round: number,
  episodes: number,
): Promise<string> {
  const path = join(folder, `policy-${round}.onnx`);
  const args = ['--dataset', root, '--out', path, '--name', `ar4-${task}-${round}`];
  const counts = ['--episodes', String(episodes), '--seed', String(seed)];
  try {
    await run(python, [join(TRAINER, 'train.py'), ...args, ...counts], signal, (line) => {
      const told = epochOf(line);
      if (told) tell({ stage: 'train', round, done: told.epoch, of: told.epochs });
    });
  } catch (cause) {
    if (signal.aborted) throw cause;
    const message = `the trainer failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new EdgeError('model.failed', { operation: 'train', subject: path, message, cause });
  }
  return path;
}

/** A line of the trainer; undefined for what a library had to say. */
function epochOf(line: string): { readonly epoch: number; readonly epochs: number } | undefined {
  try {
    return JSON.parse(line) as { epoch: number; epochs: number };
  } catch {
    return undefined;
  }
}

/** The policy as System 1 loads it, asked in process. */
async function load(path: string, clock: Clock): Promise<LoadedPolicy> {
  const policy = await OnnxPolicy.load(path, clock);
  return {
    hash: policy.describe().hash,
    answer: async ({ state, environment }) => {
      const tensor = (values: readonly number[]) => ({
        shape: [1, values.length],
        data: Float32Array.from(values),
      });
      const tensors = { [FEATURES.state]: tensor(state), [FEATURES.environment]: tensor(environment) };
      return (await policy.infer({ tensors, stamp: 0n }, INFER_MS)).actions.data;
    },
    close: () => policy.close(),
  };
}
