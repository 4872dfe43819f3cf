import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { ensureEnv, runChild } from '../../adapters/onnx/training/index.ts';
import { environmentsDir, trainerFolder } from '../../daemon/compose/trainers.ts';
import { cancellable } from '../commands/bag/work.ts';
import { action } from '../context.ts';
import { table } from '../output.ts';
import { shelfOf } from './parts.ts';

/** A checkpoint of some hundred megabytes on a slow machine, milliseconds. */
const EXPORT_MS = 30 * 60_000;

export function addShelfCommands(policy: Command): void {
  policy
    .command('list')
    .description('the policies that were trained or taken in on this robot')
    .action(
      action(async ({ settings, out }) => {
        const policies = await shelfOf(settings).list();
        out.result(policies, () =>
          policies.length === 0
            ? 'no policies: auraison policy train makes one'
            : table(
                ['NAME', 'SHA-256', 'REGISTERED', 'TRAINER', 'EPISODES', 'PATH'],
                policies.map((one) => [
                  one.name,
                  one.sha256.slice(0, 12),
                  one.registered.slice(0, 19).replace('T', ' '),
                  one.trainer,
                  one.dataset === undefined ? '-' : String(one.dataset.episodes),
                  one.path,
                ]),
              ),
        );
        return 0;
      }),
    );
  policy
    .command('register <network>')
    .description('take in an ONNX network with its card (NETWORK.json beside it)')
    .requiredOption('--name <name>', 'of the policy')
    .action(
      action(async ({ settings, out }, network: string, { name }: { name: string }) => {
        const shelved = await shelfOf(settings).register(resolve(network), recordOf(name, 'none', 0));
        out.result(shelved, () => `${shelved.name} ${shelved.sha256.slice(0, 12)}: ${shelved.path}`);
        return 0;
      }),
    );
  policy
    .command('export <checkpoint>')
    .description('a LeRobot checkpoint of ACT as ONNX with its own normalisation in the card; registered')
    .requiredOption('--name <name>', 'of the policy')
    .requiredOption('--fps <n>', 'of the dataset it was trained on')
    .option('--action-names <names>', 'what the numbers of an action are, with commas')
    .option('--python <program>', 'a Python with lerobot and onnx; default: an environment is made')
    .addHelpText(
      'after',
      '\nExample:\n  auraison policy export outputs/train/run/checkpoints/last/pretrained_model --name picks --fps 20',
    )
    .action(
      action(async ({ settings, out }, checkpoint: string, flags: ExportFlags) => {
        const workDir = await mkdtemp(join(tmpdir(), 'auraison-export-'));
        const clock = new SystemClock();
        try {
          const shelved = await cancellable('policy export', checkpoint, async (signal) => {
            const trainer = trainerFolder('act');
            const note = (line: string) => out.note(`  ${line}`);
            const python =
              flags.python ??
              (await ensureEnv({
                requirements: join(trainer, 'requirements.txt'),
                cacheDir: environmentsDir(process.env),
                python: settings.config.dataset.python || 'python3',
                clock,
                signal,
                note,
              }));
            const network = join(workDir, 'model.onnx');
            const began = clock.monotonicMs();
            const names = flags.actionNames === undefined ? [] : ['--action-names', flags.actionNames];
            await runChild(
              python,
              [
                join(trainer, 'export.py'),
                ...['--checkpoint', resolve(checkpoint), '--out', network, '--name', flags.name],
                ...['--step-ms', String(1_000 / Number(flags.fps)), ...names],
              ],
              { clock, signal, limitMs: EXPORT_MS, env: { HF_HUB_OFFLINE: '1' }, onLine: note, onNote: note },
            );
            const seconds = (clock.monotonicMs() - began) / 1_000;
            return shelfOf(settings).register(network, recordOf(flags.name, 'act', seconds));
          });
          out.result(shelved, () => `${shelved.name} ${shelved.sha256.slice(0, 12)}: ${shelved.path}`);
          return 0;
        } finally {
          await rm(workDir, { recursive: true, force: true });
        }
      }),
    );
}

type ExportFlags = { name: string; fps: string; actionNames?: string; python?: string };

function recordOf(name: string, trainer: string, seconds: number) {
  return { name, registered: new Date().toISOString(), trainer, settings: {}, metrics: {}, seconds };
}
