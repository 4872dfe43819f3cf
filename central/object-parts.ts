import { createHash } from 'node:crypto';
import { LIMITS, type LinkObject, type ObjectCursor, objectIdText } from '../contract/index.ts';
import { lengthOf } from './object-files.ts';
import type { Content } from './object-rows.ts';

/** `saved`: how much of it is in the file. */
export type Fragment = { readonly bytes: Buffer; length: number; saved: number };
export type Open = {
  content: Content;
  readonly have: Uint8Array;
  /** Parts of which only the start came. */
  readonly fragments: Map<number, Fragment>;
  checking: Promise<void> | undefined;
};

export function objectId(cursor: ObjectCursor): string {
  return createHash('sha256').update(objectIdText(cursor)).digest('hex').slice(0, 32);
}

/** Ranges of bytes that are not there, in order. */
export function missingOf({ content, have, fragments }: Open): [number, number][] {
  const ranges: [number, number][] = [];
  for (let part = 0; part < have.length; part++) {
    if (have[part] === 1) continue;
    const start = part * content.partBytes;
    const from = start + (fragments.get(part)?.length ?? 0);
    const to = start + lengthOf(content, part);
    const last = ranges.at(-1);
    if (last && last[1] === from) last[1] = to;
    else if (ranges.length === LIMITS.LINK_MISSING_RANGES_MAX) break;
    else if (to > from) ranges.push([from, to]);
  }
  return ranges;
}

/** Bytes of parts that are there. */
export function thereOf({ have, ...content }: Content): number {
  return have.reduce((sum, one, part) => sum + (one === 1 ? lengthOf({ have, ...content }, part) : 0), 0);
}

export function keyOf({ robot, sha256 }: Pick<LinkObject, 'robot' | 'sha256'>): string {
  return `${robot}/${sha256}`;
}
