import { basename, join } from 'node:path';
import { EdgeError } from '../../contract/core.ts';
import type { Bag } from './bag.ts';
import { bagFiles, bagNotes, openFile } from './open-bag.ts';

type Span = { readonly startNs: bigint; readonly endNs: bigint };

/** Throws `schema.invalid` for a span that is reversed, or in which the bag has nothing; `name`: where the start is given. */
export function refuseEmptySpan(
  bag: Span,
  given: { readonly startNs?: bigint | undefined; readonly endNs?: bigint | undefined },
  [operation, name]: readonly [operation: string, name: string],
): void {
  const from = given.startNs ?? bag.startNs;
  const to = given.endNs ?? bag.endNs + 1n;
  const isReversed = given.startNs !== undefined && given.endNs !== undefined && from >= to;
  if (!isReversed && (bag.endNs === 0n || (from < to && from <= bag.endNs && to > bag.startNs))) return;
  const iso = (ns: bigint) => {
    const ms = Number(ns / 1_000_000n);
    return ms <= DATE_MS_MAX ? new Date(ms).toISOString() : `${ns} ns`;
  };
  const seconds = (Number(bag.endNs - bag.startNs) / 1e9).toFixed(1);
  const within = `a span within the bag (${iso(bag.startNs)} to ${iso(bag.endNs)}, ${seconds} s)`;
  throw new EdgeError('schema.invalid', {
    ...{ operation, subject: name, message: `${name} ${iso(from)} to ${iso(to)}: ${within} expected` },
  });
}
/** The last time that a Date knows. */
const DATE_MS_MAX = 8.64e15;

/**
 * Of the faults of a copy, those that concern the span. Where a file is missing, or cannot be opened, it is the time
 * between its neighbours. The open segment of a recording always ends too early: that is no fault here.
 */
export async function faultsWithin(
  folder: string,
  faults: readonly EdgeError[],
  { startNs, endNs }: Span,
): Promise<EdgeError[]> {
  const own = faults.filter(({ subject }) => !subject.endsWith('.active'));
  if (own.length === 0) return [];
  const listed = (await bagNotes(folder).catch(() => undefined))?.paths ?? [];
  const present = await bagFiles(folder);
  const there = new Set(present.map((path) => basename(path).replace(/\.active$/, '')));
  const gone = listed.map((name) => basename(name)).filter((name) => !there.has(name));
  const files = [...present, ...gone.map((name) => join(folder, name))].sort((a, b) =>
    basename(a).localeCompare(basename(b), 'en', { numeric: true }),
  );
  const known: (Pick<Bag, 'startNs' | 'endNs' | 'fault'> | undefined)[] = [];
  for (const path of files) {
    const file = await openFile(path).catch(() => undefined);
    known.push(file && { startNs: file.startNs, endNs: file.endNs, fault: file.fault });
    await file?.close();
  }
  const concerns = (at: number) => {
    const file = known[at];
    // A damaged chunk is only reported where it is of the span.
    if (file && !file.fault) return true;
    const from = file?.startNs ?? known.slice(0, at).findLast((one) => one)?.endNs ?? 0n;
    const to = known.slice(at + 1).find((one) => one)?.startNs;
    return endNs > from && (to === undefined || startNs < to);
  };
  return own.filter((fault) => {
    const named = files.flatMap((path, at) => {
      const isOf = fault.subject === path || fault.message.split(/[\s,]/).includes(basename(path));
      return isOf ? [at] : [];
    });
    return named.length === 0 || named.some(concerns);
  });
}
