import type { Command } from 'commander';
import { action } from '../../context.ts';
import { type CopyFlags, copyInto } from './copy.ts';

export function addCutCommand(bag: Command): void {
  bag
    .command('cut <input> <output>')
    .description(
      'a piece of a recording as a recording of its own: by time and topics, bytes and stamps as they are',
    )
    .option('--start <time>', '+10s after the start, -10s before the end, seconds since 1970, or ISO 8601')
    .option('--end <time>', 'the same; the end itself is left out')
    .option('--topics <patterns...>', 'only these; * stands for anything')
    .option('--exclude <patterns...>', 'not these')
    .option('--every <n>', 'every n-th message of a topic, or one per time: 10, 100ms')
    .option('--no-latched', 'without what transient local topics (/tf_static, maps) held at the start')
    .option('--storage <kind>', 'mcap or sqlite3, for a folder; default: as the input')
    .option('--compression <kind>', 'none, zstd or lz4', 'none')
    .addHelpText(
      'after',
      `
OUTPUT is a .mcap or .db3 file, or else a rosbag2 folder. Latched messages from before --start come first, with the
start as their log time and their own publish time. Ctrl-C leaves nothing behind.

Examples:
  auraison bag cut run.mcap bump.mcap --start +42s --end +50s
  auraison bag cut ./neato-hallway ./scans --topics '/scan' '/tf*' --every 2
  auraison bag cut run.mcap minute.mcap --start 2026-11-21T10:00:00Z --end 2026-11-21T10:01:00Z`,
    )
    .action(
      action(async ({ out }, input: string, output: string, flags: CopyFlags) =>
        copyInto(out, [input], output, flags),
      ),
    );
}
