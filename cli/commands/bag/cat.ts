import { open, rename, unlink } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Bag, latchedBefore, openBags, wantedTopics } from '../../../adapters/rosbag/index.ts';
import type { EdgeError } from '../../../contract/core.ts';
import { action } from '../../context.ts';
import { exitCodeOf, tellFaults } from './copy.ts';
import { LineMaker } from './decoded-lines.ts';
import { momentNs, oneOf, words, wrongValue } from './values.ts';
import { cancellable } from './work.ts';

type Flags = {
  topics?: string[];
  exclude?: string[];
  fields?: string[];
  format: string;
  start?: string;
  end?: string;
  count?: string;
  raw?: boolean;
  latched?: boolean;
  output?: string;
};

const WRITE_CHARS = 256 * 1024;

export function addCatCommand(bag: Command): void {
  bag
    .command('cat <path>')
    .alias('export')
    .description('messages, decoded, as JSON lines or CSV')
    .option('--topics <patterns...>', 'only these; * stands for anything')
    .option('--exclude <patterns...>', 'not these')
    .option('--fields <paths...>', 'only these fields, for example pose.pose.position.x ranges[0]')
    .option('--format <kind>', 'jsonl or csv', 'jsonl')
    .option('--start <time>', '+10s after the start, -10s before the end, seconds since 1970, or ISO 8601')
    .option('--end <time>', 'the same; the end itself is left out')
    .option('--count <n>', 'this many messages at most')
    .option('--latched', 'first what transient local topics held at --start')
    .option('--raw', 'bytes as base64, not decoded')
    .option(
      '--output <file>',
      'into a file, which is there as a whole or not at all; default: standard output',
    )
    .addHelpText(
      'after',
      `
Byte arrays are base64; 64-bit integers, NaN and Infinity are text. CSV has one set of columns: name one topic.

Examples:
  auraison bag cat run.mcap --topics /odom --count 3
  auraison bag export run.mcap --topics /odom --format csv --fields pose.pose.position.x pose.pose.position.y --output track.csv`,
    )
    .action(
      action(async ({ out }, path: string, flags: Flags) => {
        const source = await openBags([resolve(path)]);
        try {
          const faults: EdgeError[] = [];
          const count = await cancellable('bag cat', path, (signal) => print(source, flags, faults, signal));
          tellFaults(out, faults);
          if (flags.output !== undefined) out.note(`${flags.output}: ${count} messages`);
          return exitCodeOf({ faults });
        } finally {
          await source.close();
        }
      }),
    );
}

async function print(bag: Bag, flags: Flags, faults: EdgeError[], signal: AbortSignal): Promise<number> {
  const maker = new LineMaker({
    format: oneOf(flags.format, ['jsonl', 'csv'], '--format'),
    fields: words(flags.fields),
    raw: flags.raw === true,
  });
  const topics = wantedTopics(bag.topics, words(flags.topics), words(flags.exclude));
  const startNs = flags.start === undefined ? undefined : momentNs(flags.start, bag, '--start');
  const endNs = flags.end === undefined ? undefined : momentNs(flags.end, bag, '--end');
  const countMax = flags.count === undefined ? Number.POSITIVE_INFINITY : Number(flags.count);
  if (!(countMax >= 1)) throw wrongValue('--count', flags.count!, 'a number from 1 on');
  const sink = await sinkFor(flags.output);
  let count = 0;
  try {
    const before = flags.latched && startNs !== undefined ? await latchedBefore(bag, startNs, topics) : [];
    for (const message of before.slice(0, countMax)) {
      await sink.write(maker.lines(message));
      count += 1;
    }
    if (count < countMax) {
      for await (const message of bag.records({
        topics,
        startNs,
        endNs,
        onDamage: (fault) => faults.push(fault),
      })) {
        if (signal.aborted) break;
        await sink.write(maker.lines(message));
        count += 1;
        if (count >= countMax) break;
      }
    }
    if (signal.aborted && flags.output !== undefined) await sink.abort();
    else await sink.end();
  } catch (error) {
    await sink.abort();
    throw error;
  }
  return count;
}

type Sink = { write(text: string): Promise<void>; end(): Promise<void>; abort(): Promise<void> };

/** Text in pieces, as fast as the receiver takes it. */
async function sinkFor(output: string | undefined): Promise<Sink> {
  let held = '';
  const partial = `${output}.partial-${process.pid}`;
  const file = output === undefined ? undefined : await open(partial, 'w');
  const flush = async () => {
    const text = held;
    held = '';
    if (file) await file.write(text);
    else if (!process.stdout.write(text))
      await new Promise((drained) => process.stdout.once('drain', drained));
  };
  return {
    async write(text) {
      held += text;
      if (held.length >= WRITE_CHARS) await flush();
    },
    async end() {
      await flush();
      if (!file || output === undefined) return;
      await file.sync();
      await file.close();
      await rename(partial, output);
    },
    async abort() {
      if (!file) return flush();
      await file.close();
      await unlink(partial).catch(() => {});
    },
  };
}
