import type { Command } from 'commander';
import { EdgeError } from '../../contract/core.ts';
import { action } from '../context.ts';

export function addZenohCommands(program: Command): void {
  const zenoh = program.command('zenoh').description('the driver that connects this host to Zenoh');
  zenoh
    .command('build')
    .description('builds the native driver once, into the cache; needs Rust and 5 to 10 minutes')
    .addHelpText('after', '\nExample:\n  auraison zenoh build && auraison doctor')
    .action(
      action(async ({ out }) => {
        const { buildZenohDriver } = await import('../../adapters/zenoh/zenoh-build.mjs');
        try {
          await buildZenohDriver((text) => process.stderr.write(`${text}\n`));
        } catch (error) {
          throw new EdgeError('zenoh.unavailable', {
            operation: 'build the Zenoh driver',
            subject: `${process.platform}-${process.arch}`,
            message: error instanceof Error ? error.message : String(error),
            hint: 'install Rust 1.89 or newer (rustup), or build the driver on another host: docs/zenoh-policies.md',
            cause: error,
          });
        }
        const { reportZenohDriver } = await import('../../adapters/zenoh/native-loader.ts');
        const report = reportZenohDriver();
        out.result(report, () => `${report.driver} driver, ${report.version}: ${report.why}`);
        return report.driver === 'native' ? 0 : 1;
      }),
    );
}
