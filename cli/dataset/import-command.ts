import { resolve } from 'node:path';
import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { adopt } from '../commands/bag/adopt.ts';
import { cancellable } from '../commands/bag/work.ts';
import { action } from '../context.ts';
import { datasetName, type ImportedEpisode, importEpisode } from './import-episodes.ts';
import { numbersIn, withReader } from './parts.ts';

type Flags = { name?: string; episodes?: string; ffmpeg?: string };

export function addDatasetImport(dataset: Command): void {
  dataset
    .command('import <folder>')
    .description('a LeRobotDataset v3 into the data directory: each episode becomes a bag')
    .option('--name <prefix>', 'of the bags; default: the name of the folder')
    .option('--episodes <numbers>', 'only these, for example 0,3-5')
    .option('--ffmpeg <program>', 'instead of dataset.ffmpeg')
    .addHelpText(
      'after',
      `
Joint states, actions and images become the messages they could have been recorded as. The segments enter catalogue and
lakehouse at once, the episodes at the next start of the daemon. The same content twice is written once.

Example:
  auraison dataset import ./picks --episodes 0-9`,
    )
    .action(
      action(async ({ settings, api, out }, folder: string, flags: Flags) => {
        const root = resolve(folder);
        const name = flags.name ?? datasetName(root);
        if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/.test(name))
          throw new EdgeError('schema.invalid', {
            operation: 'dataset import',
            subject: '--name',
            message: `--name ${name}: letters, digits, ., _ and - expected`,
          });
        const imported: ImportedEpisode[] = await withReader(settings, root, flags.ffmpeg, (reader) =>
          cancellable('dataset import', root, async (signal) => {
            for (const key of reader.others)
              out.note(`auraison: ${key} is left out: this kind of feature cannot be read`);
            const done: ImportedEpisode[] = [];
            for (const index of numbersIn(flags.episodes, reader.info.total_episodes)) {
              const one = await importEpisode(reader, index, {
                dataDir: settings.dataDir,
                root,
                name,
                splitBytes: settings.config.recorder.segment_size,
                nowMs: () => Date.now(),
                signal,
              });
              if (!one.already) await adopt(settings, api, one.bag, out);
              done.push(one);
            }
            return done;
          }),
        );
        const fresh = imported.filter(({ already }) => !already).length;
        out.result(
          imported,
          () => `${fresh} episodes taken in, ${imported.length - fresh} were there already`,
        );
        return 0;
      }),
    );
}
