import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import type { Installed } from '../../adapters/ducklake/index.ts';
import { action } from '../context.ts';
import { addLakePromote } from './lake-promote.ts';
import { addLakeTables } from './lake-tables.ts';

const FOUND = {
  present: 'was there',
  copy: 'copied from where it lay',
  wheel: 'from the Python wheel',
  server: 'from its server',
};

export function addLakeCommands(program: Command): void {
  const lake = program.command('lake').description('the lakehouse');
  addLakeTables(lake);
  addLakePromote(lake);
  lake
    .command('install')
    .description(
      'bring the DuckLake extension, from its server or out of the Python wheel, and what servers need; used from the next start on',
    )
    .addHelpText(
      'after',
      '\nInto the cache of who runs it; beside the data where a data directory is named, so that its daemon finds it.' +
        '\n\nExamples:\n  auraison lake install\n  sudo auraison lake install --data-dir /var/lib/auraison-edge',
    )
    .action(
      action(async ({ out, settings }) => {
        const { installDirectory, installDucklakeExtension, REMOTE_EXTENSIONS, searchDirectories } =
          await import('../../adapters/ducklake/index.ts');
        const { dataDir, config } = settings;
        out.note('looking for the DuckLake extension (up to two minutes) ...');
        const isRemote = config.lake.catalog !== '';
        const installed: Installed[] = [];
        for (const extension of isRemote ? REMOTE_EXTENSIONS : (['ducklake'] as const))
          installed.push(
            await installDucklakeExtension({
              directory: installDirectory({ dataDir, named: config.daemon.data_dir !== '' }),
              others: searchDirectories(dataDir),
              clock: new SystemClock(),
              extension,
            }),
          );
        out.result(isRemote ? { installed } : installed[0], () =>
          installed.map(({ path, from }) => `${path} (${FOUND[from]})`).join('\n'),
        );
        return 0;
      }),
    );
  lake
    .command('rebuild')
    .description('drop the lakehouse of the running daemon and fill it again from the logs and recordings')
    .addHelpText(
      'after',
      '\nAlso where the lake cannot be opened. Rows of logs that no longer exist are lost with it.',
    )
    .action(
      action(async ({ api, out }) => {
        const reply = await api.post<{ done: boolean }>('/v1/lake/rebuild');
        out.result(reply, () =>
          reply.done ? 'rebuilt' : 'being rebuilt; `auraison status` shows how far it is behind',
        );
        return 0;
      }),
    );
}
