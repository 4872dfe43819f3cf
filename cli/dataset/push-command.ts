import { resolve } from 'node:path';
import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { datasetFiles, pushDataset } from '../../adapters/lerobot-dataset/index.ts';
import { EdgeError } from '../../contract/core.ts';
import { readSecret } from '../../daemon/secrets.ts';
import { cancellable } from '../commands/bag/work.ts';
import { action } from '../context.ts';
import { bytes, table } from '../output.ts';
import { withReader } from './parts.ts';

type Flags = { dryRun?: boolean; private?: boolean; revision: string };

export function addDatasetPush(dataset: Command): void {
  dataset
    .command('push <folder> <repository>')
    .description('a dataset to a hub (dataset.hub_url, token in dataset.hub_token_file or HF_TOKEN)')
    .option('--dry-run', 'only tell what would be sent')
    .option('--private', 'where the repository has to be made')
    .option('--revision <branch>', 'branch', 'main')
    .addHelpText('after', '\nExample:\n  auraison dataset push ./picks my-lab/ar4-picks --private')
    .action(
      action(async ({ settings, out }, folder: string, repo: string, flags: Flags) => {
        const root = resolve(folder);
        const { hub_url: url } = settings.config.dataset;
        const faults = await withReader(settings, root, undefined, (reader) => reader.faults());
        if (faults.length > 0)
          throw new EdgeError('schema.invalid', {
            operation: 'dataset push',
            subject: root,
            message: faults.join('; '),
          });
        const files = await datasetFiles(root);
        const size = files.reduce((sum, file) => sum + file.bytes, 0);
        if (flags.dryRun) {
          out.result({ url, repo, files }, () =>
            [
              `${files.length} files, ${bytes(size)}, to ${url}/datasets/${repo}:`,
              table(
                ['SIZE', 'FILE'],
                files.map((file) => [bytes(file.bytes), file.path]),
              ),
            ].join('\n'),
          );
          return 0;
        }
        const pushed = await cancellable('dataset push', repo, (signal) =>
          pushDataset(root, {
            url,
            repo,
            token: tokenOf(settings.config.dataset.hub_token_file),
            revision: flags.revision,
            isPrivate: flags.private === true,
            clock: new SystemClock(),
            signal,
            onFile: (file) => out.note(`  ${bytes(file.bytes)}  ${file.path}`),
          }),
        );
        out.result(
          pushed,
          () => `${pushed.files} files, ${bytes(pushed.bytes)} in commit ${pushed.commit} of ${repo}`,
        );
        return 0;
      }),
    );
}

function tokenOf(file: string): string {
  const token =
    file === '' ? process.env['HF_TOKEN'] : readSecret(file, 'dataset.hub_token_file', process.env);
  if (token) return token.trim();
  throw new EdgeError('api.unauthorised', {
    operation: 'dataset push',
    subject: 'dataset.hub_token_file',
    message: 'no token for the hub',
    hint: 'set dataset.hub_token_file, or HF_TOKEN',
  });
}
