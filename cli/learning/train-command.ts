import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { readInfo } from '../../adapters/lerobot-dataset/index.ts';
import { checkPolicyName, datasetHash, train } from '../../adapters/onnx/training/index.ts';
import { EdgeError } from '../../contract/core.ts';
import { environmentsDir, trainerFolder } from '../../daemon/compose/trainers.ts';
import { durationNs } from '../commands/bag/values.ts';
import { cancellable } from '../commands/bag/work.ts';
import { action } from '../context.ts';
import { settingsIn, shelfOf } from './parts.ts';

type Flags = {
  dataset: string;
  trainer: string;
  name?: string;
  set?: string[];
  python?: string;
  limit: string;
};

export function addTrainCommand(policy: Command): void {
  policy
    .command('train')
    .description('learn a policy from a dataset, in a Python environment of its own, and register it')
    .requiredOption('--dataset <folder>', 'a LeRobotDataset v3')
    .option('--trainer <trainer>', 'light, act, or a folder with train.py and requirements.txt', 'light')
    .option('--name <name>', 'of the policy; default: the folder of the dataset')
    .option('--set <key=value...>', 'a setting of the trainer, for example --set steps=5000 --set seed=2')
    .option('--python <program>', 'a Python that has what the trainer needs; default: an environment is made')
    .option('--limit <duration>', 'longest that it may take', '12h')
    .addHelpText(
      'after',
      `
Ctrl-C stops the trainer and all it started; nothing is registered then.

Examples:
  auraison policy train --dataset ./picks
  auraison policy train --dataset ./picks --trainer act --set steps=50000 --python ~/lerobot/bin/python`,
    )
    .action(
      action(async ({ settings, out }, flags: Flags) => {
        const dataset = resolve(flags.dataset);
        const info = await readInfo(dataset);
        if (!info || info.total_frames === 0)
          throw new EdgeError('schema.invalid', {
            operation: 'policy train',
            subject: dataset,
            message: `${dataset} is no LeRobotDataset v3 with episodes`,
            hint: 'auraison dataset export makes one',
          });
        const chosen = settingsIn(flags.set);
        const name = flags.name ?? basename(dataset);
        checkPolicyName(name);
        const workDir = await mkdtemp(join(tmpdir(), 'auraison-train-'));
        try {
          const shelved = await cancellable('policy train', dataset, async (signal) => {
            const trained = await train({
              trainer: trainerFolder(flags.trainer),
              dataset,
              workDir: join(workDir, 'out'),
              settings: { name, ...chosen },
              ...(flags.python === undefined ? {} : { ownPython: flags.python }),
              python: settings.config.dataset.python || 'python3',
              cacheDir: environmentsDir(process.env),
              limitMs: Number(durationNs(flags.limit, '--limit')) / 1e6,
              clock: new SystemClock(),
              signal,
              onProgress: (report) =>
                out.note(
                  `  ${Object.entries(report)
                    .map(([key, value]) => `${key} ${shown(value)}`)
                    .join('  ')}`,
                ),
              note: (line) => out.note(`  ${line}`),
            });
            return shelfOf(settings).register(trained.network, {
              name,
              registered: new Date().toISOString(),
              trainer: flags.trainer,
              settings: chosen,
              dataset: {
                path: dataset,
                sha256: await datasetHash(dataset),
                episodes: info.total_episodes,
                frames: info.total_frames,
              },
              metrics: trained.metrics,
              seconds: trained.seconds,
            });
          });
          out.result(shelved, () =>
            [
              `${shelved.name} ${shelved.sha256.slice(0, 12)}${shelved.already ? ' (registered already)' : ''}, learned in ${shelved.seconds.toFixed(1)} s`,
              policyRow(shelved),
            ].join('\n'),
          );
          return 0;
        } finally {
          await rm(workDir, { recursive: true, force: true });
        }
      }),
    );
}

/** The row of the configuration, as it is pasted there. */
export function policyRow({ name, path, sha256 }: { name: string; path: string; sha256: string }): string {
  const keys = Object.entries({ name, path, sha256 }).map(
    ([key, value]) => `${key} = ${JSON.stringify(value)}`,
  );
  return ['[[policies]]', ...keys].join('\n');
}

function shown(value: unknown): string {
  return typeof value === 'number' && !Number.isInteger(value) ? value.toPrecision(4) : String(value);
}
