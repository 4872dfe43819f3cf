import { readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { SegmentInfo } from '../../../contract/core.ts';
import type { Settings } from '../../../daemon/settings.ts';
import { action } from '../../context.ts';
import type { Output } from '../../output.ts';
import { copyInto } from './copy.ts';
import { seal, segmentLines } from './segments.ts';
import { durationNs, sizeBytes } from './values.ts';

type Flags = {
  duration?: string;
  maxSize?: string;
  topics?: string[];
  exclude?: string[];
  output?: string;
  compression?: string;
};

const LOOK_MS = 200;

export function addRecordCommand(bag: Command): void {
  bag
    .command('record')
    .description(
      'seal what was recorded so far, record until Ctrl-C, --duration or --max-size, seal again: the segments hold just that',
    )
    .option('--duration <time>', 'record this long: 30, 30s, 5m')
    .option('--max-size <size>', 'until this much was written, for example 500MB')
    .option('--output <path>', 'also as a recording of its own: a .mcap file or a rosbag2 folder')
    .option('--topics <patterns...>', 'only these, in the recording of --output; * stands for anything')
    .option('--exclude <patterns...>', 'not these')
    .option('--compression <kind>', 'none, zstd or lz4, of --output')
    .addHelpText(
      'after',
      `
The daemon records all topics all the time; this cuts a piece out at its borders. With --output that piece, or its
topics, becomes a bag under a name of your choice; the daemon's own segments stay as they are.

Examples:
  auraison bag record --duration 30
  auraison bag record --output ./bump --topics /scan '/camera/*' --max-size 1GB`,
    )
    .action(
      action(async ({ settings, api, out }, flags: Flags) => {
        const durationMs =
          flags.duration === undefined ? undefined : Number(durationNs(flags.duration, '--duration')) / 1e6;
        const sizeMax = flags.maxSize === undefined ? undefined : sizeBytes(flags.maxSize, '--max-size');
        const before = new Set((await seal(api)).map((segment) => segment.path));
        const from = await bagBytes(settings);
        out.note(`recording ${untilWhat(flags)} ...`);
        await until(
          durationMs,
          async () => sizeMax !== undefined && (await bagBytes(settings)) - from >= sizeMax,
        );
        const segments = (await seal(api)).filter((segment) => !before.has(segment.path));
        return printEnd(out, settings, segments, flags);
      }),
    );
}

function untilWhat({ duration, maxSize }: Flags): string {
  const ends = [
    ...(duration === undefined ? [] : [`for ${duration}`]),
    ...(maxSize === undefined ? [] : [`up to ${maxSize}`]),
  ];
  return ends.length === 0 ? 'until Ctrl-C' : `${ends.join(', ')}, or until Ctrl-C`;
}

async function printEnd(
  out: Output,
  settings: Settings,
  segments: readonly SegmentInfo[],
  flags: Flags,
): Promise<number> {
  if (flags.output === undefined || segments.length === 0) {
    out.result({ segments }, () =>
      segments.length === 0 ? 'nothing was published in that time' : segmentLines(segments).join('\n'),
    );
    return 0;
  }
  for (const line of segmentLines(segments)) out.note(line);
  const paths = segments.map(({ path }) => resolve(settings.dataDir, path));
  const { topics, exclude, compression } = flags;
  return copyInto(out, paths, flags.output, {
    ...(topics && { topics }),
    ...(exclude && { exclude }),
    ...(compression && { compression }),
  });
}

/** Bytes of all segments on disk, those being written too. */
async function bagBytes({ dataDir }: Settings): Promise<number> {
  const root = join(dataDir, 'bags');
  const names = await readdir(root, { recursive: true }).catch(() => [] as string[]);
  let total = 0;
  for (const name of names) {
    if (dirname(name) === '.' || !/\.mcap(?:\.active)?$/.test(name)) continue;
    total += (await stat(join(root, name)).catch(() => undefined))?.size ?? 0;
  }
  return total;
}

/** Until the time is over, the size is reached, or Ctrl-C. */
async function until(ms: number | undefined, isEnough: () => Promise<boolean>): Promise<void> {
  let isStopped = false;
  const stop = () => {
    isStopped = true;
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  const end = ms === undefined ? Number.POSITIVE_INFINITY : performance.now() + ms;
  try {
    while (!isStopped && performance.now() < end && !(await isEnough())) {
      await new Promise((resolve_) =>
        setTimeout(resolve_, Math.min(LOOK_MS, Math.max(1, end - performance.now()))),
      );
    }
  } finally {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  }
}
