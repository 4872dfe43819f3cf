import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { action } from '../context.ts';

export function addLakeCommands(program: Command): void {
  const lake = program.command('lake').description('the lakehouse');
  lake
    .command('install')
    .description(
      'bring the DuckLake extension, from its server or out of the Python wheel; used from the next start on',
    )
    .action(
      action(async ({ out }) => {
        const { cacheDirectory, installDucklakeExtension } = await import('../../adapters/ducklake/index.ts');
        out.note('looking for the DuckLake extension (up to two minutes) ...');
        const installed = await installDucklakeExtension({
          directory: cacheDirectory(),
          clock: new SystemClock(),
        });
        out.result(
          installed,
          () =>
            `${installed.path} (${installed.from === 'present' ? 'was there' : `from ${installed.from === 'wheel' ? 'the Python wheel' : 'its server'}`})`,
        );
        return 0;
      }),
    );
}
