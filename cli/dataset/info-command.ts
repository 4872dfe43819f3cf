import { resolve } from 'node:path';
import type { Command } from 'commander';
import { isNamed } from '../../adapters/lerobot-dataset/index.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';
import { withReader } from './parts.ts';

export function addDatasetInfo(dataset: Command): void {
  dataset
    .command('info <folder>')
    .description('what a LeRobotDataset v3 holds; exit code 1 where files or rows are missing')
    .option('--ffmpeg <program>', 'instead of dataset.ffmpeg')
    .action(
      action(async ({ settings, out }, folder: string, flags: { ffmpeg?: string }) =>
        withReader(settings, resolve(folder), flags.ffmpeg, async (reader) => {
          const faults = await reader.faults();
          const { info, spec, others, tasks, rows, sources } = reader;
          const counts = tasks.map((task) => rows.filter((row) => row.tasks.includes(task)).length);
          const dropped = sources.reduce((sum, { notes }) => sum + framesIn(notes?.['dropped']), 0);
          const view = {
            robot_type: spec.robotType,
            fps: spec.fps,
            episodes: info.total_episodes,
            frames: info.total_frames,
            frames_dropped: dropped,
            tasks: Object.fromEntries(tasks.map((task, i) => [task, counts[i]])),
            features: spec.features,
            not_readable: others,
            faults,
          };
          out.result(view, () =>
            [
              `${info.total_episodes} episodes, ${info.total_frames} frames at ${spec.fps} fps, robot ${spec.robotType || 'unknown'}`,
              ...(dropped > 0
                ? [`${dropped} frames were left out of the recordings because an input was too old`]
                : []),
              '',
              table(
                ['FEATURE', 'KIND', 'OF'],
                Object.entries(spec.features).map(([key, f]) => [
                  key,
                  f.kind,
                  f.kind === 'video' ? `${f.width} x ${f.height}` : wordsOf(f.names),
                ]),
              ),
              '',
              table(
                ['EPISODES', 'TASK'],
                tasks.map((task, i) => [String(counts[i]), task]),
              ),
              ...faults.map((fault) => `FAULT: ${fault}`),
            ].join('\n'),
          );
          return faults.length === 0 ? 0 : 1;
        }),
      ),
    );
}

function wordsOf(names: readonly string[]): string {
  return isNamed(names) ? names.join(' ') : `${names.length} numbers, not named`;
}

function framesIn(dropped: unknown): number {
  if (!Array.isArray(dropped)) return 0;
  return dropped.reduce((sum: number, span: { frames?: number }) => sum + (span.frames ?? 0), 0);
}
