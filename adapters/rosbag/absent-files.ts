import { basename } from 'node:path';
import type { Nanoseconds } from '../../contract/core.ts';

/** Files that the numbers of a bag say there were, and that neither lie in its folder nor are listed in its metadata. */
export type AbsentFiles = {
  /** File names; the same where it is one file. */
  readonly first: string;
  readonly last: string;
  readonly files: number;
  /** The last time of the file before them, and the first one of the file after them. */
  readonly afterNs: Nanoseconds | undefined;
  readonly beforeNs: Nanoseconds | undefined;
};

/** A file of a bag that is there; times are undefined where it has no message, or cannot be read. */
export type PresentFile = {
  readonly path: string;
  readonly startNs: Nanoseconds | undefined;
  readonly endNs: Nanoseconds | undefined;
};

/** What is read of an open file. */
type Held = {
  readonly topics: readonly { readonly messages: number }[];
  readonly startNs: Nanoseconds;
  readonly endNs: Nanoseconds;
};

/** `bag` is undefined for a file that cannot be opened. */
export function presentFile(path: string, bag: Held | undefined): PresentFile {
  const isFilled = bag?.topics.some(({ messages }) => messages > 0);
  return { path, startNs: isFilled ? bag?.startNs : undefined, endNs: isFilled ? bag?.endNs : undefined };
}

/**
 * Where the numbers of a bag's files (`<bag>_<n>.mcap`) have gaps: retention deleted these files, or somebody copied
 * only some. `listed` are the files of metadata.yaml; of those the bag itself says that they are missing.
 */
export function absentFiles(present: readonly PresentFile[], listed: readonly string[]): AbsentFiles[] {
  const named = new Set(listed.map((name) => basename(name)));
  const stems = Map.groupBy(present.flatMap(numbered), ({ stem }) => stem);
  return [...stems.values()].flatMap((files) => {
    files.sort((a, b) => a.number - b.number);
    return files.flatMap((file, at) => {
      const before = files[at - 1];
      const [from, to] = [(before?.number ?? -1) + 1, file.number - 1];
      const nameOf = (number: number) => `${file.stem}_${number}${file.ending}`;
      if (to < from || named.has(nameOf(from)) || named.has(nameOf(to))) return [];
      return {
        first: nameOf(from),
        last: nameOf(to),
        files: to - from + 1,
        afterNs: before?.endNs,
        beforeNs: file.startNs,
      };
    });
  });
}

/** Those that may have held something of the span. */
export function absentWithin(
  absent: readonly AbsentFiles[],
  startNs: Nanoseconds | undefined,
  endNs: Nanoseconds | undefined,
): AbsentFiles[] {
  return absent.filter(
    ({ afterNs, beforeNs }) =>
      (startNs === undefined || beforeNs === undefined || startNs < beforeNs) &&
      (endNs === undefined || afterNs === undefined || endNs > afterNs),
  );
}

function numbered({ path, startNs, endNs }: PresentFile) {
  const match = /^(.+)_(\d{1,9})(\.mcap|\.db3)(?:\.active)?$/.exec(basename(path));
  if (!match) return [];
  const [, stem = '', number, ending = ''] = match;
  return [{ stem, number: Number(number), ending, startNs, endNs }];
}
