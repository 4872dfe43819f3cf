import type { Command } from 'commander';
import { SystemClock } from '../../adapters/clock/system-clock.ts';
import { type DiskReceiptsTaken, EdgeError, parseJson } from '../../contract/core.ts';
import { parseQuantity } from '../../daemon/config/quantity.ts';
import { action, type CommandContext } from '../context.ts';
import type { DiskExported } from '../link/disk-export.ts';
import { DiskRate } from '../link/disk-rate.ts';
import { printable } from '../link/printable.ts';
import { bytes } from '../output.ts';

type ExportOptions = { readonly lanes: string[]; readonly maxBytes?: string; readonly all?: boolean };

/** `auraison link export | import`: data to central by a removable disk, and its receipts back. */
export function addDiskCommands(link: Command): void {
  link
    .command('export <folder>')
    .description('write what central does not hold to a removable disk; continues after an interruption')
    .option('--lanes <lanes...>', 'only these: events, events.runtime, …, clips, bags; default: all')
    .option('--max-bytes <size>', 'write at most so much, for example "16 GB" or a number of bytes')
    .option('--all', 'also what central has acknowledged: for a central that lost it')
    .addHelpText(
      'after',
      '\nNeeds a running daemon, and a key of this robot (auraison link enrol). Logs go first. What a policy forbids stays, and is counted. Nothing is deleted: that takes the receipts.\n\nExamples:\n  auraison link export /media/disk\n  auraison link export /media/disk --lanes events clips --max-bytes "16 GB"\n  auraison link export /media/disk --json\n\nThen, at central: auraison central import /media/disk',
    )
    .action(
      action(async ({ api, out }, folder: string, options: ExportOptions) => {
        const { DiskExport } = await import('../link/disk-export.ts');
        const clock = new SystemClock();
        const rate = new DiskRate(out, clock);
        const done = await DiskExport.run(api, {
          ...{ dir: folder, lanes: options.lanes ?? [], all: options.all === true },
          maxBytes: sizeOf(options.maxBytes),
          monotonicMs: () => clock.monotonicMs(),
          onProgress: (went, of) => rate.at(folder, went, of),
        });
        out.result(done, () => exportText(done));
        return done.stopped.startsWith('the disk is full') ? 1 : 0;
      }),
    );
  link
    .command('import <folder>')
    .description(
      'take the receipts of central from a removable disk; what they are about may then be deleted',
    )
    .option('--robot <name>', 'where AURAISON_URL names a robot elsewhere: its daemon.name')
    .addHelpText(
      'after',
      '\nOnly receipts that central signed for this robot count, for what it has. Exit code 1 where central refused something.\n\nExamples:\n  auraison link import /media/disk\n  auraison link import /media/disk --json',
    )
    .action(action(importReceipts));
}

type Imported = { -readonly [K in Exclude<keyof DiskReceiptsTaken, 'lanes'>]: DiskReceiptsTaken[K] } & {
  readonly robot: string;
  readonly lanes: Record<string, number>;
};

async function importReceipts(
  { api, out, settings }: CommandContext,
  folder: string,
  options: { readonly robot?: string },
): Promise<number> {
  const { RobotDisk } = await import('../../io/robot-disk.ts');
  const robot = options.robot ?? settings.config.daemon.name;
  const disk = await RobotDisk.open(folder, robot, false);
  const sum: Imported = { robot, lanes: {}, files: 0, known: 0, foreign: 0, refused: [], refused_more: 0 };
  const faults: EdgeError[] = [];
  try {
    const names = (await disk?.receiptFiles()) ?? [];
    if (names.length === 0) throw noReceipts(folder, robot);
    for (const name of names) {
      try {
        const receipts = jsonOf((await disk!.receipts(name)) ?? Buffer.alloc(0), name);
        const taken = await api.post<DiskReceiptsTaken>('/v1/link/disk/receipts', { receipts });
        for (const { lane, seq } of taken.lanes) sum.lanes[lane] = Math.max(seq, sum.lanes[lane] ?? 0);
        for (const key of ['files', 'known', 'foreign', 'refused_more'] as const) sum[key] += taken[key];
        sum.refused = [...sum.refused, ...taken.refused];
      } catch (error) {
        // Another coordinator may have left receipts too: the others still count.
        if (!(error instanceof EdgeError) || !['link.refused', 'schema.invalid'].includes(error.code))
          throw error;
        faults.push(error);
        out.note(`${name}: ${printable(error.message)}`);
      }
    }
    if (faults.length === names.length) throw faults[0]!;
  } finally {
    await disk?.close();
  }
  out.result(sum, () => importText(sum));
  return sum.refused.length + sum.refused_more + faults.length === 0 ? 0 : 1;
}

function jsonOf(text: Buffer, name: string): unknown {
  try {
    return parseJson(text.toString());
  } catch (cause) {
    throw new EdgeError('link.refused', {
      ...{ operation: 'import receipts', subject: name, cause },
      message: `receipts not taken: the file is not JSON: ${(cause as Error).message}`,
      hint: 'import the disk at central again',
    });
  }
}

function sizeOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const parsed = /^[0-9]{1,15}$/.test(text)
    ? ({ ok: true, value: Number(text) } as const)
    : parseQuantity('size', text);
  if (parsed.ok && parsed.value > 0) return parsed.value;
  throw new EdgeError('schema.invalid', {
    ...{ operation: 'export to disk', subject: '--max-bytes' },
    message: `--max-bytes ${text}: a size such as "16 GB", or a number of bytes above 0, expected`,
  });
}

function exportText({ robot, folder, events, files, stopped, left, ...done }: DiskExported): string {
  const there = done.bytes_there > 0 ? `, ${bytes(done.bytes_there)} of it there already` : '';
  return [
    `${folder}: ${events} events and ${files} files of ${robot}, ${bytes(done.bytes)}${there}`,
    ...left.map((one) => {
      const what = [
        ...(one.events > 0 ? [`${one.events} events`] : []),
        ...(one.files > 0 ? [`${one.files} files (${bytes(one.bytes)})`] : []),
      ];
      return `stays: ${[one.lane, ...what].join(' ')}: ${one.reason}`;
    }),
    ...(stopped === '' ? [] : [`not all: ${stopped}; export the rest when this disk was handed over`]),
    'Next, at central: auraison central import FOLDER. Then here: auraison link import FOLDER',
  ].join('\n');
}

function importText({ lanes, files, known, foreign, refused, refused_more }: Imported): string {
  const acknowledged = Object.entries(lanes).map(([lane, seq]) => `${lane} up to ${seq}`);
  return [
    `central holds ${files} more files${acknowledged.length > 0 ? `, and ${acknowledged.join(', ')}` : ''}`,
    ...(known > 0 ? [`${known} receipts were known`] : []),
    ...(foreign > 0 ? [`${foreign} receipts are about what this robot does not have`] : []),
    ...refused.map(({ what, code, message }) => `refused: ${printable(`${what}: ${code}: ${message}`)}`),
    ...(refused_more > 0 ? [`refused: ${refused_more} more`] : []),
  ].join('\n');
}

function noReceipts(folder: string, robot: string): EdgeError {
  return new EdgeError('link.refused', {
    ...{ operation: 'import receipts', subject: folder },
    message: `${folder} has no receipts for ${robot}`,
    hint: `take the disk to central first: auraison central import ${folder}`,
  });
}
