import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemClock } from '../../../adapters/clock/system-clock.ts';
import { DuckParquetFiles } from '../../../adapters/ducklake/parquet-files.ts';
import { SharpEncoder } from '../../../adapters/images/sharp-encoder.ts';
import { DatasetWriter } from '../../../adapters/lerobot-dataset/index.ts';
import type { Task } from '../../../apps/ar4-physical-ai/expert.ts';
import { SPEC } from '../../../apps/ar4-physical-ai/flywheel/episode.ts';
import { flywheel, type Progress } from '../../../apps/ar4-physical-ai/flywheel/flywheel.ts';
import { DirectPilot } from '../../../apps/ar4-physical-ai/flywheel/pilot.ts';
import { type FlywheelReport, gainOf, reportSvg } from '../../../apps/ar4-physical-ai/flywheel/report.ts';
import { type Clock, EdgeError } from '../../../contract/core.ts';
import { Stages } from '../../../io/flywheel-stages.ts';
import { runChild } from '../../../io/python/child.ts';
import { ensureEnv } from '../../../io/python/environment.ts';
import { CAMERAS } from '../../../sim/arm/arm-model.ts';
import { sceneSeed } from '../../../sim/arm/arm-scene.ts';
import { ArmSimulation } from '../../../sim/arm/arm-simulation.ts';
import { ArmCameras } from '../../../sim/arm/render/arm-cameras.ts';
import { environmentsDir } from '../trainers.ts';
import { loadPolicy } from './load-policy.ts';
import { simWorld } from './sim-world.ts';
import { systemOnePilot } from './system-one.ts';

export type FlywheelRequest = {
  readonly folder: string;
  readonly task: Task;
  readonly seed: number;
  readonly demos: number;
  readonly evaluations: number;
  readonly rounds: number;
  readonly supervised: number;
  /** Longest prefix that the policies learn to continue from, in actions; 0: they take none. */
  readonly prefix: number;
  readonly python: string | undefined;
  readonly fresh: boolean;
  readonly signal: AbortSignal;
  readonly tell: (progress: Progress) => void;
  readonly note: (text: string) => void;
};

/** A round of training that takes longer has hung, milliseconds. */
const TRAIN_MS = 24 * 3_600_000;
const TRAINER = join(import.meta.dirname, '..', '..', '..', 'apps', 'ar4-physical-ai', 'trainer');
const WORDS: Readonly<Record<Task, string>> = {
  pick_place: 'put the red cube on the blue target',
  reach: 'bring the open gripper over the red cube',
};

/**
 * The whole flywheel in this process: physics, dataset, trainer (a child), policy. Returns the content of
 * `results.json`.
 */
export async function runFlywheel(request: FlywheelRequest): Promise<FlywheelReport> {
  const { folder, task, seed, demos, evaluations, rounds, supervised, prefix, signal } = request;
  const key = { task, seed, demos, ...(prefix > 0 ? { prefix } : {}) };
  const stages = await Stages.open(folder, key, request.fresh);
  const clock = new SystemClock();
  const python =
    request.python ??
    (await ensureEnv({
      requirements: join(TRAINER, 'requirements.txt'),
      cacheDir: environmentsDir(process.env),
      python: 'python3',
      clock,
      signal,
      note: request.note,
    }));
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
    const world = simWorld(simulation, task);
    const results = await flywheel(
      { task: WORDS[task], demos, evaluations, rounds, supervised },
      {
        world,
        pilots: { measure: systemOnePilot(world), supervise: new DirectPilot(world) },
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
        train: (round, episodes) => train(request, python, clock, root, round, episodes),
        load: (path) => loadPolicy(path, clock),
        memory: stages,
        signal,
        tell: request.tell,
      },
    );
    const report = { task, seed, prefix, folder, rounds: results, gain_points: gainOf(results) };
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

/** The image of the front camera after the last episode. */
async function pictureOf({ physics }: ArmSimulation): Promise<Uint8Array> {
  const camera = CAMERAS.find(({ name }) => name === 'front')!;
  const { rgb } = new ArmCameras().render(camera, physics);
  const { width, height } = camera;
  const picture = { kind: 'pixels', width, height, channels: 3, data: rgb } as const;
  return (await new SharpEncoder().encode(picture, { sideMax: width, quality: 90 })).data;
}

async function train(
  { folder, task, seed, prefix, signal, tell }: FlywheelRequest,
  python: string,
  clock: Clock,
  root: string,
  round: number,
  episodes: number,
): Promise<string> {
  const path = join(folder, `policy-${round}.onnx`);
  const args = ['--dataset', root, '--out', path, '--name', `ar4-${task}-${round}`];
  const counts = ['--episodes', String(episodes), '--seed', String(seed), '--prefix', String(prefix)];
  try {
    await runChild(python, [join(TRAINER, 'train.py'), ...args, ...counts], {
      clock,
      signal,
      limitMs: TRAIN_MS,
      onLine: (line) => {
        const report = epochOf(line);
        if (report) tell({ stage: 'train', round, done: report.epoch, of: report.epochs });
      },
    });
  } catch (cause) {
    if (signal.aborted) throw cause;
    const message = `the trainer failed: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new EdgeError('model.failed', { operation: 'train', subject: path, message, cause });
  }
  return path;
}

/** A line of the trainer; undefined for output of libraries. */
function epochOf(line: string): { readonly epoch: number; readonly epochs: number } | undefined {
  try {
    return JSON.parse(line) as { epoch: number; epochs: number };
  } catch {
    return undefined;
  }
}
