import type { Command } from 'commander';
import { EdgeError } from '../../../contract/core.ts';
import { action } from '../../context.ts';
import { type CopyFlags, copyInto } from './copy.ts';

export function addConvertCommand(bag: Command): void {
  bag
    .command('convert <paths...>')
    .description(
      'one recording out of one or several: other storage, compression or chunks, merged by time, repaired',
    )
    .option('--storage <kind>', 'mcap or sqlite3, for a folder; default: as the first input')
    .option('--compression <kind>', 'none, zstd or lz4; of MCAP', 'none')
    .option('--chunk-size <size>', 'of MCAP, for example 1MiB; default 4 MiB')
    .option('--split-size <size>', 'in a folder, the next file starts after this much, for example 2GiB')
    .option('--topics <patterns...>', 'only these; * stands for anything')
    .option('--exclude <patterns...>', 'not these')
    .addHelpText(
      'after',
      `
The last path is the output: a .mcap or .db3 file, or else a rosbag2 folder with metadata.yaml. Inputs are files or
folders of either storage. A file without footer (a crash, a full disk) is copied up to its last whole message.

Examples:
  auraison bag convert ./old-sqlite-bag ./bag --storage mcap --compression zstd
  auraison bag convert ./bag bag.db3
  auraison bag convert broken.mcap whole.mcap
  auraison bag convert front.mcap rear.mcap both.mcap`,
    )
    .action(
      action(async ({ out }, paths: string[], flags: CopyFlags) => {
        if (paths.length < 2) {
          throw new EdgeError('schema.invalid', {
            operation: 'bag convert',
            subject: 'output',
            message: 'the output is missing: the last path names it',
            hint: 'auraison bag convert INPUT... OUTPUT',
          });
        }
        return copyInto(out, paths.slice(0, -1), paths.at(-1)!, flags);
      }),
    );
}
