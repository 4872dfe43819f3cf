import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { FileSecrets } from '../../adapters/secrets/file-secrets.ts';
import type { DiskImported } from '../../central/disk-import.ts';
import type { GlobalOptions } from '../context.ts';
import { DiskRate } from '../link/disk-rate.ts';
import { printable } from '../link/printable.ts';
import { failWith, makeOutput, table } from '../output.ts';

type Options = GlobalOptions & { readonly clientCa?: string; readonly quota: string };

/** `auraison central import`: at the coordinator's host, also while it runs. */
export function addCentralImportCommand(
  central: Command,
  dataDirOf: (options: GlobalOptions) => string,
  quotaOf: (text: string) => number,
): void {
  central
    .command('import <folder>')
    .description(
      'take what robots wrote to a removable disk (auraison link export), and write signed receipts to it; exit code 1 where something was refused',
    )
    .addHelpText(
      'after',
      '\nWorks while the coordinator runs; what also came over the network is taken once. --client-ca and --quota as for auraison central.\n\nExamples:\n  auraison central import /media/disk --data-dir ./central-data\n  auraison central import /media/disk --data-dir ./central-data --json\n\nThen take the disk back to the robot: auraison link import /media/disk',
    )
    .action(async (folder: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const out = makeOutput(options.json === true);
      try {
        const { importDisk } = await import('../../central/disk-import.ts');
        const dataDir = dataDirOf(options);
        const clock = new SystemClock();
        const rate = new DiskRate(out, clock);
        const done = await importDisk({
          ...{ dir: folder, dataDir, clock, clients: options.clientCa },
          quotaBytes: quotaOf(options.quota),
          secrets: new FileSecrets(dataDir, String(process.pid)),
          onProgress: ({ robot, bytes: went, of }) => rate.at(robot, went, of),
          report: (message, error) => out.note(`${message}: ${(error as Error)?.message ?? error}`),
        });
        out.result(done, () => textOf(done, folder));
        const isWhole = done.refused.length === 0 && done.robots.every(({ refused }) => refused.length === 0);
        process.exitCode = isWhole && done.robots.length > 0 ? 0 : 1;
      } catch (error) {
        process.exitCode = failWith(error, out.json);
      }
    });
}

function textOf({ robots, refused }: DiskImported, folder: string): string {
  if (robots.length + refused.length === 0)
    return `${folder} has no folder auraison-link: no robot has exported to it`;
  const rows = robots.map((one) => [
    ...[one.robot, `${one.events}`, `${one.events_known}`, `${one.files}`, `${one.files_known}`],
    ...[`${one.receipts}`, one.complete ? 'yes' : 'no: the robot has more'],
  ]);
  return [
    table(['ROBOT', 'EVENTS', 'KNOWN', 'FILES', 'KNOWN', 'RECEIPTS', 'COMPLETE'], rows),
    ...refused.map(({ robot, message }) => `${robot}: nothing taken: ${printable(message)}`),
    ...robots.flatMap(({ robot, refused: some }) =>
      some.map(({ what, code, message }) => `${robot}: ${printable(what)}: ${code}: ${printable(message)}`),
    ),
  ].join('\n');
}
