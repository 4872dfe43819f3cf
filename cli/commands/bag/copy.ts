import { basename, extname, resolve } from 'node:path';
import {
  type AbsentFiles,
  BagWriter,
  type Compression,
  type CopyLosses,
  type CopyOptions,
  type CopyResult,
  copyBag,
  openBags,
  originOf,
  refuseEmptySpan,
  type WrittenBag,
  wantedTopics,
} from '../../../adapters/rosbag/index.ts';
import type { EdgeError } from '../../../contract/core.ts';
import { bytes, type Output } from '../../output.ts';
import { durationNs, momentNs, oneOf, sizeBytes, words, wrongValue } from './values.ts';
import { cancellable, progressNotes } from './work.ts';

/** Options that cut and convert share. */
export type CopyFlags = {
  readonly start?: string;
  readonly end?: string;
  readonly topics?: string[];
  readonly exclude?: string[];
  readonly every?: string;
  readonly latched?: boolean;
  readonly storage?: string;
  readonly compression?: string;
  readonly chunkSize?: string;
  readonly splitSize?: string;
};

/** Copies `inputs` in time order into `target`, or leaves nothing there. Returns the exit code. */
export async function copyInto(
  out: Output,
  inputs: readonly string[],
  target: string,
  flags: CopyFlags,
): Promise<number> {
  const path = resolve(target);
  const bag = await openBags(inputs.map((input) => resolve(input)));
  try {
    const options: CopyOptions = {
      topics: wantedTopics(bag.topics, words(flags.topics), words(flags.exclude)),
      startNs: flags.start === undefined ? undefined : momentNs(flags.start, bag, '--start'),
      endNs: flags.end === undefined ? undefined : momentNs(flags.end, bag, '--end'),
      every: flags.every === undefined ? undefined : everyOf(flags.every),
      latched: flags.latched ?? true,
    };
    refuseEmptySpan(bag, options, ['bag', '--start']);
    const written = await cancellable('bag', path, async (signal) => {
      const writer = await BagWriter.create({ ...outputOf(path, bag.storage, flags), ...originOf(bag) });
      try {
        const onProgress = progressNotes(out, options.startNs ?? bag.startNs, options.endNs ?? bag.endNs);
        const copied = await copyBag(bag, writer, { ...options, signal, onProgress });
        return { copied, bag: await writer.finish() };
      } catch (error) {
        await writer.abort();
        throw error;
      }
    });
    return report(out, written.bag, written.copied);
  } finally {
    await bag.close();
  }
}

/** A file by its ending, else a rosbag2 folder. */
function outputOf(target: string, storageOfInput: 'mcap' | 'sqlite3', flags: CopyFlags) {
  const byName = { '.mcap': 'mcap', '.db3': 'sqlite3' } as const;
  const named = byName[extname(target) as keyof typeof byName];
  const asked =
    flags.storage === undefined ? undefined : oneOf(flags.storage, ['mcap', 'sqlite3'], '--storage');
  if (named && asked && named !== asked)
    throw wrongValue('--storage', asked, `what ${basename(target)} says`);
  const storage = named ?? asked ?? storageOfInput;
  const compression: Compression = oneOf(
    flags.compression ?? 'none',
    ['none', 'zstd', 'lz4'],
    '--compression',
  );
  if (storage === 'sqlite3' && compression !== 'none')
    throw wrongValue('--compression', compression, 'MCAP as storage');
  return {
    target,
    storage,
    isFolder: named === undefined,
    compression,
    ...(flags.chunkSize === undefined ? {} : { chunkBytes: chunkBytes(flags.chunkSize) }),
    ...(flags.splitSize === undefined ? {} : { splitBytes: sizeBytes(flags.splitSize, '--split-size') }),
  };
}

/** Readers refuse chunks above 256 MiB; tiny ones make an index larger than the data. */
function chunkBytes(text: string): number {
  const size = sizeBytes(text, '--chunk-size');
  if (size >= 4096 && size <= 64 * 1024 * 1024) return size;
  throw wrongValue('--chunk-size', text, '4KiB to 64MiB');
}

function everyOf(text: string): { count: number } | { ns: bigint } {
  if (!/^\d+$/.test(text)) return { ns: durationNs(text, '--every') };
  if (Number(text) >= 1) return { count: Number(text) };
  throw wrongValue('--every', text, 'a number from 1 on, or a duration like 100ms');
}

function report(out: Output, { path, files }: WrittenBag, copied: CopyResult): number {
  const size = files.reduce((sum, file) => sum + file.bytes, 0);
  const { messages, latched, contentSha256 } = copied;
  tellDamage(out, copied);
  for (const line of absentLines(copied.absent)) out.note(`auraison: ${line}`);
  out.result(
    {
      path,
      messages,
      latched,
      bytes: size,
      content_sha256: contentSha256,
      files: files.map((file) => ({ path: file.path, bytes: file.bytes, messages: file.messages })),
      ...damageView(copied),
      absent: copied.absent.map(absentView),
    },
    () =>
      `${path}: ${messages} messages${latched > 0 ? ` (${latched} latched before the start)` : ''}, ${bytes(size)}`,
  );
  return exitCodeOf(copied);
}

/**
 * Exit code of a copy that is complete and durable, but lacks what could not be read of its input (EX_DATAERR of
 * sysexits.h). The ledger says how much that is.
 */
export const LOSSY = 65;

type Damage = Pick<CopyResult, 'faults' | 'warnings' | 'losses'>;

export function exitCodeOf({ faults }: Pick<Damage, 'faults'>): number {
  return faults.length === 0 ? 0 : LOSSY;
}

export function damageView({ faults, warnings, losses }: Damage) {
  return {
    lost: { topics: losses.topics, unknown_parts: losses.unknownParts },
    faults: faults.map((fault) => fault.toBody()),
    warnings: warnings.map((warning) => warning.toBody()),
  };
}

export function absentView({ first, last, files, afterNs, beforeNs }: AbsentFiles) {
  return { first, last, files, after_ns: afterNs, before_ns: beforeNs };
}

/** Files that the numbers of a bag leave out. Whatever they held is missing; that is no fault of the files. */
export function absentLines(absent: readonly AbsentFiles[]): string[] {
  return absent.map(({ first, last, files, afterNs, beforeNs }) => {
    const what =
      files === 1
        ? `${first} is not in the folder`
        : `${first} to ${last} (${files} files) are not in the folder`;
    const gap =
      afterNs !== undefined && beforeNs !== undefined && beforeNs > afterNs
        ? `; nothing is there for ${(Number(beforeNs - afterNs) / 1e9).toFixed(1)} s from ${isoTime(afterNs)}`
        : '';
    return `${what}: retention deleted ${files === 1 ? 'it' : 'them'}, or only some files were copied${gap}`;
  });
}

function isoTime(ns: bigint): string {
  return new Date(Number(ns / 1_000_000n)).toISOString();
}

/** What is wrong with the input, and the ledger of what the copy lacks, on standard error. */
export function tellDamage(out: Output, { faults, warnings, losses }: Damage): void {
  for (const { subject, message } of warnings)
    out.note(`auraison: ${subject}: ${message}; no message is lost`);
  tellFaults(out, faults);
  for (const line of lossLines(losses)) out.note(line);
}

function lossLines({ topics, unknownParts }: CopyLosses): string[] {
  const lines = Object.entries(topics).map(([topic, count]) => `  lost: ${count} messages of ${topic}`);
  if (unknownParts > 0) lines.push(`  lost: ${unknownParts} parts of the file; nothing says what they held`);
  return lines;
}

/** The parts of a damaged input that are missing; the copy itself is complete. */
export function tellFaults(out: Output, faults: readonly EdgeError[]): void {
  for (const fault of faults)
    out.note(`auraison: ${fault.subject}: ${fault.message}; what can be read was copied`);
}
