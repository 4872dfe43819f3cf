import { LINK_LIMITS } from './link-limits.ts';

/** Lanes of files on their way to the coordinator, the first goes first. `central-link/LINK.md`, version 2. */
export const OBJECT_LANES = ['summaries', 'clips', 'bags', 'datasets', 'blobs'] as const;
export type ObjectLaneName = (typeof OBJECT_LANES)[number];

/** What may go over a network of the robot; the first that names the interface counts. */
export type LinkNetwork = {
  /** Name of the interface, `*` stands for the rest of it. */
  readonly interface: string;
  /** Bytes a second, of files and events together; 0: no limit. Events are never held back by it. */
  readonly bandwidth: number;
  /** Lanes of files that may go. */
  readonly lanes: readonly ObjectLaneName[];
  /** Minutes of the day, from and to, in which files may go; empty: at any time. A span may go over midnight. */
  readonly hours: readonly (readonly [number, number])[];
  /** Bytes of files a day; 0: no limit. */
  readonly perDay: number;
};

/** Size of the parts of a file, bytes; undefined where it is too large for a coordinator that takes parts up to `most`. */
export function partBytesOf(bytes: number, most: number): number | undefined {
  for (let part: number = LINK_LIMITS.LINK_PART_BYTES_MIN; part < most; part *= 2)
    if (part >= LINK_LIMITS.LINK_PART_BYTES && Math.ceil(bytes / part) <= LINK_LIMITS.LINK_PARTS_USUAL)
      return part;
  return Math.ceil(bytes / most) <= LINK_LIMITS.LINK_PARTS_MAX ? most : undefined;
}
